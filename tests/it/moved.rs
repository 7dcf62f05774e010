//! Unusual PostgreSQL set-ups: rows copied without their sequences, a role with few rights, a silent host.

use std::{
    net::TcpListener,
    time::{Duration, Instant},
};

use diesel::{RunQueryDsl, connection::SimpleConnection};
use reqwest::StatusCode;
use rosterd::{
    app::{self, Workers},
    db::{Database, DbError, Url},
    operator::database_roles::{Access, set_access},
    tables::host_tables::USERS,
};

use crate::harness::{
    Backend, TestApp, TestDatabase,
    broker::{event, user},
    database::execute,
    process::{output, rosterd},
    proxy::Proxy,
    settings,
};

fn created(n: usize) -> serde_json::Value {
    event(&format!("e{n}"), "dsync.user.created", 1, user(&format!("u{n}"), "active", 1))
}

fn restart(app: &mut TestApp) {
    assert!(app.app.take().unwrap().stop());
    app.app = Some(app::start(&app.config, app.clock.clone(), Workers::Manual).unwrap());
}

#[test]
#[cfg_attr(feature = "sqlite-only", ignore = "PostgreSQL is left out")]
fn counters_that_a_replication_left_behind_are_set_forward_at_start_and_never_back() {
    let mut app = TestApp::start(Backend::Postgres, |_| {});
    app.play(&[created(1), created(2)]);
    let url = app.store.url();

    // As a logical replication leaves them.
    for table in ["inbox", "claims", "outbox", "mails", "holds"] {
        execute(&url, &format!("ALTER TABLE rosterd_internal.{table} ALTER COLUMN id RESTART WITH 1"));
    }
    restart(&mut app);
    app.play(&[created(3)]);
    assert_eq!(app.brief(USERS, &["id"]), ["u1", "u2", "u3"]);

    // Retention has deleted the deliveries. Other tables still refer to them.
    execute(&url, "DELETE FROM rosterd_internal.inbox");
    execute(&url, "ALTER TABLE rosterd_internal.inbox ALTER COLUMN id RESTART WITH 1");
    restart(&mut app);
    app.play(&[created(4)]);
    execute(&url, "DO $$ BEGIN ASSERT (SELECT min(id) FROM rosterd_internal.inbox) > 3; END $$");

    execute(&url, "ALTER TABLE rosterd_internal.inbox ALTER COLUMN id RESTART WITH 5000");
    restart(&mut app);
    app.play(&[created(5)]);
    execute(&url, "DO $$ BEGIN ASSERT (SELECT max(id) FROM rosterd_internal.inbox) = 5000; END $$");
}

/// The URL of the same database with another user or other hosts.
fn changed(store: &TestDatabase, change: impl FnOnce(&mut String, &mut String)) -> String {
    let url = store.url();
    let (scheme, rest) = url.split_once("://").unwrap();
    let (authority, path) = rest.split_once('/').unwrap();
    let (user, host) = authority.split_once('@').unwrap_or(("", authority));
    let (mut user, mut host) = (user.to_owned(), host.to_owned());
    change(&mut user, &mut host);
    format!("{scheme}://{user}@{host}/{path}")
}

#[test]
#[cfg_attr(feature = "sqlite-only", ignore = "PostgreSQL is left out")]
fn a_role_that_may_create_nothing_starts_when_nothing_is_to_be_migrated() {
    let mut app = TestApp::start(Backend::Postgres, |_| {});
    let url = app.store.url();
    let role = format!("run_{}", std::process::id());
    execute(&url, &format!("CREATE ROLE {role} LOGIN PASSWORD 'run'"));
    set_access(app.database(), &role, Access::Service).unwrap();

    let limited = changed(&app.store, |user, _| *user = format!("{role}:run"));
    app.config.database_url = Url::parse(&limited).unwrap();
    restart(&mut app);
    app.play(&[created(1)]);
    assert_eq!(app.brief(USERS, &["id"]), ["u1"]);

    assert!(app.app.take().unwrap().stop());
    execute(&url, &format!("DROP OWNED BY {role}"));
    execute(&url, &format!("DROP ROLE {role}"));
}

#[test]
#[cfg_attr(feature = "sqlite-only", ignore = "PostgreSQL is left out")]
fn commands_work_although_the_first_of_several_hosts_accepts_and_is_silent() {
    let app = TestApp::start(Backend::Postgres, |_| {});
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let both = changed(&app.store, |_, host| *host = format!("127.0.0.1:{port},{host}"));

    let listed =
        output(rosterd().env("DATABASE_URL", both).args(["directories", "list", "--format", "json"]));

    assert!(listed.status.success(), "{}", String::from_utf8_lossy(&listed.stderr));
}

#[test]
#[cfg_attr(feature = "sqlite-only", ignore = "PostgreSQL is left out")]
fn a_connection_that_has_lost_its_settings_is_not_used_again() {
    let app = TestApp::start(Backend::Postgres, |_| {});
    let database = Database::new(&app.config.database_url, 1);
    let path = |database: &Database| {
        database
            .read::<_, DbError>(|conn| {
                let path = "current_setting('search_path')";
                Ok(diesel::select(diesel::dsl::sql::<diesel::sql_types::Text>(path)).first::<String>(conn)?)
            })
            .unwrap()
    };
    assert_eq!(path(&database), "rosterd_internal, rosterd");

    // A pooler that lends the server process to others leaves this state.
    database.read::<_, DbError>(|conn| Ok(conn.batch_execute("DISCARD ALL")?)).unwrap();
    std::thread::sleep(Duration::from_millis(1_100));

    assert_eq!(path(&database), "rosterd_internal, rosterd");
}

#[test]
#[cfg_attr(feature = "sqlite-only", ignore = "PostgreSQL is left out")]
fn reception_continues_after_connections_fell_silent_and_deliveries_stored_meanwhile_are_duplicates() {
    let store = TestDatabase::create(Backend::Postgres);
    let mut config = settings(&store);
    let mut proxy = None;
    let url = changed(&store, |_, host| {
        let server = if host.contains(':') { host.clone() } else { format!("{host}:5432") };
        let before = Proxy::before(server);
        *host = format!("127.0.0.1:{}", before.port);
        proxy = Some(before);
    });
    config.database_url = Url::parse(&url).unwrap();
    config.http.commit_timeout_seconds = 3;
    let mut app = TestApp::start_on(store, config);
    app.play(&[created(1)]);

    proxy.unwrap().silence();
    let begun = Instant::now();
    // The row is written, and the answer is lost on the way.
    assert_eq!(app.send(created(2).to_string()).status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(app.get("/readyz").status, StatusCode::SERVICE_UNAVAILABLE);

    let mut answer = app.send(created(2).to_string());
    while answer.status != StatusCode::OK && begun.elapsed() < Duration::from_secs(30) {
        answer = app.send(created(2).to_string());
    }
    assert_eq!(answer.json()["status"], "duplicate");
    app.deliver(&created(3));
    assert_eq!(app.get("/readyz").status, StatusCode::OK);
    app.drain();
    assert_eq!(app.brief(USERS, &["id"]), ["u1", "u2", "u3"]);

    let stopping = Instant::now();
    assert!(app.app.take().unwrap().stop());
    assert!(stopping.elapsed() < Duration::from_secs(10));
}
