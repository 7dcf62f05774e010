//! PostgreSQL servers that are refused, with a remedy, before anything is stored there; and roles that lack a
//! privilege.

use std::process::Output;

use diesel::RunQueryDsl;
use rosterd::db::{Database, DbError, Url};

use crate::harness::{
    Backend, SECRET, TestDatabase,
    database::execute,
    process::{Served, output, rosterd},
};

fn run(url: &str, arguments: &[&str]) -> Output {
    output(rosterd().env("DATABASE_URL", url).env("WORKOS_WEBHOOK_SECRET", SECRET).args(arguments))
}

fn assert_refused(url: &str, because: &str) {
    for arguments in [["doctor", "--format=json"].as_slice(), &["serve"], &["migrate"]] {
        let ended = run(url, arguments);
        let printed = String::from_utf8([ended.stdout, ended.stderr].concat()).unwrap();
        assert!(!ended.status.success(), "{arguments:?} {printed}");
        assert!(printed.contains(because), "{arguments:?} {printed}");
    }
}

#[test]
#[cfg_attr(feature = "sqlite-only", ignore = "PostgreSQL is left out")]
fn an_encoding_that_cannot_hold_every_name_is_refused() {
    let TestDatabase::Postgres { server, name } = &TestDatabase::create(Backend::Postgres) else { return };
    let name = format!("{name}_latin");
    execute(
        server,
        &format!("CREATE DATABASE {name} ENCODING 'LATIN1' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'"),
    );
    let latin = TestDatabase::Postgres { server: server.clone(), name };

    assert_refused(&latin.url(), "the encoding of the database is LATIN1");
}

#[test]
#[cfg_attr(feature = "sqlite-only", ignore = "PostgreSQL is left out")]
fn cockroachdb_is_refused_by_name() {
    let store = TestDatabase::create(Backend::Postgres);
    let TestDatabase::Postgres { name, .. } = &store else { return };
    // It answers as CockroachDB does.
    execute(&store.url(), "CREATE SCHEMA impostor");
    execute(
        &store.url(),
        "CREATE FUNCTION impostor.version() RETURNS text LANGUAGE sql AS $$ SELECT 'CockroachDB CCL v25.2.1' $$",
    );
    execute(&store.url(), &format!("ALTER DATABASE {name} SET search_path = impostor, pg_catalog"));

    assert_refused(&store.url(), "the server is CockroachDB");
}

#[test]
#[cfg_attr(feature = "sqlite-only", ignore = "PostgreSQL is left out")]
fn a_server_without_advisory_locks_is_refused_whatever_its_name() {
    let store = TestDatabase::create(Backend::Postgres);
    let TestDatabase::Postgres { name, .. } = &store else { return };
    execute(&store.url(), "CREATE SCHEMA impostor");
    execute(
        &store.url(),
        "CREATE FUNCTION impostor.pg_try_advisory_xact_lock(int, int) RETURNS bool LANGUAGE sql AS 'SELECT true'",
    );
    execute(&store.url(), &format!("ALTER DATABASE {name} SET search_path = impostor, pg_catalog"));

    assert_refused(&store.url(), "do not see each other's advisory locks");
}

#[test]
#[cfg_attr(feature = "sqlite-only", ignore = "PostgreSQL is left out")]
fn a_database_that_takes_no_writes_is_answered_by_what_to_change() {
    let store = TestDatabase::create(Backend::Postgres);
    let TestDatabase::Postgres { name, .. } = &store else { return };
    execute(&store.url(), &format!("ALTER DATABASE {name} SET default_transaction_read_only = on"));
    assert_refused(&store.url(), "default_transaction_read_only = off");

    let url = url::Url::parse(&store.url()).unwrap();
    let host = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap_or(5432));
    let two = store.url().replace(&host, &format!("{host},{host}"));
    assert_refused(&two, "target_session_attrs=read-write");

    execute(store.server(), &format!("ALTER DATABASE {name} RESET default_transaction_read_only"));
    let doctor = run(&two, &["doctor"]);
    let printed = String::from_utf8_lossy(&doctor.stdout);
    assert!(doctor.status.success() && printed.contains("target_session_attrs=read-write"), "{printed}");
}

#[test]
#[cfg_attr(feature = "sqlite-only", ignore = "PostgreSQL is left out")]
fn a_missing_privilege_is_named_by_doctor_and_by_the_start() {
    let store = TestDatabase::create(Backend::Postgres);
    assert!(run(&store.url(), &["migrate"]).status.success());
    let role = format!("server_{}", std::process::id());
    execute(&store.url(), &format!("CREATE ROLE {role} LOGIN PASSWORD 'run'"));
    assert!(run(&store.url(), &["migrate", "--service", &role]).status.success());
    for sql in [
        format!("REVOKE UPDATE ON rosterd.users FROM {role}"),
        format!("REVOKE INSERT, DELETE ON rosterd_internal.mails FROM {role}"),
    ] {
        execute(&store.url(), &sql);
    }
    let mut url = url::Url::parse(&store.url()).unwrap();
    url.set_username(&role).unwrap();
    url.set_password(Some("run")).unwrap();

    let doctor = run(url.as_str(), &["doctor", "--format", "json"]);
    let printed = String::from_utf8_lossy(&doctor.stdout).into_owned();
    assert!(!doctor.status.success());
    for missing_privileges in
        ["UPDATE on users", "INSERT on mails", "DELETE on mails", "migrate --service ROLE"]
    {
        assert!(printed.contains(missing_privileges), "{missing_privileges}: {printed}");
    }
    assert!(!printed.contains("INSERT on users"), "{printed}");

    // Deliveries can be stored, so it starts.
    let served = Served::start(|command| {
        command.env("DATABASE_URL", url.as_str());
    });
    served.signal("-TERM");
    let (status, log) = served.end();
    assert!(status.success());
    assert!(log.iter().any(|line| line.contains("UPDATE on users")), "{log:?}");

    execute(&store.url(), &format!("DROP OWNED BY {role}"));
    execute(&store.url(), &format!("DROP ROLE {role}"));
}

#[test]
#[cfg_attr(feature = "sqlite-only", ignore = "PostgreSQL is left out")]
fn settings_of_the_applications_database_do_not_change_the_isolation_of_transactions() {
    let store = TestDatabase::create(Backend::Postgres);
    let TestDatabase::Postgres { name, .. } = &store else { return };
    for setting in ["default_transaction_isolation = serializable", "synchronous_commit = off"] {
        execute(&store.url(), &format!("ALTER DATABASE {name} SET {setting}"));
    }
    let database = Database::new(&Url::parse(&store.url()).unwrap(), 1);
    let seen = |setting: &str| {
        let setting = format!("current_setting('{setting}')");
        let read = database.write::<String, DbError>(|conn| {
            Ok(diesel::select(diesel::dsl::sql::<diesel::sql_types::Text>(&setting)).first(conn)?)
        });
        read.unwrap()
    };
    // With an older snapshot, a serialized transaction would not see the rows of the last one.
    assert_eq!(seen("transaction_isolation"), "read committed");
    assert_eq!(seen("synchronous_commit"), "on");
}

#[test]
#[cfg_attr(feature = "sqlite-only", ignore = "PostgreSQL is left out")]
fn doctor_makes_no_table_where_there_is_only_a_schema() {
    let store = TestDatabase::create(Backend::Postgres);
    execute(&store.url(), "CREATE SCHEMA rosterd");

    let doctor = run(&store.url(), &["doctor"]);

    let printed = String::from_utf8_lossy(&doctor.stdout);
    assert!(doctor.status.success() && printed.contains("migrations are missing"), "{printed}");
    execute(
        &store.url(),
        "DO $$ BEGIN ASSERT NOT EXISTS (SELECT FROM pg_tables WHERE schemaname IN ('rosterd', 'rosterd_internal', 'public')); END $$",
    );
}
