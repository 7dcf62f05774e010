//! One event id changes the tables once (promise 2; lessons 15, 18).

use reqwest::StatusCode;
use rosterd::tables::host::USERS;
use serde_json::json;

use crate::harness::{
    both,
    broker::{event, user, with},
};

both! {
    fn a_second_delivery_of_an_event_is_answered_duplicate_and_changes_nothing(app) {
        let created = event("e1", "dsync.user.created", 1, user("u1", "active", 1));
        app.play(std::slice::from_ref(&created));
        let before = app.rows(USERS);

        let answer = app.send(created.to_string());
        app.drain();

        assert_eq!((answer.status, answer.json()), (StatusCode::OK, json!({"status": "duplicate"})));
        assert_eq!(app.rows(USERS), before);
        assert_eq!(app.inbox(), [("e1".to_owned(), "applied".to_owned())]);
    }
}

both! {
    fn the_id_is_the_key_even_when_the_body_differs(app) {
        app.play(&[event("e1", "dsync.user.created", 1, user("u1", "active", 1))]);

        let forged = event("e1", "dsync.user.updated", 9, with(user("u1", "inactive", 9), json!({"email": "x@y.example"})));
        let answer = app.send(forged.to_string());
        app.drain();

        assert_eq!(answer.json(), json!({"status": "duplicate"}));
        assert_eq!(app.brief(USERS, &["id", "status"]), ["u1 active"]);
    }
}

both! {
    fn a_delivery_repeated_at_another_time_with_another_signature_is_the_same_event(app) {
        let created = event("e1", "dsync.user.created", 1, user("u1", "active", 1));
        app.deliver(&created);

        app.clock.advance_seconds(3 * 24 * 3600);
        let answer = app.send(created.to_string());

        assert_eq!(answer.json(), json!({"status": "duplicate"}));
    }
}

both! {
    fn what_cannot_be_understood_is_kept_once_too(app) {
        for expected in ["accepted", "duplicate"] {
            assert_eq!(app.send("not an event").json(), json!({"status": expected}));
        }

        let inbox = app.inbox();

        assert_eq!(inbox.len(), 1);
        assert_eq!(inbox[0].1, "dead");
    }
}
