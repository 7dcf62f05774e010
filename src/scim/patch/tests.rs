//! PATCH: the shapes that identity providers send, and the rules of the RFC.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::scim::{resource::normal, schema::ENTERPRISE};

fn patched(body: Value, operations: Value) -> Result<Patched, ScimError> {
    let of = ResourceType::user();
    apply(of, &normal(of, body).unwrap(), &read_message(json!({"Operations": operations})).unwrap())
}

fn user(body: Value, operations: Value) -> Value {
    Value::Object(patched(body, operations).unwrap().resource)
}

fn group(operations: Value) -> Patched {
    let of = ResourceType::group();
    let group = normal(of, json!({"displayName": "Harbour crew"})).unwrap();
    apply(of, &group, &read_message(json!({"operations": operations})).unwrap()).unwrap()
}

#[test]
fn texts_for_booleans_and_capitals_for_operations_are_understood() {
    let body = json!({"userName": "noor", "active": true});
    assert_eq!(user(body, json!([{"op": "Replace", "path": "active", "value": "False"}]))["active"], false);
}

#[test]
fn a_value_path_on_an_absent_value_creates_it() {
    let body = json!({"userName": "noor"});
    let operations = json!([
        {"op": "Add", "path": "emails[type eq \"work\"].value", "value": "n@lumen.example"},
        {"op": "Add", "path": "addresses[type eq \"work\"].locality", "value": "Porto"},
        {"op": "Add", "path": "addresses[type eq \"work\"].country", "value": "PT"},
        {"op": "replace", "path": "phoneNumbers[type eq \"work\"].value", "value": ""},
        {"op": "remove", "path": "phoneNumbers[type eq \"work\"]"},
    ]);
    assert_eq!(
        user(body, operations),
        json!({
            "userName": "noor",
            "emails": [{"type": "work", "value": "n@lumen.example"}],
            "addresses": [{"type": "work", "locality": "Porto", "country": "PT"}],
        })
    );
}

#[test]
fn a_filter_that_matches_nothing_and_describes_no_value_is_an_error() {
    let body = json!({"userName": "noor"});
    let operations = json!([{"op": "replace", "path": "emails[value co \"x\"].type", "value": "work"}]);
    assert_eq!(patched(body, operations).unwrap_err().scim_type, Some("noTarget"));
}

#[test]
fn keys_without_path_may_be_dotted_or_have_a_urn() {
    let body = json!({"userName": "noor", "name": {"familyName": "Vale", "givenName": "N"}});
    let operations = json!([{"op": "replace", "value": {
        "id": "ignored", "name.givenName": "Noor", format!("{ENTERPRISE}:department"): "Port",
        "name": {"middleName": "M"}, "urn:acme:2.0:User:badge": 7,
    }}]);
    assert_eq!(
        user(body, operations),
        json!({
            "userName": "noor", "name": {"familyName": "Vale", "givenName": "Noor", "middleName": "M"},
            ENTERPRISE: {"department": "Port"}, "urn:acme:2.0:User": {"badge": 7},
        })
    );
}

#[test]
fn an_empty_text_and_null_unassign() {
    for value in [json!(""), json!(null)] {
        let body = json!({"userName": "noor", "title": "Pilot"});
        let left = user(body, json!([{"op": "replace", "path": "title", "value": value}]));
        assert!(left.get("title").is_none());
    }
}

#[test]
fn one_bad_operation_is_named_and_changes_nothing() {
    let operations = json!([
        {"op": "replace", "path": "title", "value": "Pilot"},
        {"op": "replace", "path": "badge", "value": 7},
    ]);
    let error = patched(json!({"userName": "noor"}), operations).unwrap_err();
    assert_eq!((error.scim_type, error.detail.starts_with("operation 2: ")), (Some("invalidPath"), true));
}

#[test]
fn refusals_have_the_keywords_of_the_rfc() {
    for (operation, keyword) in [
        (json!({"op": "remove"}), "noTarget"),
        (json!({"op": "remove", "path": "userName"}), "mutability"),
        (json!({"op": "replace", "path": "id", "value": "x"}), "mutability"),
        (json!({"op": "replace", "path": "meta.version", "value": "x"}), "mutability"),
        (json!({"op": "replace", "path": "userName", "value": ""}), "invalidValue"),
        (json!({"op": "replace", "path": "active", "value": "maybe"}), "invalidValue"),
        (json!({"op": "replace", "path": "emails[type eq", "value": "x"}), "invalidPath"),
        (json!({"op": "add", "value": "x"}), "invalidValue"),
    ] {
        let error = patched(json!({"userName": "noor"}), json!([operation])).unwrap_err();
        assert_eq!(error.scim_type, Some(keyword), "{operation}");
    }
    for message in [
        json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"], "Operations": [{"op": "add"}]}),
        json!({"Operations": []}),
        json!({"Operations": [{"op": "move"}]}),
        json!([]),
    ] {
        assert_eq!(read_message(message).unwrap_err().scim_type, Some("invalidSyntax"));
    }
}

#[test]
fn a_new_primary_value_ends_the_primacy_of_the_others() {
    let body = json!({"userName": "n", "emails": [{"value": "a", "type": "work", "primary": true}, {"value": "b", "type": "home"}]});
    let added = user(
        body.clone(),
        json!([{"op": "add", "path": "emails", "value": [{"value": "c", "primary": true}]}]),
    );
    assert_eq!(added["emails"][0]["primary"], false);
    assert_eq!(added["emails"][2]["primary"], true);
    let set =
        user(body, json!([{"op": "replace", "path": "emails[type eq \"home\"].primary", "value": "True"}]));
    assert_eq!((&set["emails"][0]["primary"], &set["emails"][1]["primary"]), (&json!(false), &json!(true)));
}

#[test]
fn values_are_removed_by_list_or_by_filter_and_are_added_once() {
    let body =
        json!({"userName": "n", "emails": [{"value": "a", "type": "work"}, {"value": "b", "type": "home"}]});
    let operations = json!([
        {"op": "Remove", "path": "emails", "value": [{"value": "A"}]},
        {"op": "add", "path": "emails", "value": [{"value": "b", "type": "home"}]},
        {"op": "remove", "path": "emails", "value": []},
    ]);
    assert_eq!(user(body, operations)["emails"], json!([{"value": "b", "type": "home"}]));
}

#[test]
fn members_are_changed_apart_from_the_group() {
    let refs = |ids: &[&str]| ids.iter().map(|id| MemberRef { value: (*id).to_owned() }).collect::<Vec<_>>();
    let Patched { resource, members } = group(json!([
        {"op": "Add", "path": "members", "value": [{"$ref": null, "value": "u-1"}]},
        {"op": "Remove", "path": "members", "value": [{"value": "u-2"}]},
        {"op": "remove", "path": "members[value eq \"u-3\"]"},
        {"op": "remove", "path": "members[value eq \"u-4\" or value eq \"u-5\"]"},
        {"op": "remove", "path": "members"},
        {"op": "replace", "path": "members", "value": []},
        {"op": "replace", "value": {"id": "g", "displayName": "Crew"}},
        {"op": "add", "value": {"members": [{"value": "u-6"}]}},
        {"op": "remove", "path": "members", "value": []},
    ]));
    assert_eq!(resource["displayName"], "Crew");
    assert_eq!(
        members,
        [
            MemberChange::Add(refs(&["u-1"])),
            MemberChange::Remove(refs(&["u-2"])),
            MemberChange::Remove(refs(&["u-3"])),
            MemberChange::Remove(refs(&["u-4", "u-5"])),
            MemberChange::RemoveAll,
            MemberChange::Replace(refs(&[])),
            MemberChange::Add(refs(&["u-6"])),
            MemberChange::Remove(refs(&[])),
        ]
    );
}

fn any_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        "[a-c]{0,2}".prop_map(Value::from),
        "[a-c]{1,2}".prop_map(|text| json!([{"value": text, "type": "work", "primary": "True"}])),
        "[a-c]{1,2}".prop_map(|text| json!({"value": text, "givenName": text, "department": text})),
    ]
}

fn any_operation() -> impl Strategy<Value = Value> {
    let paths = vec![
        "active",
        "title",
        "name",
        "name.givenName",
        "emails",
        "emails.value",
        "emails[type eq \"work\"]",
        "emails[type eq \"work\"].value",
        "emails[primary eq true].type",
        "userName",
        "externalId",
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User",
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department",
        "urn:acme:User:badge",
    ];
    let verbs = vec!["add", "Remove", "replace"];
    (prop::sample::select(verbs), prop::sample::select(paths), any_value(), any::<bool>()).prop_map(
        |(verb, path, value, with_path)| match with_path {
            true => json!({"op": verb, "path": path, "value": value}),
            false => json!({"op": verb, "value": {path: value}}),
        },
    )
}

proptest! {
    /// Whatever is sent, the result is in the normal form: reading it again changes nothing.
    #[test]
    fn the_result_is_in_the_normal_form(operations in prop::collection::vec(any_operation(), 1..8)) {
        let of = ResourceType::user();
        if let Ok(patched) = patched(json!({"userName": "noor", "emails": [{"value": "a"}]}), Value::Array(operations)) {
            let again = normal(of, Value::Object(patched.resource.clone())).unwrap();
            prop_assert_eq!(&again, &patched.resource);
            let primary = again.get("emails").and_then(Value::as_array).into_iter().flatten();
            prop_assert!(primary.filter(|email| email.get("primary") == Some(&json!(true))).count() <= 1);
        }
    }

    #[test]
    fn no_path_makes_the_parser_panic(path in any::<String>()) {
        let operation = Operation { verb: Verb::Replace, path: Some(path), value: Some(json!("x")) };
        drop(apply(ResourceType::user(), &Object::new(), &[operation]));
    }
}
