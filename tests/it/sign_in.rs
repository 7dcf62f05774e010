//! The view `sign_in`: each key of a login has one row or none, and the row says whether to let the user in.

use std::collections::BTreeSet;

use rosterd::tables::sign_in::SIGN_IN;
use serde_json::{Value, json};

use crate::harness::{
    TestApp, both,
    broker::{directory, event, organization, user, with},
};

/// The rows for a key, as `user may_sign_in reason`. No two rows of the view have one key.
fn answers(app: &TestApp, found_by: &str, key: &[&str]) -> Vec<String> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let mut keys = BTreeSet::new();
    let mut found = Vec::new();
    for row in app.rows(SIGN_IN) {
        let column = |name: &str| text(&row[name]);
        let own = match column("found_by").as_str() {
            "user_id" => vec![column("user_id")],
            "idp_id" => vec![column("directory_id"), column("idp_id")],
            _ => vec![column("email_key")],
        };
        let whole = [vec![column("tenant_id"), column("found_by")], own].concat();
        if whole.get(1).is_some_and(|by| by == found_by) && whole[2..] == *key {
            let may = if column("may_sign_in") == "true" { "1".to_owned() } else { column("may_sign_in") };
            found.push(format!("{} {} {}", column("user_id"), may.replace("false", "0"), column("reason")));
        }
        assert!(keys.insert(whole.clone()), "{whole:?} has two rows");
    }
    found
}

fn by_id(app: &TestApp, id: &str) -> Vec<String> {
    answers(app, "user_id", &[id])
}

fn by_idp_id(app: &TestApp, id: &str) -> Vec<String> {
    answers(app, "idp_id", &["dir_1", id])
}

fn by_address(app: &TestApp, address: &str) -> Vec<String> {
    answers(app, "email_key", &[address])
}

both! {
    fn each_key_of_an_active_user_finds_the_user_and_an_unknown_key_nobody(app) {
        app.play(&[event("c", "dsync.user.created", 1, with(user("u1", "active", 1), json!({"email": "Ada@Acme.example"})))]);
        for found in [by_id(app, "u1"), by_idp_id(app, "idp_u1"), by_address(app, "ada@acme.example")] {
            assert_eq!(found, ["u1 1 active"]);
        }
        for found in [by_id(app, "u9"), by_idp_id(app, "idp_u9"), by_address(app, "Ada@Acme.example")] {
            assert_eq!(found, Vec::<String>::new());
        }
        let none = with(user("u2", "active", 1), json!({"email": null, "idp_id": ""}));
        app.play(&[event("none", "dsync.user.created", 1, none)]);
        assert_eq!(by_id(app, "u2"), ["u2 1 active"]);
        assert_eq!(by_address(app, ""), Vec::<String>::new());
    }
}

both! {
    fn a_leaver_is_found_and_may_not_sign_in_until_the_directory_brings_them_back(app) {
        app.play(&[event("c", "dsync.user.created", 1, user("u1", "active", 1))]);
        app.play(&[event("d", "dsync.user.deleted", 9, user("u1", "active", 1))]);
        for found in [by_id(app, "u1"), by_idp_id(app, "idp_u1"), by_address(app, "u1@acme.example")] {
            assert_eq!(found, ["u1 0 inactive"]);
        }
        // The broker gives a returning person a new id.
        let again = with(user("u2", "active", 20), json!({"idp_id": "idp_u1", "email": "u1@acme.example"}));
        app.play(&[event("again", "dsync.user.created", 20, again)]);
        for found in [by_id(app, "u2"), by_idp_id(app, "idp_u1"), by_address(app, "u1@acme.example")] {
            assert_eq!(found, ["u2 1 active"]);
        }
        assert_eq!(by_id(app, "u1"), ["u1 0 inactive"]);
    }
}

both! {
    fn an_address_of_two_active_persons_lets_nobody_in(app) {
        let same = json!({"email": "shared@acme.example"});
        app.play(&[
            event("1", "dsync.user.created", 1, with(user("u1", "active", 1), same.clone())),
            event("2", "dsync.user.created", 1, with(user("u2", "active", 1), same.clone())),
        ]);
        assert_eq!(by_address(app, "shared@acme.example"), ["null 0 address_is_ambiguous"]);
        assert_eq!(by_idp_id(app, "idp_u1"), ["u1 1 active"]);

        app.play(&[event("3", "dsync.user.deleted", 9, with(user("u2", "active", 1), same))]);
        assert_eq!(by_address(app, "shared@acme.example"), ["u1 1 active"]);
        // Another tenant has the address too.
        let elsewhere = json!({"organization_id": "org_2", "directory_id": "dir_2", "email": "shared@acme.example"});
        app.play(&[event("4", "dsync.user.created", 9, with(user("u4", "active", 9), elsewhere))]);
        assert_eq!(by_address(app, "shared@acme.example"), ["u1 1 active", "u4 1 active"]);
    }
}

both! {
    fn the_reason_names_a_deleted_directory_or_tenant(app) {
        app.play(&[
            event("o", "organization.created", 1, organization("org_1", 1)),
            event("d", "dsync.activated", 1, directory("dir_1", "org_1", 1)),
            event("c", "dsync.user.created", 1, user("u1", "active", 1)),
            event("x", "dsync.deleted", 9, directory("dir_1", "org_1", 9)),
        ]);
        assert_eq!(by_idp_id(app, "idp_u1"), ["u1 0 directory_deleted"]);
        app.play(&[event("y", "organization.deleted", 19, organization("org_1", 19))]);
        assert_eq!(by_idp_id(app, "idp_u1"), ["u1 0 tenant_deleted"]);
        assert_eq!(by_address(app, "u1@acme.example"), ["u1 0 tenant_deleted"]);
    }
}
