//! What is read ahead is only read: it is applied once, by whoever is first.

use rosterd::{
    apply::{self, Batch, ahead::Ahead},
    tables::host::USERS,
    worker::applier::Step,
};
use serde_json::json;

use crate::{
    audit::trail,
    harness::{
        Backend, TestApp,
        broker::{event, user, with},
    },
};

/// Two batches of which the first is applied, and the second read meanwhile; then another process is faster.
fn overtaken(backend: Backend) -> TestApp {
    let app = TestApp::start(backend, |config| config.apply.batch_deliveries = 2);
    for n in 1..=4 {
        let user = user(&format!("u{n}"), "active", n);
        app.send(event(&format!("e{n}"), "dsync.user.created", n, user).to_string());
    }
    assert_eq!(app.applier.step().unwrap(), Step::Full);
    assert!(!app.applier.ahead.is_empty(), "the second batch is read");

    let (batch, another) = (Batch::default(), Ahead::default());
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
fn what_another_process_applied_is_forgotten_by_an_idle_one() {
    for backend in Backend::offered() {
        let app = overtaken(backend);

        assert_eq!(app.applier.step().unwrap(), Step::Idle);

        assert!(app.applier.ahead.is_empty());
    }
}

#[test]
fn what_another_process_applied_is_not_applied_again_and_holds_up_nothing() {
    for backend in Backend::offered() {
        let app = overtaken(backend);
        let before = trail(&app, "org_1").len();
        app.send(event("e6", "dsync.user.created", 6, user("u6", "active", 6)).to_string());

        assert_eq!(app.applier.step().unwrap(), Step::Worked);

        assert_eq!(trail(&app, "org_1").len(), before + 1, "of u6 alone");
        let emails = app.brief(USERS, &["id", "email"]);
        assert!(emails.contains(&"u3 new@acme.example".to_owned()), "{emails:?}");
        assert!(emails.iter().any(|row| row.starts_with("u6 ")), "{emails:?}");
        assert_eq!(app.applier.step().unwrap(), Step::Idle);
    }
}
