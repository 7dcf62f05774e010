//! Checks that histories reach interesting ends: a property over histories in which nothing happens would always hold.

use std::collections::BTreeMap;

use proptest::{
    strategy::{Strategy, ValueTree},
    test_runner::TestRunner,
};
use serde_json::Value;

use super::{history::case, model};

/// The named ends of a history.
fn ends(events: &[Value], tables: &model::Tables) -> Vec<(&'static str, bool)> {
    let rows = |table: &str| tables[table].iter();
    let users = |status: &'static str| rows("users").filter(move |user| user["status"] == status);
    let began_elsewhere =
        |row: &Value| row["id"].as_str().unwrap()[1..2] != row["directory_id"].as_str().unwrap()[1..];
    let in_two_tenants = |user: &Value| {
        rows("users").any(|other| other["id"] == user["id"] && other["tenant_id"] != user["tenant_id"])
    };
    let twice = |user: &Value| {
        rows("users").any(|other| other["person_id"] == user["person_id"] && other["id"] != user["id"])
    };
    let apart = |user: &Value| {
        let same = |other: &Value| {
            ["tenant_id", "idp_id"].iter().all(|field| other[*field] == user[*field])
                && other["person_id"][1] == user["person_id"][1]
        };
        rows("users").any(|other| same(other) && other["person_id"] != user["person_id"])
    };
    let tied = |event: &Value| {
        let key = |event: &Value| {
            [event["data"]["id"].clone(), event["data"]["updated_at"].clone(), event["created_at"].clone()]
        };
        events.iter().filter(|other| key(other) == key(event) && !event["data"]["id"].is_null()).count() > 1
    };
    let said_again = |kind: &str| {
        let of_kind: Vec<_> = events.iter().filter(|event| event["event"] == kind).collect();
        let later = |event: &Value, other: &Value| {
            other["data"] == event["data"] && event["created_at"].as_str() < other["created_at"].as_str()
        };
        of_kind.iter().any(|event| of_kind.iter().any(|other| later(event, other)))
    };
    let of_no_directory = |user: &Value| {
        let is_theirs = |directory: &Value| {
            directory["id"] == user["directory_id"] && directory["tenant_id"] == user["tenant_id"]
        };
        !rows("directories").any(is_theirs)
    };
    let made_again = |group: &Value| {
        events
            .iter()
            .any(|event| event["event"] == "dsync.group.deleted" && event["data"]["id"] == group["id"])
    };
    vec![
        ("somebody active", users("active").count() > 0),
        ("somebody active and somebody not", users("active").count() > 0 && users("inactive").count() > 0),
        ("a member", rows("group_members").count() > 0),
        ("a role", rows("user_roles").count() > 0),
        (
            "a deleted directory with people",
            users("inactive").any(|user| {
                rows("directories").any(|d| d["id"] == user["directory_id"] && d["state"] == "deleted")
            }),
        ),
        ("a deleted tenant", rows("tenants").any(|tenant| !tenant["deleted_at"].is_null())),
        ("two tenants", rows("tenants").count() > 1),
        ("a directory without owner", rows("tenants").any(|tenant| tenant["id"] == "default")),
        ("somebody moved", rows("users").any(began_elsewhere)),
        ("a group moved", rows("groups").any(began_elsewhere)),
        ("a group made again", rows("groups").any(made_again)),
        ("one id in two tenants", rows("users").any(in_two_tenants)),
        ("one person under two ids", rows("users").any(twice)),
        ("one idp_id of two people", rows("users").any(apart)),
        ("equal times", events.iter().any(tied)),
        ("an update said again later", said_again("dsync.user.updated")),
        ("a deletion said again later", said_again("dsync.user.deleted")),
        ("somebody of a directory that is not shown", rows("users").any(of_no_directory)),
    ]
}

#[test]
fn histories_reach_every_end_that_the_properties_are_about() {
    const CASES: usize = 500;
    let mut runner = TestRunner::deterministic();
    let mut reached: BTreeMap<&str, usize> = BTreeMap::new();
    for _ in 0..CASES {
        let case = case().new_tree(&mut runner).unwrap().current();
        let events = case.events();
        for (end, is_reached) in ends(&events, &model::tables(&events, &case.rules(), case.mapped)) {
            *reached.entry(end).or_default() += usize::from(is_reached);
        }
    }

    let rare: Vec<_> = reached.iter().filter(|(_, cases)| **cases < CASES / 25).collect();
    assert!(rare.is_empty(), "reached by fewer than one history in twenty-five: {rare:?} of {reached:?}");
    eprintln!("{reached:?}");
}
