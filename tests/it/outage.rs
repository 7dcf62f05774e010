//! The database becomes unavailable and returns.

use reqwest::StatusCode;
use rosterd::{
    app::{self, Workers},
    tables::host_tables::USERS,
};

use crate::harness::{
    TestApp, TestDatabase, both,
    broker::{event, user},
};

fn created(n: usize) -> serde_json::Value {
    event(&format!("e{n}"), "dsync.user.created", 1, user(&format!("u{n}"), "active", 1))
}

both! {
    fn a_delivery_that_cannot_be_stored_gets_503_with_retry_after_and_no_acknowledged_one_is_lost(app) {
        app.deliver(&created(1));

        take_away(app);
        let answer = app.send(created(2).to_string());
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(answer.retry_after.as_deref(), Some("5"));
        assert_eq!(answer.problem(), "not-durable");
        assert_eq!(app.get("/readyz").status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(app.get("/healthz").status, StatusCode::OK);

        give_back(app);
        // Without a restart.
        app.deliver(&created(2));
        app.drain();
        assert_eq!(app.brief(USERS, &["id"]), ["u1", "u2"]);
        assert_eq!(app.get("/readyz").status, StatusCode::OK);
    }
}

/// PostgreSQL: all connections are closed and no new one is allowed. SQLite: the tables are renamed, which looks like a
/// replaced file or a failing disk.
fn take_away(app: &TestApp) {
    match &app.store {
        TestDatabase::Postgres { server, name } => {
            crate::harness::database::execute(
                server,
                &format!("ALTER DATABASE {name} ALLOW_CONNECTIONS false"),
            );
            crate::harness::database::execute(
                server,
                &format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"),
            );
        }
        TestDatabase::Sqlite(_) => rename(app, "inbox", "inbox_away"),
    }
}

fn give_back(app: &TestApp) {
    match &app.store {
        TestDatabase::Postgres { server, name } => {
            crate::harness::database::execute(
                server,
                &format!("ALTER DATABASE {name} ALLOW_CONNECTIONS true"),
            );
        }
        TestDatabase::Sqlite(_) => rename(app, "inbox_away", "inbox"),
    }
}

fn rename(app: &TestApp, from: &str, to: &str) {
    use diesel::{Connection, RunQueryDsl, SqliteConnection, sql_query};
    let path = app.store.url().trim_start_matches("sqlite://").to_owned();
    let mut file = SqliteConnection::establish(&path).unwrap();
    sql_query("PRAGMA busy_timeout = 5000").execute(&mut file).unwrap();
    sql_query(format!("ALTER TABLE {from} RENAME TO {to}")).execute(&mut file).unwrap();
}

both! {
    fn a_service_started_again_goes_on_where_the_last_one_was(app) {
        for n in 0..5 {
            app.deliver(&created(n));
        }
        // The service stops while everything is in the queue.
        assert!(app.app.take().unwrap().stop());

        app.app = Some(app::start(&app.config, app.clock.clone(), Workers::Manual).unwrap());
        app.drain();

        assert_eq!(app.brief(USERS, &["id"]).len(), 5);
    }
}
