//! A fault of the database never counts against a delivery, in any language of the server. When the fault is over,
//! everything is applied within a minute without an operator.

use diesel::{
    Connection, PgConnection, QueryableByName, RunQueryDsl, connection::SimpleConnection, sql_query,
    sql_types::Text,
};
use rosterd::{
    db::Url,
    operator::database_roles::{Access, set_access},
    tables::host_tables::USERS,
};
use serde_json::Value;

use crate::harness::{
    Backend, TestApp, TestDatabase,
    broker::{event, user},
    database::execute,
    server::Server,
    settings,
};

const PEOPLE: usize = 9;

fn created(n: usize) -> Value {
    event(&format!("e{n}"), "dsync.user.created", 1, user(&format!("u{n}"), "active", 1))
}

fn left(n: usize) -> Value {
    event(&format!("left{n}"), "dsync.user.deleted", 9, user(&format!("u{n}"), "active", 1))
}

/// A service whose role owns nothing, with people in its tables; and the role.
fn limited(store: TestDatabase) -> (TestApp, String) {
    let migrated = rosterd::db::Database::new(&Url::parse(&store.url()).unwrap(), 1);
    rosterd::db::migrate::migrate(&migrated).unwrap();
    let role = format!("blamed_{:08x}", rand::random::<u32>());
    execute(&store.url(), &format!("CREATE ROLE {role} LOGIN PASSWORD 'run'"));
    set_access(&migrated, &role, Access::Service).unwrap();
    let mut url = url::Url::parse(&store.url()).unwrap();
    url.set_username(&role).unwrap();
    url.set_password(Some("run")).unwrap();
    let mut config = settings(&store);
    config.database_url = Url::parse(url.as_str()).unwrap();
    let app = TestApp::start_on(store, config);
    app.play(&(0..PEOPLE).map(created).collect::<Vec<_>>());
    (app, role)
}

/// The service during half an hour.
fn work(app: &TestApp) {
    for _ in 0..30 {
        app.clock.advance_seconds(60);
        drop(app.applier.step());
    }
}

fn states(app: &TestApp) -> Vec<String> {
    let mut states: Vec<String> =
        app.inbox().into_iter().filter(|(id, _)| id.starts_with("left")).map(|(_, state)| state).collect();
    states.dedup();
    states
}

/// A fault begins, deliveries arrive for half an hour, and it ends.
fn passes(
    app: &TestApp,
    people: std::ops::Range<usize>,
    cause: &str,
    begin: impl FnOnce(),
    end: impl FnOnce(),
) {
    let before = app.brief(USERS, &["id", "status"]);
    begin();
    for n in people.clone() {
        app.deliver(&left(n));
    }
    work(app);
    let pending = |app: &TestApp| {
        app.inbox().into_iter().filter(|(id, state)| id.starts_with("left") && state == "pending").count()
    };
    assert_eq!(pending(app), people.len(), "{cause}");
    assert!(!states(app).contains(&"dead".to_owned()), "{cause}");
    assert_eq!(attempts(app), Some(0), "{cause}");

    end();
    app.clock.advance_seconds(60);
    app.drain();
    assert_eq!(pending(app), 0, "{cause}");
    let gone = |row: &String| people.clone().any(|n| *row == format!("u{n} inactive"));
    let after = app.brief(USERS, &["id", "status"]);
    assert_eq!(after.iter().filter(|row| gone(row)).count(), people.len(), "{cause}: {before:?} {after:?}");
    assert_eq!(app.noticed("delivery_given_up"), Vec::<String>::new(), "{cause}");
}

#[derive(QueryableByName)]
struct Found {
    #[diesel(sql_type = Text)]
    found: String,
}

/// The highest number of attempts of any waiting delivery.
fn attempts(app: &TestApp) -> Option<i64> {
    let mut owner = PgConnection::establish(&app.store.url()).unwrap();
    let most = "SELECT coalesce(max(attempts)::text, '') AS found FROM rosterd_internal.inbox_queue";
    sql_query(most).get_result::<Found>(&mut owner).unwrap().found.parse().ok()
}

fn blames_nobody(app: &TestApp, role: &str) {
    let url = app.store.url();
    for (people, privilege) in [
        (0..1, "UPDATE ON rosterd.users"),
        (1..4, "INSERT ON rosterd_internal.audit"),
        (4..5, "SELECT ON rosterd_internal.facts"),
        (5..6, "UPDATE ON rosterd_internal.facts"),
    ] {
        passes(
            app,
            people,
            privilege,
            || execute(&url, &format!("REVOKE {privilege} FROM {role}")),
            || execute(&url, &format!("GRANT {privilege} TO {role}")),
        );
    }
    // A locked table, which causes real timeouts.
    let mut host = PgConnection::establish(&url).unwrap();
    host.batch_execute("BEGIN; LOCK TABLE rosterd.users IN ACCESS EXCLUSIVE MODE").unwrap();
    app.deliver(&left(6));
    for _ in 0..3 {
        app.clock.advance_seconds(60);
        drop(app.applier.step());
    }
    assert_eq!(attempts(app), Some(0));
    host.batch_execute("COMMIT").unwrap();
    app.clock.advance_seconds(60);
    app.drain();
    // A trigger of the application that is so slow that its statement is ended.
    host.batch_execute(
        "CREATE FUNCTION hurry() RETURNS trigger AS $$ BEGIN IF NEW.id = 'u7' THEN \
         PERFORM set_config('statement_timeout', '30', true); END IF; RETURN NEW; END $$ LANGUAGE plpgsql; \
         CREATE FUNCTION dawdle() RETURNS trigger AS $$ BEGIN IF current_setting('statement_timeout') = '30ms' THEN \
         PERFORM pg_sleep(2); END IF; RETURN NEW; END $$ LANGUAGE plpgsql; \
         CREATE TRIGGER hurry BEFORE UPDATE ON rosterd.users FOR EACH ROW EXECUTE FUNCTION hurry(); \
         CREATE TRIGGER dawdle BEFORE INSERT ON rosterd_internal.audit FOR EACH ROW EXECUTE FUNCTION dawdle()",
    )
    .unwrap();
    app.deliver(&left(7));
    app.deliver(&created(80));
    for _ in 0..6 {
        app.clock.advance_seconds(60);
        drop(app.applier.step());
    }
    assert_eq!(attempts(app), Some(0));
    assert!(app.brief(USERS, &["id"]).contains(&"u80".to_owned()));
    host.batch_execute("DROP TRIGGER hurry ON rosterd.users; DROP TRIGGER dawdle ON rosterd_internal.audit")
        .unwrap();
    app.clock.advance_seconds(60);
    app.drain();
    // A locked row delays only itself.
    host.batch_execute("BEGIN; SELECT 1 FROM rosterd.users WHERE id = 'u8' FOR UPDATE").unwrap();
    app.deliver(&left(8));
    app.deliver(&created(90));
    for _ in 0..6 {
        app.clock.advance_seconds(60);
        drop(app.applier.step());
    }
    assert_eq!(attempts(app), Some(0));
    assert!(app.brief(USERS, &["id"]).contains(&"u90".to_owned()));
    host.batch_execute("COMMIT").unwrap();
    app.clock.advance_seconds(60);
    app.drain();
    assert_eq!(
        app.brief(USERS, &["id", "status"]).iter().filter(|row| row.ends_with(" inactive")).count(),
        PEOPLE
    );
}

fn forget(mut app: TestApp, role: &str) {
    let url = app.store.url();
    assert!(app.app.take().unwrap().stop());
    execute(&url, &format!("DROP OWNED BY {role}"));
    execute(&url, &format!("DROP ROLE {role}"));
}

#[test]
#[cfg_attr(feature = "sqlite-only", ignore = "PostgreSQL is left out")]
fn privileges_that_are_taken_and_locks_are_held_against_no_delivery() {
    let (app, role) = limited(TestDatabase::create(Backend::Postgres));
    blames_nobody(&app, &role);
    forget(app, &role);
}

#[test]
#[cfg_attr(feature = "sqlite-only", ignore = "PostgreSQL is left out")]
fn a_server_with_german_messages_makes_no_difference() {
    let Some(server) = Server::start_in(Some("de")) else { return };
    execute(&server.url(), "CREATE DATABASE german");
    execute(&server.url(), "ALTER DATABASE german SET lc_messages = 'C.UTF-8'");
    let store = TestDatabase::Postgres { server: server.url(), name: "german".to_owned() };
    let mut asked = PgConnection::establish(&store.url()).unwrap();
    let message = asked.batch_execute("SELECT * FROM nowhere").unwrap_err().to_string();
    drop(asked);
    if !message.contains("existiert nicht") {
        eprintln!("NOT RUN: this PostgreSQL has no German messages: {message}");
        return;
    }
    let (app, role) = limited(store);
    blames_nobody(&app, &role);
    forget(app, &role);
}
