//! Prefetched deliveries, and deliveries that are still in memory, are copies: each is applied once, by the first
//! process.

use actix_web::web::Bytes;
use diesel::connection::SimpleConnection;
use rosterd::{
    apply::{self, Batch, prefetch_batch::Prefetcher},
    broker::Source,
    db::DbError,
    inbox::{Delivery, insert::append},
    tables::host_tables::USERS,
    worker::applier::ApplyStep,
};
use serde_json::{Value, json};

use crate::{
    audit::trail,
    harness::{
        Backend, TestApp,
        broker::{event, user, with},
    },
};

fn execute(app: &TestApp, sql: &str) {
    app.database().write::<_, DbError>(|conn| Ok(conn.batch_execute(sql)?)).unwrap();
}

/// Stores deliveries like another process of this service.
fn stored_elsewhere(app: &TestApp, body: &Value) {
    let delivery = Delivery::new(Source::WorkOs, Bytes::from(body.to_string()), app.clock.now());
    append(app.database(), &[delivery]).unwrap();
}

fn joined(n: i64) -> Value {
    event(&format!("e{n}"), "dsync.user.created", n, user(&format!("u{n}"), "active", n))
}

fn ids(app: &TestApp) -> Vec<String> {
    app.brief(USERS, &["id"])
}

#[test]
fn a_delivery_that_was_just_stored_is_applied_without_being_read_again() {
    for backend in Backend::offered() {
        let app = TestApp::start(backend, |_| {});
        app.deliver(&joined(1));
        execute(&app, "UPDATE inbox SET body = substr(body, 1, 2)");

        assert_eq!(app.applier.step().unwrap(), ApplyStep::Worked);

        assert_eq!(ids(&app), ["u1"]);
    }
}

#[test]
fn deliveries_that_other_processes_stored_before_are_applied_in_the_same_step() {
    for backend in Backend::offered() {
        let app = TestApp::start(backend, |_| {});
        stored_elsewhere(&app, &joined(1));
        app.deliver(&joined(2));
        app.deliver(&joined(3));
        stored_elsewhere(&app, &joined(4));

        assert_eq!(app.applier.step().unwrap(), ApplyStep::Worked);
        assert_eq!(ids(&app), ["u1", "u2", "u3"]);

        app.drain();
        assert_eq!(ids(&app), ["u1", "u2", "u3", "u4"]);
    }
}

#[test]
fn deliveries_that_other_processes_stored_between_are_applied_while_more_arrive() {
    for backend in Backend::offered() {
        let app = TestApp::start(backend, |config| config.apply.batch_deliveries = 2);
        app.deliver(&joined(1));
        stored_elsewhere(&app, &joined(2));
        for n in 3..=7 {
            app.deliver(&joined(n));
        }

        for _ in 0..3 {
            assert_eq!(app.applier.step().unwrap(), ApplyStep::Full);
        }

        assert!(ids(&app).contains(&"u2".to_owned()), "{:?}", ids(&app));
    }
}

#[test]
fn after_a_failure_nothing_is_missing_though_memory_has_let_go_of_it() {
    for backend in Backend::offered() {
        let app = TestApp::start(backend, |_| {});
        app.deliver(&joined(1));
        execute(&app, "ALTER TABLE facts RENAME TO away");
        app.applier.step().unwrap_err();
        execute(&app, "ALTER TABLE away RENAME TO facts");

        app.drain();

        assert_eq!(ids(&app), ["u1"]);
    }
}

#[test]
fn after_a_failure_the_log_is_believed_and_not_memory() {
    for backend in Backend::offered() {
        let app = TestApp::start(backend, |config| config.apply.batch_deliveries = 1);
        // The first batch is in progress when the step fails, the second is prefetched, the third is in memory.
        for n in 1..=3 {
            app.deliver(&joined(n));
        }
        execute(&app, "ALTER TABLE facts RENAME TO away");
        app.applier.step().unwrap_err();
        execute(&app, "ALTER TABLE away RENAME TO facts");
        execute(&app, "UPDATE inbox SET body = substr(body, 1, 2) WHERE event_key <> 'e1'");

        app.drain();

        assert_eq!(ids(&app), ["u1"]);
    }
}

/// Two batches. While the first is applied the second is prefetched, and then another process is faster.
fn overtaken(backend: Backend) -> TestApp {
    let app = TestApp::start(backend, |config| config.apply.batch_deliveries = 2);
    for n in 1..=4 {
        let user = user(&format!("u{n}"), "active", n);
        app.send(event(&format!("e{n}"), "dsync.user.created", n, user).to_string());
    }
    assert_eq!(app.applier.step().unwrap(), ApplyStep::Full);
    assert!(!app.applier.prefetcher.is_empty(), "the second batch is read");

    let (batch, another) = (Batch::default(), Prefetcher::default());
    app.send(
        event(
            "e5",
            "dsync.user.updated",
            9,
            with(user("u3", "active", 9), json!({"email": "new@acme.example"})),
        )
        .to_string(),
    );
    while apply::step(app.database(), &app.config.rules(), batch, &another, app.clock.now())
        .unwrap()
        .deliveries
        > 0
    {}
    app
}

#[test]
fn an_idle_process_forgets_deliveries_that_another_process_applied() {
    for backend in Backend::offered() {
        let app = overtaken(backend);

        assert_eq!(app.applier.step().unwrap(), ApplyStep::Idle);

        assert!(app.applier.prefetcher.is_empty());
    }
}

#[test]
fn deliveries_applied_by_another_process_are_not_applied_again_and_delay_nothing() {
    for backend in Backend::offered() {
        let app = overtaken(backend);
        let before = trail(&app, "org_1").len();
        app.send(event("e6", "dsync.user.created", 6, user("u6", "active", 6)).to_string());

        assert_eq!(app.applier.step().unwrap(), ApplyStep::Worked);

        assert_eq!(trail(&app, "org_1").len(), before + 1, "of u6 alone");
        let emails = app.brief(USERS, &["id", "email"]);
        assert!(emails.contains(&"u3 new@acme.example".to_owned()), "{emails:?}");
        assert!(emails.iter().any(|row| row.starts_with("u6 ")), "{emails:?}");
        assert_eq!(app.applier.step().unwrap(), ApplyStep::Idle);
    }
}
