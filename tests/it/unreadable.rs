//! One unreadable value affects only itself: ids, times and the meaning are readable, so access ends.

use reqwest::StatusCode;
use rosterd::{
    audit::leaver_receipt::receipts,
    db::DbError,
    tables::{
        host_tables::{DIRECTORIES, GROUP_MEMBERS, GROUPS, ROLES, TENANTS, USER_ROLES, USERS},
        user_lookup,
    },
};
use serde_json::{Value, json};

use crate::harness::{
    TestApp, both,
    broker::{directory, event, group, membership, organization, user, with},
};

/// A text that was cut by UTF-16 length, as `JSON.stringify` writes it.
const HALF: &str = r#""Ada \ud83d""#;

/// Replaces every text `HERE` by `raw`, unchanged.
fn raw(event: &Value, raw: &[u8]) -> Vec<u8> {
    let text = event.to_string();
    let mut parts = text.split("\"HERE\"");
    let mut body = parts.next().unwrap().as_bytes().to_vec();
    for part in parts {
        body.extend_from_slice(raw);
        body.extend_from_slice(part.as_bytes());
    }
    body
}

fn applied(app: &TestApp, body: Vec<u8>) {
    let shown = String::from_utf8_lossy(&body[..body.len().min(600)]).into_owned();
    assert_eq!(app.send(body).status, StatusCode::OK);
    app.drain();
    assert_eq!(app.inbox().last().unwrap().1, "applied", "{shown}");
}

fn begin(app: &TestApp) {
    app.play(&[
        event("b1", "organization.created", 1, organization("org_1", 1)),
        event("b2", "dsync.activated", 1, directory("dir_1", "org_1", 1)),
        event(
            "b3",
            "dsync.user.created",
            1,
            with(user("u1", "active", 1), json!({"role": {"slug": "admin"}, "roles": null})),
        ),
        event(
            "b4",
            "dsync.group.user_added",
            2,
            membership(
                with(user("u1", "active", 1), json!({"role": {"slug": "admin"}, "roles": null})),
                group("g1", 1),
            ),
        ),
    ]);
    assert_eq!(app.brief(GROUP_MEMBERS, &["group_id", "user_id"]), ["g1 u1"]);
    assert_eq!(app.brief(USER_ROLES, &["user_id", "role_slug"]), ["u1 admin"]);
}

/// Values of a profile, a name or an attribute that a reader or a database refuses.
fn odd_values() -> Vec<Vec<u8>> {
    let deep = |n: usize| format!("{}1{}", "[".repeat(n), "]".repeat(n)).into_bytes();
    vec![
        HALF.into(),
        br#""\udc00""#.to_vec(),
        br#""nul \u0000""#.to_vec(),
        b"1e400".to_vec(),
        b"-1e400".to_vec(),
        deep(200),
        deep(20_000),
        b"[]".to_vec(),
        b"{}".to_vec(),
        b"null".to_vec(),
        b"true".to_vec(),
        br#"["member"]"#.to_vec(),
        br#"{"a":1,"a":2}"#.to_vec(),
        br#"[{"slug":"member"},{"slug":17},{"slug":null},{}]"#.to_vec(),
        format!("\"{}\"", "s".repeat(256)).into_bytes(),
        b"\"latin \xe9\"".to_vec(),
        b"\"line\nend\"".to_vec(),
    ]
}

both! {
    fn half_a_surrogate_pair_is_shown_as_the_replacement_character(app) {
        applied(app, raw(&event("e1", "dsync.user.created", 1, with(user("u1", "active", 1), json!({"name": "HERE", "custom_attributes": {"a": "HERE"}}))), HALF.as_bytes()));
        applied(app, raw(&event("e2", "dsync.group.created", 1, with(group("g1", 1), json!({"name": "HERE"}))), HALF.as_bytes()));
        applied(app, raw(&event("e3", "dsync.activated", 1, with(directory("dir_1", "org_1", 1), json!({"name": "HERE"}))), HALF.as_bytes()));
        applied(app, raw(&event("e4", "organization.created", 1, with(organization("org_1", 1), json!({"name": "HERE"}))), HALF.as_bytes()));

        for table in [USERS, GROUPS, DIRECTORIES, TENANTS] {
            assert_eq!(app.brief(table, &["name"]), ["Ada \u{fffd}"]);
        }
        assert_eq!(app.rows(USERS)[0]["custom_attributes"], json!({"a": "Ada \u{fffd}"}));
        app.assert_rebuilds();
    }
}

both! {
    fn an_id_with_half_a_surrogate_pair_is_refused_since_two_could_become_one(app) {
        let body = raw(&event("e1", "dsync.user.created", 1, with(user("u1", "active", 1), json!({"id": "HERE"}))), HALF.as_bytes());
        assert_eq!(app.send(body).status, StatusCode::OK);
        app.drain();
        assert_eq!(app.inbox()[0].1, "dead");
    }
}

both! {
    fn a_member_is_removed_whatever_the_rest_of_the_event_holds(app) {
        begin(app);
        for (n, odd) in odd_values().into_iter().enumerate() {
            let seconds = 10 + 2 * i64::try_from(n).unwrap();
            let pair = |n| membership(user("u1", "active", n), group("g1", n));
            let mut strange = pair(seconds);
            for field in ["name", "idp_id", "type", "state"] {
                strange["group"][field] = json!("HERE");
            }
            for field in ["name", "first_name", "job_title", "email", "emails", "custom_attributes", "raw_attributes", "role", "roles"] {
                strange["user"][field] = json!("HERE");
            }
            applied(app, raw(&event(&format!("r{n}"), "dsync.group.user_removed", seconds, strange), &odd));
            assert_eq!(app.brief(GROUP_MEMBERS, &["group_id"]), [""; 0], "{n}");
            app.play(&[event(&format!("a{n}"), "dsync.group.user_added", seconds + 1, pair(seconds + 1))]);
            assert_eq!(app.brief(GROUP_MEMBERS, &["group_id"]), ["g1"], "{n}");
        }
        app.assert_rebuilds();
    }
}

both! {
    fn groups_directories_and_organizations_end_whatever_their_name_is(app) {
        for (n, odd) in odd_values().into_iter().enumerate() {
            let id = |kind: &str| format!("{kind}{n}");
            let own = json!({"directory_id": id("d"), "organization_id": id("o")});
            app.play(&[
                event(&id("e1_"), "organization.created", 1, organization(&id("o"), 1)),
                event(&id("e2_"), "dsync.activated", 1, directory(&id("d"), &id("o"), 1)),
                event(&id("e3_"), "dsync.user.created", 1, with(user(&id("u"), "active", 1), own.clone())),
                event(&id("e4_"), "dsync.group.created", 1, with(group(&id("g"), 1), own.clone())),
            ]);
            let strange = json!({"name": "HERE", "type": "HERE", "domains": "HERE", "idp_id": "HERE", "created_at": "HERE"});
            let gone = with(with(group(&id("g"), 2), own), strange.clone());
            applied(app, raw(&event(&id("e5_"), "dsync.group.deleted", 2, gone), &odd));
            assert_eq!(app.brief(GROUPS, &["id"]), [""; 0]);
            let (kind, gone) = match n % 2 {
                0 => ("dsync.deleted", directory(&id("d"), &id("o"), 3)),
                _ => ("organization.deleted", organization(&id("o"), 3)),
            };
            applied(app, raw(&event(&id("e6_"), kind, 3, with(gone, strange)), &odd));
            assert!(app.brief(USERS, &["status"]).iter().all(|status| status == "inactive"), "{n}");
        }
    }
}

both! {
    fn a_demotion_is_done_whatever_the_profile_holds(app) {
        begin(app);
        for (n, odd) in odd_values().into_iter().enumerate() {
            let seconds = 10 + 2 * i64::try_from(n).unwrap();
            let strange = json!({"job_title": "HERE", "name": "HERE", "emails": "HERE", "custom_attributes": "HERE", "roles": null});
            let body = event(&format!("d{n}"), "dsync.user.updated", seconds, with(user("u1", "active", seconds), strange));
            applied(app, raw(&body, &odd));
            assert_eq!(app.brief(USER_ROLES, &["role_slug"]), ["member"], "{n}");
            let admin = with(user("u1", "active", seconds + 1), json!({"role": {"slug": "admin"}, "roles": null}));
            app.play(&[event(&format!("p{n}"), "dsync.user.updated", seconds + 1, admin)]);
            assert_eq!(app.brief(USER_ROLES, &["role_slug"]), ["admin"], "{n}");
        }
    }
}

both! {
    fn a_role_slug_that_cannot_be_a_key_grants_nothing_and_is_named_and_counted(app) {
        begin(app);
        let roles = json!([{"slug": "member"}, {"slug": "s".repeat(256)}, {"slug": "HERE"}, {"slug": ""}, {"slug": null}, "member", 17]);
        let body = event("e1", "dsync.user.updated", 9, with(user("u1", "active", 9), json!({"role": null, "roles": roles})));

        applied(app, raw(&body, HALF.as_bytes()));

        assert_eq!(app.brief(USER_ROLES, &["role_slug"]), ["member"]);
        assert_eq!(app.applier.metrics.values_left_out.get(), 1);
    }
}

both! {
    fn more_roles_than_anybody_has_are_refused_as_grants_and_the_removal_is_done(app) {
        begin(app);
        let many = |letter: char| (0..30_000).map(|n| json!({"slug": format!("{letter}{n:05}")})).collect::<Vec<_>>();
        let begun = std::time::Instant::now();
        for (id, seconds, letter) in [("e1", 8, 'b'), ("e2", 9, 'c')] {
            let roles = json!({"role": null, "roles": many(letter)});
            applied(app, event(id, "dsync.user.updated", seconds, with(user("u1", "active", seconds), roles)).to_string().into_bytes());
        }

        let held = app.brief(USER_ROLES, &["role_slug"]);

        assert_eq!((held.len(), held[0].as_str(), held[999].as_str()), (1_000, "c00000", "c00999"));
        assert_eq!(app.brief(ROLES, &["slug"]).len(), 2_001);
        assert!(begun.elapsed().as_secs() < 20, "{:?}", begun.elapsed());

        let inactive = json!({"role": null, "roles": many('d')});
        applied(app, event("e3", "dsync.user.updated", 10, with(user("u1", "inactive", 10), inactive)).to_string().into_bytes());
        assert_eq!((app.brief(USERS, &["status"]), app.rows(USER_ROLES).len()), (vec!["inactive".to_owned()], 0));
    }
}

both! {
    fn a_leaver_whose_name_cannot_be_read_is_found_by_the_address(app) {
        begin(app);

        applied(app, raw(&event("e1", "dsync.user.deleted", 9, with(user("u1", "active", 9), json!({"name": "HERE", "custom_attributes": "HERE"}))), HALF.as_bytes()));

        let found = app.database().read::<_, DbError>(|conn| {
            let ids: Vec<String> = user_lookup::named(conn, "org_1", "u1@acme.example").unwrap().into_iter().collect();
            Ok(receipts(conn, "org_1", Some(&ids), None)?)
        }).unwrap();
        assert_eq!((found.len(), found[0].email.as_deref(), found[0].name.as_deref()), (1, Some("u1@acme.example"), Some("Ada \u{fffd}")));
    }
}

both! {
    fn a_leaver_keeps_the_name_and_address_that_the_deletion_lacks(app) {
        begin(app);
        let bare = json!({"name": null, "first_name": null, "last_name": null, "email": "x".repeat(321), "idp_id": null});
        applied(app, event("e1", "dsync.user.deleted", 9, with(user("u1", "active", 1), bare)).to_string().into_bytes());

        assert_eq!(app.brief(USERS, &["id", "status", "name", "email", "email_key"])[0], "u1 inactive Given u1 u1@acme.example u1@acme.example");
        let found = app.database().read::<_, DbError>(|conn| {
            let ids: Vec<String> = user_lookup::named(conn, "org_1", "u1@acme.example").unwrap().into_iter().collect();
            Ok(receipts(conn, "org_1", Some(&ids), None)?)
        }).unwrap();
        assert_eq!((found.len(), found[0].email.as_deref()), (1, Some("u1@acme.example")));

        // A late fact from before the deletion is the last one that names the person.
        applied(app, event("e2", "dsync.user.updated", 8, with(user("u1", "active", 8), json!({"name": "Ada Later", "email": "later@acme.example"}))).to_string().into_bytes());
        assert_eq!(app.brief(USERS, &["id", "status", "name", "email"])[0], "u1 inactive Ada Later later@acme.example");
        app.assert_rebuilds();
    }
}

both! {
    fn a_deletion_without_name_does_not_show_the_name_of_a_former_bearer(app) {
        begin(app);
        let other = json!({"idp_id": "somebody-else", "email": "else@acme.example", "name": null, "first_name": null, "last_name": null});
        applied(app, event("e1", "dsync.user.deleted", 9, with(user("u1", "active", 1), other)).to_string().into_bytes());

        assert_eq!(app.brief(USERS, &["id", "status", "name", "email"])[0], "u1 inactive null else@acme.example");
        app.assert_rebuilds();
    }
}
