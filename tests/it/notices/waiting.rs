//! Deliveries that wait for long are reported, for any cause.

use diesel::connection::SimpleConnection;
use rosterd::{db::DbError, tables::host_tables::USERS};

use super::{Office, created, deleted};
use crate::harness::{TestApp, TestDatabase, both};

/// A trigger of the application refuses every change of a user, with an unknown message.
fn refuse_everything(app: &TestApp, on: bool) {
    let sql = match (&app.store, on) {
        (TestDatabase::Sqlite(_), true) => {
            "CREATE TRIGGER closed BEFORE UPDATE ON users BEGIN SELECT RAISE(ABORT, 'closed today'); END"
        }
        (TestDatabase::Sqlite(_), false) => "DROP TRIGGER closed",
        (TestDatabase::Postgres { .. }, true) => {
            "CREATE FUNCTION closed() RETURNS trigger AS $$ BEGIN RAISE EXCEPTION 'closed today'; END $$ LANGUAGE plpgsql; \
             CREATE TRIGGER closed BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION closed()"
        }
        (TestDatabase::Postgres { .. }, false) => "DROP TRIGGER closed ON users",
    };
    app.database().write::<_, DbError>(|conn| Ok(conn.batch_execute(sql)?)).unwrap();
}

both! {
    fn deliveries_that_all_fail_become_no_dead_letters_and_the_operator_is_notified_once_a_day(app) {
        let office = Office::of(app);
        let people: Vec<String> = (0..4).map(|n| format!("u{n}")).collect();
        app.play(&people.iter().map(|id| created(id)).collect::<Vec<_>>());
        office.send(app);
        refuse_everything(app, true);
        for id in &people {
            app.deliver(&deleted(id, 9));
        }
        let notified = |app: &TestApp| app.noticed("deliveries_wait").len();
        let minutes = |app: &TestApp, count: usize| {
            for _ in 0..count {
                app.clock.advance_seconds(60);
                drop(app.applier.step());
                office.send(app);
            }
        };
        minutes(app, 29);
        assert_eq!(notified(app), 0);
        minutes(app, 10);
        assert_eq!(notified(app), 1);
        let subjects: Vec<String> = office.mails().iter().filter_map(|mail| mail.header("Subject").map(str::to_owned)).collect();
        assert!(subjects.iter().any(|subject| subject.contains("4 deliveries wait")), "{subjects:?}");
        minutes(app, 60);
        assert_eq!(notified(app), 1, "once a day");
        app.clock.advance_seconds(86_400);
        minutes(app, 10);
        assert_eq!(notified(app), 2);

        refuse_everything(app, false);
        minutes(app, 1);
        app.drain();
        assert_eq!(app.brief(USERS, &["status"]), ["inactive"; 4]);
        assert_eq!(app.noticed("delivery_given_up"), Vec::<String>::new());
        minutes(app, 60);
        assert_eq!(notified(app), 2, "nothing waits");
    }
}
