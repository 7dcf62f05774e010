//! Signed bodies that break the contract: the documented answer, nothing lost, and the service continues.

use reqwest::StatusCode;
use rosterd::tables::host_tables::USERS;
use serde_json::{Value, json};

use crate::harness::{
    TestApp, both,
    broker::{event, user, with},
};

/// Sends it, applies it, and returns its state.
fn ends(app: &TestApp, body: impl Into<Vec<u8>>) -> String {
    let before = app.inbox().len();
    let answer = app.send(body);
    assert_eq!((answer.status, answer.json()), (StatusCode::OK, json!({"status": "accepted"})));
    app.drain();
    let inbox = app.inbox();
    assert_eq!(inbox.len(), before + 1);
    inbox[before].1.clone()
}

fn still_serves(app: &TestApp) {
    let id = format!("after_{}", app.inbox().len());
    assert_eq!(
        ends(app, event(&id, "dsync.user.created", 1, user("u_after", "active", 1)).to_string()),
        "applied"
    );
}

both! {
    fn bodies_that_are_no_event_are_dead_letters(app) {
        let bodies: Vec<Vec<u8>> = vec![
            b"".to_vec(),
            b"{".to_vec(),
            br#"{"id":"e1","event":"dsync.user.created","data":{"id":"u"#.to_vec(),
            b"[]".to_vec(),
            br#"[{"id":"e1","event":"dsync.user.created"}]"#.to_vec(),
            // serde would read a list of values as the fields of a struct.
            br#"["e1","dsync.user.created"]"#.to_vec(),
            br#"["e1","dsync.user.deleted","2026-01-15T12:00:00Z",{}]"#.to_vec(),
            b"null".to_vec(),
            b"\0\0\0".to_vec(),
            vec![0xff, 0xfe, b'{', b'}'],
            br#"{"event":"dsync.user.created","data":{}}"#.to_vec(),
            br#"{"id":17,"event":"dsync.user.created","data":{}}"#.to_vec(),
            br#"{"id":"","event":"dsync.user.created","data":{}}"#.to_vec(),
            br#"{"id":"a\u0000b","event":"dsync.user.created","data":{}}"#.to_vec(),
            b"\xef\xbb\xbf{}".to_vec(),
            b"[".repeat(200_000),
            br#"{"a":"#.repeat(100_000),
            event(&"i".repeat(10_000), "dsync.user.created", 1, user("u1", "active", 1)).to_string().into_bytes(),
        ];

        for body in bodies {
            assert_eq!(ends(app, body.clone()), "dead", "{:?}", String::from_utf8_lossy(&body[..body.len().min(60)]));
        }
        assert_eq!(app.rows(USERS), Vec::<serde_json::Map<_, _>>::new());
        still_serves(app);
    }
}

both! {
    fn events_whose_data_is_not_understood_are_dead_letters_with_a_reason(app) {
        let long = "x".repeat(10_000);
        let bad = [
            json!(null),
            json!([]),
            json!("u1"),
            with(user("u1", "active", 1), json!({"id": null})),
            with(user("u1", "active", 1), json!({"id": ""})),
            with(user("u1", "active", 1), json!({"id": long})),
            with(user("u1", "active", 1), json!({"id": "nul\u{0}"})),
            with(user("u1", "active", 1), json!({"directory_id": null})),
        ];

        for (n, data) in bad.into_iter().enumerate() {
            let body = event(&format!("e{n}"), "dsync.user.created", 1, data).to_string();
            assert_eq!(ends(app, body.clone()), "dead", "{body:.200}");
        }
        assert_eq!(app.rows(USERS), Vec::<serde_json::Map<_, _>>::new());
        still_serves(app);
    }
}

both! {
    fn odd_profile_values_do_not_stop_an_event(app) {
        let odd = with(user("u1", "active", 1), json!({
            "email": null, "first_name": 17, "last_name": {"a": []}, "name": "N\u{0}UL", "idp_id": null,
            "job_title": ["x"], "username": true, "emails": "none", "roles": null, "role": null,
            "custom_attributes": {"k\u{0}ey": "v\u{0}", "deep": {"n": [1, 2.5, null]}, "Ünïcode": "☃"},
            "unknown_field": {"anything": [1]},
        }));
        assert_eq!(ends(app, event("e1", "dsync.user.created", 1, odd).to_string()), "applied");

        let row = &app.rows(USERS)[0];

        assert_eq!((row["name"].as_str(), &row["email"], &row["first_name"]), (Some("N\u{fffd}UL"), &Value::Null, &Value::Null));
        assert_eq!(
            row["custom_attributes"],
            json!({"k\u{fffd}ey": "v\u{fffd}", "deep": {"n": [1, 2.5, null]}, "Ünïcode": "☃"})
        );
        still_serves(app);
    }
}

both! {
    fn the_primary_address_is_found_where_that_is_written_as_a_text(app) {
        let emails = json!([{"value": "old@acme.example", "primary": "False"}, {"value": "new@acme.example", "primary": "True"}]);
        let written = with(user("u1", "active", 1), json!({"email": null, "emails": emails}));

        assert_eq!(ends(app, event("e1", "dsync.user.created", 1, written).to_string()), "applied");

        assert_eq!(app.brief(USERS, &["email"]), ["new@acme.example"]);
    }
}

both! {
    fn values_of_any_length_are_cut_or_left_out_and_not_refused(app) {
        let long = with(user("u1", "active", 1), json!({
            "email": format!("{}@x.example", "a".repeat(5_000)), "name": "ü".repeat(5_000), "idp_id": "i".repeat(5_000),
            "job_title": "j".repeat(100_000),
        }));
        assert_eq!(ends(app, event("e1", "dsync.user.created", 1, long).to_string()), "applied");

        let row = &app.rows(USERS)[0];

        assert_eq!(row["name"].as_str().unwrap().chars().count(), 1_024);
        // A part of an address or id could be that of another person.
        assert_eq!((&row["email"], &row["idp_id"]), (&Value::Null, &Value::Null));
    }
}

both! {
    fn a_leaver_leaves_even_when_the_rest_of_the_snapshot_is_unreadable(app) {
        app.play(&[event("e1", "dsync.user.created", 1, user("u1", "active", 1))]);
        let unreadable = with(user("u1", "inactive", 2), json!({"custom_attributes": [], "roles": "none"}));

        assert_eq!(ends(app, event("e2", "dsync.user.updated", 2, unreadable).to_string()), "applied");

        assert_eq!(app.brief(USERS, &["id", "status"]), ["u1 inactive"]);
        assert_eq!(app.notices(), ["u1"]);
    }
}

both! {
    fn nesting_as_deep_as_the_limit_allows_does_no_harm(app) {
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        let body = event("e1", "dsync.user.created", 1, with(user("u1", "active", 1), json!({"custom_attributes": {"deep": "HERE"}})))
            .to_string()
            .replace("\"HERE\"", &deep);
        assert_eq!(ends(app, body), "applied");
        assert_eq!(app.rows(USERS)[0]["custom_attributes"], json!({}));

        let ignored = event("e2", "dsync.user.created", 1, with(user("u2", "active", 1), json!({"raw_attributes": "HERE"})))
            .to_string()
            .replace("\"HERE\"", &deep);
        assert_eq!(ends(app, ignored), "applied");
        still_serves(app);
    }
}

both! {
    fn numbers_and_escapes_that_a_database_could_refuse_are_taken_or_left_out(app) {
        for (n, raw) in ["1e999", "-0.0", "123456789012345678901234567890", r#""\ud800""#, r#""\u0000""#].iter().enumerate() {
            let body = event(&format!("e{n}"), "dsync.user.created", 1,
                with(user(&format!("u{n}"), "active", 1), json!({"custom_attributes": {"v": "HERE"}})))
                .to_string()
                .replace("\"HERE\"", raw);
            assert_eq!(ends(app, body), "applied", "{raw}");
        }
        let stored: Vec<Value> = app.rows(USERS).iter().map(|row| row["custom_attributes"].clone()).collect();
        assert_eq!([&stored[0], &stored[3], &stored[4]], [&json!({}), &json!({"v": "\u{fffd}"}), &json!({"v": "\u{fffd}"})]);
        still_serves(app);
    }
}

both! {
    fn events_of_unknown_types_are_stored_and_marked_ignored(app) {
        for kind in ["user.created", "dsync.token.created", "dsync.deactivated", "dsync.group.member_frobnicated", "x"] {
            assert_eq!(ends(app, event(kind, kind, 1, json!({"any": "thing"})).to_string()), "ignored", "{kind}");
        }
    }
}
