//! A bad event affects only itself (lesson 16).

use rosterd::{apply::one_by_one::MOST_ATTEMPTS, db::DbError, tables::host_tables::USERS};
use serde_json::{Value, json};

use crate::harness::{
    Backend, TestApp, TestDatabase, both,
    broker::{event, user, with},
};

fn execute(app: &TestApp, sql: &str) {
    use diesel::connection::SimpleConnection;
    app.database().write::<_, DbError>(|conn| Ok(conn.batch_execute(sql)?)).unwrap();
}

fn created(id: &str, email: &str) -> Value {
    event(&format!("e_{id}"), "dsync.user.created", 1, with(user(id, "active", 1), json!({"email": email})))
}

fn state(app: &TestApp, event: &str) -> String {
    app.inbox().into_iter().find(|(id, _)| id == event).unwrap().1
}

both! {
    fn only_the_event_that_the_database_refuses_becomes_a_dead_letter_and_it_can_be_retried(app) {
        // An application that has added a constraint to our table.
        execute(app, "CREATE UNIQUE INDEX host_email ON users (tenant_id, email)");
        app.play(&[created("u1", "shared@acme.example")]);

        app.play(&[
            created("u2", "own@acme.example"),
            created("u3", "shared@acme.example"),
            event("e_leaver", "dsync.user.deleted", 9, with(user("u1", "active", 1), json!({"email": "shared@acme.example"}))),
            created("u4", "other@acme.example"),
        ]);

        assert_eq!(app.brief(USERS, &["id", "status"]), ["u1 inactive", "u2 active", "u4 active"]);
        assert_eq!(state(app, "e_u3"), "dead");
        let letters = app.database().read::<_, DbError>(|conn| {
            Ok(rosterd::inbox::listing::list(conn, Some(rosterd::inbox::listing::DeliveryState::Dead), 10)?)
        }).unwrap();
        assert_eq!((letters.len(), letters[0].reason.as_deref(), letters[0].attempts), (1, Some("refused"), 1));

        execute(app, "DROP INDEX host_email");
        assert!(app.database().write_serialized::<_, DbError>(|conn| Ok(rosterd::inbox::dead_letters::retry(conn, letters[0].id)?)).unwrap());
        app.drain();
        assert_eq!(app.brief(USERS, &["id"]), ["u1", "u2", "u3", "u4"]);
    }
}

fn refuse_for_now(app: &TestApp) {
    execute(
        app,
        match app.store {
            TestDatabase::Sqlite(_) => {
                "CREATE TRIGGER busy BEFORE INSERT ON users WHEN NEW.id = 'u_stuck' BEGIN SELECT RAISE(ABORT, 'busy for now'); END"
            }
            TestDatabase::Postgres { .. } => {
                "CREATE FUNCTION busy() RETURNS trigger AS $$ BEGIN IF NEW.id = 'u_stuck' THEN RAISE EXCEPTION 'busy for now'; \
             END IF; RETURN NEW; END $$ LANGUAGE plpgsql; \
             CREATE TRIGGER busy BEFORE INSERT ON users FOR EACH ROW EXECUTE FUNCTION busy()"
            }
        },
    );
}

/// Works like the worker, which continues after a failure.
fn work(app: &TestApp) {
    for _ in 0..6 {
        drop(app.applier.step());
    }
}

both! {
    fn an_event_that_fails_repeatedly_waits_longer_each_time_delays_no_other_and_becomes_a_dead_letter(app) {
        refuse_for_now(app);
        app.deliver(&created("u_stuck", "stuck@acme.example"));
        app.deliver(&created("u1", "u1@acme.example"));

        work(app);

        assert_eq!((app.brief(USERS, &["id"]), state(app, "e_u_stuck")), (vec!["u1".to_owned()], "pending".to_owned()));
        for attempt in 2..=MOST_ATTEMPTS {
            app.clock.advance_seconds(3_600);
            app.deliver(&created(&format!("u{attempt}"), &format!("u{attempt}@acme.example")));
            work(app);
            assert!(app.brief(USERS, &["id"]).contains(&format!("u{attempt}")), "held up at attempt {attempt}");
        }
        assert_eq!(state(app, "e_u_stuck"), "dead");
        assert!(app.get("/metrics").body.contains("rosterd_dead_letters 1"));
    }
}

both! {
    fn an_event_that_fails_for_a_while_is_applied_when_the_cause_has_passed(app) {
        refuse_for_now(app);
        app.deliver(&created("u_stuck", "stuck@acme.example"));
        work(app);

        execute(app, if matches!(app.store, TestDatabase::Sqlite(_)) { "DROP TRIGGER busy" } else { "DROP TRIGGER busy ON users" });
        app.clock.advance_seconds(60);
        app.drain();

        assert_eq!(app.brief(USERS, &["id", "status"]), ["u_stuck active"]);
    }
}

/// The database reports trouble of its own whenever this one user is written.
fn fail_as_if(app: &TestApp, trouble: &str) {
    execute(
        app,
        &match app.store {
            TestDatabase::Sqlite(_) => format!(
                "CREATE TRIGGER trouble BEFORE INSERT ON users WHEN NEW.id = 'u_stuck' BEGIN SELECT RAISE(ABORT, '{trouble}'); END"
            ),
            TestDatabase::Postgres { .. } => format!(
                "CREATE FUNCTION trouble() RETURNS trigger AS $$ BEGIN IF NEW.id = 'u_stuck' THEN {trouble}; \
                 END IF; RETURN NEW; END $$ LANGUAGE plpgsql; \
                 CREATE TRIGGER trouble BEFORE INSERT ON users FOR EACH ROW EXECUTE FUNCTION trouble()"
            ),
        },
    );
}

/// A leaver in the same batch is applied at the first moment after the trouble, however long it lasts.
fn passes_without_a_mark_on_anybody(app: &TestApp, trouble: &str) {
    app.play(&[created("u1", "u1@acme.example")]);
    fail_as_if(app, trouble);
    app.deliver(&created("u_stuck", "stuck@acme.example"));
    app.deliver(&event("e_leaver", "dsync.user.deleted", 9, user("u1", "active", 1)));
    for _ in 0..=MOST_ATTEMPTS {
        app.clock.advance_seconds(3_600);
        work(app);
    }
    assert_eq!(state(app, "e_u_stuck"), "pending");

    let on_users = if matches!(app.store, TestDatabase::Sqlite(_)) { "" } else { " ON users" };
    execute(app, &format!("DROP TRIGGER trouble{on_users}"));
    app.drain();

    assert_eq!(app.brief(USERS, &["id", "status"]), ["u1 inactive", "u_stuck active"]);
}

both! {
    fn a_full_disk_is_held_against_no_delivery_and_delays_no_leaver_once_there_is_room(app) {
        let trouble = match app.store {
            TestDatabase::Sqlite(_) => "database or disk is full",
            TestDatabase::Postgres { .. } => {
                r#"RAISE EXCEPTION 'could not extend file "base/5/1259": No space left on device' USING ERRCODE = '53100'"#
            }
        };
        passes_without_a_mark_on_anybody(app, trouble);
    }
}

#[test]
#[cfg_attr(feature = "sqlite-only", ignore = "PostgreSQL is left out")]
fn connections_cut_in_the_middle_of_every_batch_are_held_against_no_delivery() {
    let app = TestApp::start(Backend::Postgres, |_config| {});
    passes_without_a_mark_on_anybody(&app, "PERFORM pg_terminate_backend(pg_backend_pid())");
}

both! {
    fn an_applications_trigger_whose_error_mentions_locks_and_writing_delays_no_other_event(app) {
        let words = "this mailbox is locked: could not write to it, out of memory";
        let trouble = match app.store {
            TestDatabase::Sqlite(_) => words.to_owned(),
            TestDatabase::Postgres { .. } => format!("RAISE EXCEPTION '{words}'"),
        };
        fail_as_if(app, &trouble);
        app.deliver(&created("u_stuck", "stuck@acme.example"));
        app.deliver(&created("u1", "u1@acme.example"));

        work(app);

        assert_eq!(app.brief(USERS, &["id"]), ["u1"]);
    }
}
