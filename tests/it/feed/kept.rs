//! How long records are stored, for whom, and what an erasure leaves of them.

use rosterd::{
    db::DbError,
    feed::{
        consumers,
        head::{self, FeedHead},
        read::{self, ReadError},
        retention::FeedRetention,
    },
    operator::{erase::erase, manual_roles::OperatorAt},
    retention::{self, Retention},
};
use serde_json::{Value, json};

use super::{brief, member, records};
use crate::harness::{
    TestApp, both,
    broker::{event, user, with},
};

const DAY: i64 = 24 * 3_600;

const SHORT: Retention =
    Retention { delivery_days: 0, event_id_days: 0, changes: FeedRetention { days: 30, most_days: 90 } };

fn compact(app: &TestApp) -> (usize, Vec<String>) {
    let step = retention::step(app.database(), SHORT, app.clock.now()).unwrap();
    (step.changes.deleted, step.changes.overtaken)
}

fn ends(app: &TestApp) -> FeedHead {
    app.database().read::<_, DbError>(|conn| Ok(head::get(conn)?)).unwrap()
}

fn consume(app: &TestApp, name: &str, seq: i64) {
    let now = app.clock.now();
    let write =
        |conn: &mut _| Ok(consumers::add(conn, name, seq, now)? || consumers::confirm(conn, name, seq, now)?);
    assert!(app.database().write::<_, DbError>(write).unwrap());
}

// Whoever begins with a shortened feed reads the tables first, so its records alone do not give them.
fn shortened(run: impl Fn(&TestApp)) {
    for backend in crate::harness::Backend::offered() {
        let app = TestApp::start(backend, |_| {});
        run(&app);
        app.assert_rebuilds();
    }
}

#[test]
fn old_records_go_from_the_beginning_and_a_reader_of_them_is_told_where_to_begin() {
    shortened(|app| {
        member(app);
        app.clock.advance_seconds(29 * DAY);
        app.play(&[event("u2", "dsync.user.created", 20, user("u2", "active", 20))]);
        assert_eq!(compact(app), (0, vec![]));
        app.clock.advance_seconds(2 * DAY);

        assert_eq!(compact(app), (7, vec![]));

        assert_eq!(ends(app), FeedHead { seq: 9, first_seq: 8 });
        assert_eq!(brief(app, 0), ["user.created u2", "role.granted member u2"]);
        let error = read::page(app.database(), 7, None, 10).unwrap_err();
        assert!(matches!(error, ReadError::Trimmed { from: 7, first_seq: 8 }), "{error}");
        assert!(error.to_string().contains("continue with --from 8"), "{error}");
        // Numbers go on when all records are gone.
        app.clock.advance_seconds(31 * DAY);
        assert_eq!((compact(app).0, ends(app)), (2, FeedHead { seq: 9, first_seq: 10 }));
        assert_eq!(read::page(app.database(), 10, None, 10).unwrap().records, vec![]);
        app.play(&[event("u3", "dsync.user.created", 21, user("u3", "active", 21))]);
        assert_eq!(records(app.database())[0].seq, 10);
    });
}

#[test]
fn records_wait_for_a_consumer_but_not_for_ever() {
    shortened(|app| {
        member(app);
        consume(app, "billing", 7);
        consume(app, "search", 3);
        app.clock.advance_seconds(31 * DAY);
        assert_eq!(compact(app), (3, vec![]));
        assert_eq!(compact(app), (0, vec![]));

        app.clock.advance_seconds(60 * DAY);
        assert_eq!(compact(app), (4, vec!["search".to_owned()]));

        // It is told once, and holds nothing back any more.
        app.play(&[event("u2", "dsync.user.created", 20, user("u2", "active", 20))]);
        app.clock.advance_seconds(31 * DAY);
        assert_eq!(compact(app), (0, vec![]), "billing has not confirmed them");
        consume(app, "billing", 9);
        assert_eq!(compact(app), (2, vec![]));
    });
}

both! {
    fn an_erasure_takes_the_person_out_of_all_records_and_they_still_give_the_tables(app) {
        member(app);
        let secret = |state: &str, at: i64| {
            with(user("u7", state, at), json!({
                "idp_id": "secret-7", "email": "secret@acme.example", "first_name": "Secret", "last_name": "Name",
                "custom_attributes": {"nick": "Secret"},
            }))
        };
        app.play(&[event("e1", "dsync.user.created", 20, secret("active", 20))]);
        app.play(&[event("e2", "dsync.user.deleted", 30, secret("active", 20))]);
        let before = records(app.database());
        let text = |all: &[_]| serde_json::to_string(all).unwrap().to_lowercase();
        assert!(text(&before).contains("secret"));

        let by = OperatorAt { name: "ada", now: app.clock.now() };
        let erased = erase(app.database(), &app.config.rules(), "org_1", "u7", by).unwrap();

        let after = records(app.database());
        assert!(!text(&after).contains("secret"), "{}", text(&after));
        let of_person = before.iter().filter(|record| record.subject["user_id"] == "u7").count();
        assert_eq!(erased.changes, of_person);
        assert_eq!(after.len(), before.len() + 1);
        for (was, is) in before.iter().zip(&after) {
            assert_eq!((was.seq, &was.kind, &was.subject, &was.at), (is.seq, &is.kind, &is.subject, &is.at));
        }
        let last = after.last().unwrap();
        assert_eq!((last.kind.as_str(), &last.cause), ("user.erased", &json!({"operator": "ada"})));
        assert_eq!((&last.after["email"], &last.after["status"]), (&Value::Null, &json!("inactive")));
    }
}
