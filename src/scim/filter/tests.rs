//! Filters: examples of each rule, and properties over random filters and texts.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::scim::{
    resource::{Object, normal},
    schema::{ENTERPRISE, ResourceType},
};

fn noor() -> Object {
    let body = json!({
        "userName": "Noor@Lumen.example", "active": true, "title": "", "nickName": "Ada \"A\\B\" é",
        "name": {"familyName": "Vale"},
        "emails": [
            {"type": "work", "value": "noor@lumen.example", "primary": true},
            {"type": "home", "value": "n@x.example"},
        ],
        ENTERPRISE: {"department": "Port", "manager": {"value": "m-1"}},
    });
    let mut resource = normal(ResourceType::user(), body).unwrap();
    resource.insert("id".to_owned(), json!("u-1"));
    resource.insert("externalId".to_owned(), json!("Ext-1"));
    resource.insert("meta".to_owned(), json!({"lastModified": "2026-11-27T08:00:00.000001Z"}));
    resource
}

fn holds(filter: &str) -> bool {
    matches(&parse(ResourceType::user(), filter).unwrap_or_else(|e| panic!("{filter}: {e}")), &noor())
}

#[test]
fn each_rule_of_the_standard_holds() {
    for (filter, expected) in [
        (r#"userName eq "noor@lumen.EXAMPLE""#, true),
        (r#"USERNAME EQ "noor@lumen.example""#, true),
        (r#"externalId eq "Ext-1""#, true),
        (r#"externalId eq "ext-1""#, false),
        (r#"id eq "U-1""#, false),
        (r#"userName sw "NOOR" and userName ew "example" and userName co "@""#, true),
        (r#"title pr"#, false),
        (r#"title eq null"#, true),
        (r#"title ne null"#, false),
        (r#"title ne "x""#, true),
        (r#"emails pr"#, true),
        (r#"phoneNumbers pr or phoneNumbers ne null"#, false),
        (r#"active eq true and not(active eq false)"#, true),
        (r#"active eq True and active eq "true""#, true),
        (r#"not (active eq true) or title pr"#, false),
        // `and` binds more tightly than `or`.
        (r#"active eq true or active eq false and title pr"#, true),
        (r#"(active eq true or active eq false) and title pr"#, false),
        (r#"emails[type eq "work" and value ew "x.example"]"#, false),
        (r#"emails.type eq "work" and emails.value ew "x.example""#, true),
        (r#"emails[type eq "work"].value eq "NOOR@lumen.example""#, true),
        (r#"emails eq "n@X.example""#, true),
        (r#"emails[primary eq true]"#, true),
        (r#"emails[not (type eq "work") and not (type eq "home")]"#, false),
        (r#"nickName eq "Ada \"A\\B\" \u00e9""#, true),
        (r#"name.familyName gt "val" and name.familyName le "VALE""#, true),
        (r#"meta.lastModified gt "2026-11-27T08:00:00Z""#, true),
        (r#"meta.lastModified eq "2026-11-27T10:00:00.000001+02:00""#, true),
        (r#"meta.lastModified lt "2026-11-27T08:00:00Z""#, false),
        (r#"urn:ietf:params:scim:schemas:core:2.0:User:userName sw "noor""#, true),
        (r#"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department eq "port""#, true),
        (r#"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value eq "m-1""#, true),
        (r#"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager eq "M-1""#, false),
    ] {
        assert_eq!(holds(filter), expected, "{filter}");
    }
}

#[test]
fn a_filter_without_meaning_is_an_error() {
    for filter in [
        "",
        "userName",
        "userName eq",
        "userName eq noor",
        "userName eq \"noor",
        "userName eq \"a\" and",
        "userName eq \"a\" userName eq \"b\"",
        "not userName eq \"a\"",
        "(userName eq \"a\"",
        "userName eq \"a\")",
        "badge eq \"a\"",
        "password eq \"a\"",
        "name.badge eq \"a\"",
        "name eq \"a\"",
        "urn:acme:badge eq \"a\"",
        "active gt true",
        "active eq \"maybe\"",
        "userName eq 7",
        "userName gt null",
        "meta.lastModified gt \"yesterday\"",
        "emails[badge eq \"a\"]",
        "emails[type eq \"a\"",
        "emails[type eq \"a\"].badge eq \"b\"",
        "userName[type eq \"a\"]",
        "userName eq \"\\x\"",
        "userName eq 1-2",
    ] {
        assert_eq!(
            parse(ResourceType::user(), filter).unwrap_err().scim_type,
            Some("invalidFilter"),
            "{filter}"
        );
    }
}

#[test]
fn length_and_depth_are_bounded() {
    let deep = format!("{}title pr{}", "(".repeat(3_000), ")".repeat(3_000));
    assert!(parse(ResourceType::user(), &deep).is_err());
    let long = vec!["title pr"; 2_000].join(" or ");
    assert!(parse(ResourceType::user(), &long).is_err());
}

fn literal() -> impl Strategy<Value = String> {
    any::<String>().prop_map(|text| Value::String(text).to_string())
}

fn condition() -> impl Strategy<Value = String> {
    let text =
        prop::sample::select(vec!["userName", "title", "externalId", "name.familyName", "emails.value"]);
    let operator = prop::sample::select(vec!["eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le"]);
    prop_oneof![
        (text, operator, literal()).prop_map(|(name, op, value)| format!("{name} {op} {value}")),
        any::<bool>().prop_map(|value| format!("active eq {value}")),
        literal().prop_map(|value| format!("emails[type eq {value} or primary eq true]")),
        Just(format!("{ENTERPRISE}:department pr")),
        Just("meta.created ge \"2026-11-27T08:00:00Z\"".to_owned()),
        Just("title eq null".to_owned()),
    ]
}

fn filter() -> impl Strategy<Value = String> {
    condition().prop_recursive(4, 24, 3, |inner| {
        let pair = prop::collection::vec(inner.clone(), 2..4);
        prop_oneof![
            inner.prop_map(|filter| format!("not ({filter})")),
            pair.clone().prop_map(|parts| format!("({})", parts.join(" or "))),
            pair.prop_map(|parts| parts.join(" and ")),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_printed_reads_back_as_the_same_filter(text in filter()) {
        let read = parse(ResourceType::user(), &text);
        prop_assume!(text.len() <= LONGEST);
        let read = read.unwrap();
        prop_assert_eq!(parse(ResourceType::user(), &read.to_string()).unwrap(), read);
    }

    #[test]
    fn the_opposite_of_a_filter_matches_the_others(text in filter()) {
        prop_assume!(text.len() <= LONGEST - 10);
        prop_assert_ne!(holds(&text), holds(&format!("not ({text})")));
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in any::<String>(), parts in prop::collection::vec(
        prop::sample::select(vec!["(", ")", "[", "]", "not", "and", "or", "userName", "emails", "eq", "pr", "\"a\"", "1", ".value", "true", "\\"]), 0..20,
    )) {
        drop(parse(ResourceType::user(), &text));
        drop(parse(ResourceType::user(), &parts.join(" ")));
        drop(parse(ResourceType::user(), &parts.concat()));
    }
}
