//! One event id changes the tables once (promise 2; lessons 15, 18).

use std::{sync::Barrier, thread};

use actix_web::web::Bytes;
use reqwest::StatusCode;
use rosterd::{
    broker::Source,
    db::{Database, Url},
    inbox::{Delivery, Stored, insert::append},
    tables::host_tables::USERS,
};
use serde_json::json;

use crate::harness::{
    Backend, TestApp, both,
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

#[test]
fn processes_that_store_the_same_events_at_once_store_each_of_them_once() {
    for backend in Backend::offered() {
        let app = TestApp::start(backend, |_| {});
        let url = Url::parse(&app.store.url()).unwrap();
        let processes: Vec<Database> = (0..3).map(|_| Database::new(&url, 1)).collect();
        let barrier = Barrier::new(processes.len());
        for round in 0..20 {
            let deliveries: Vec<Delivery> = (0..100)
                .map(|n| event(&format!("e{round}_{n}"), "dsync.user.created", 1, user("u1", "active", 1)))
                .map(|event| Delivery::new(Source::WorkOs, Bytes::from(event.to_string()), app.clock.now()))
                .collect();
            let store = |database| {
                barrier.wait();
                append(database, &deliveries).unwrap()
            };
            let answers: Vec<Vec<Stored>> = thread::scope(|scope| {
                let threads: Vec<_> =
                    processes.iter().map(|process| scope.spawn(|| store(process))).collect();
                threads.into_iter().map(|thread| thread.join().unwrap()).collect()
            });

            for n in 0..deliveries.len() {
                let accepted = answers.iter().filter(|stored| matches!(stored[n], Stored::Accepted { .. }));
                assert_eq!(accepted.count(), 1, "event {n} of round {round}: {answers:?}");
            }
        }
    }
}

both! {
    fn a_delivery_that_cannot_be_understood_is_stored_once_too(app) {
        for expected in ["accepted", "duplicate"] {
            assert_eq!(app.send("not an event").json(), json!({"status": expected}));
        }

        let inbox = app.inbox();

        assert_eq!(inbox.len(), 1);
        assert_eq!(inbox[0].1, "dead");
    }
}

both! {
    fn a_delivery_larger_than_a_batch_is_a_batch_of_its_own(app, |config| config.apply.batch_bytes = 1) {
        for n in 1..=3 {
            app.deliver(&event(&format!("e{n}"), "dsync.user.created", 1, user(&format!("u{n}"), "active", 1)));
        }
        // They are not in memory any more, so they are read from the table.
        app.app.as_ref().unwrap().recent.forget();
        app.drain();
        assert_eq!(app.brief(USERS, &["id"]), ["u1", "u2", "u3"]);
    }
}
