//! Records obey the schema that consumers get: docs/changes.schema.json.

use rosterd::feed::kinds;
use serde_json::Value;

use super::{member, records};
use crate::{
    harness::{
        both,
        broker::{event, group, membership, organization, user, with},
    },
    roles,
};

fn schema() -> Value {
    serde_json::from_str(include_str!("../../../docs/changes.schema.json")).unwrap()
}

/// The part of JSON Schema that the file uses. A word that is not listed here is an error.
fn check(root: &Value, schema: &Value, value: &Value, place: &str) -> Result<(), String> {
    let wrong = |why: &str| Err(format!("{place}: {value} {why}"));
    for (word, of) in schema.as_object().unwrap() {
        match word.as_str() {
            "$schema" | "$id" | "title" | "description" | "$defs" | "format" => {}
            "$ref" => {
                let path = of.as_str().unwrap().strip_prefix('#').unwrap();
                check(root, root.pointer(path).unwrap_or_else(|| panic!("{path}")), value, place)?;
            }
            "type" => {
                let allowed: Vec<&str> = match of {
                    Value::Array(all) => all.iter().filter_map(Value::as_str).collect(),
                    one => vec![one.as_str().unwrap()],
                };
                let is = |name: &&str| match *name {
                    "null" => value.is_null(),
                    "string" => value.is_string(),
                    "integer" => value.is_i64(),
                    "object" => value.is_object(),
                    other => panic!("type {other}"),
                };
                if !allowed.iter().any(is) {
                    return wrong("has another type");
                }
            }
            "enum" if !of.as_array().unwrap().contains(value) => return wrong("is not listed"),
            "const" if of != value => return wrong("is not the constant"),
            "enum" | "const" => {}
            "minimum" if value.as_i64() < of.as_i64() => return wrong("is too small"),
            "minimum" => {}
            "required" => {
                for name in of.as_array().unwrap() {
                    if value.get(name.as_str().unwrap()).is_none() {
                        return wrong(&format!("has no {name}"));
                    }
                }
            }
            "properties" => {
                for (name, schema) in of.as_object().unwrap() {
                    if let Some(value) = value.get(name) {
                        check(root, schema, value, &format!("{place}.{name}"))?;
                    }
                }
            }
            "additionalProperties" => {
                assert_eq!(*of, Value::Bool(false));
                let known = schema["properties"].as_object().unwrap();
                for name in value.as_object().into_iter().flat_map(|object| object.keys()) {
                    if !known.contains_key(name) {
                        return wrong(&format!("has {name} beyond the schema"));
                    }
                }
            }
            "anyOf" => {
                let fits = |schema: &Value| check(root, schema, value, place).is_ok();
                if !of.as_array().unwrap().iter().any(fits) {
                    return wrong("fits none of the alternatives");
                }
            }
            "allOf" => of.as_array().unwrap().iter().try_for_each(|one| check(root, one, value, place))?,
            "if" if check(root, of, value, place).is_ok() => check(root, &schema["then"], value, place)?,
            "if" | "then" => {}
            other => panic!("{other} is not checked"),
        }
    }
    Ok(())
}

#[test]
fn the_schema_lists_all_kinds_in_the_order_of_the_code() {
    let listed: Vec<Value> = kinds::ALL.iter().map(|kind| Value::from(*kind)).collect();
    assert_eq!(schema()["properties"]["kind"]["enum"], Value::Array(listed));
    let document = include_str!("../../../docs/changes.md");
    for kind in kinds::ALL {
        assert!(document.contains(&format!("`{kind}`")), "{kind}");
    }
}

#[test]
fn the_check_finds_what_is_wrong() {
    let root = schema();
    let record = serde_json::json!({
        "seq": 1, "at": "2026-06-01T00:00:00.000000Z", "tenant_id": "t", "kind": "membership.added",
        "subject": {"group_id": "g", "user_id": "u"}, "before": null, "after": {}, "cause": {"event_id": "e"},
    });
    assert_eq!(check(&root, &root, &record, ""), Ok(()));
    for fields in [
        serde_json::json!({"kind": "membership.new"}),
        serde_json::json!({"subject": {"user_id": "u"}}),
        serde_json::json!({"after": null}),
        serde_json::json!({"cause": {"because": "e"}}),
        serde_json::json!({"seq": "1"}),
    ] {
        let wrong = with(record.clone(), fields);
        assert!(check(&root, &root, &wrong, "").is_err(), "{wrong}");
    }
}

both! {
    fn every_record_obeys_the_schema(app) {
        member(app);
        roles::give(app, "u1", "member").unwrap();
        app.play(&[
            event("u2", "dsync.user.created", 5, with(user("u2", "active", 5), serde_json::json!({"custom_attributes": {"a": [1]}}))),
            event("m2", "dsync.group.user_added", 6, membership(user("u2", "active", 5), group("g1", 2))),
        ]);
        roles::apply(app, roles::GROUPS);
        app.play(&[
            event("x2", "dsync.user.deleted", 9, user("u2", "active", 5)),
            event("g2", "dsync.group.deleted", 10, group("g1", 2)),
            event("o2", "organization.deleted", 11, organization("org_1", 11)),
        ]);
        let root = schema();
        let all = records(app.database());
        for record in &all {
            let record = serde_json::to_value(record).unwrap();
            check(&root, &root, &record, "").unwrap_or_else(|wrong| panic!("{wrong}\n{record:#}"));
        }
        assert!(all.len() > 20);
    }
}
