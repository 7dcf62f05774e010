//! pgbouncer before PostgreSQL: session mode works. Transaction mode is refused, and rosterd leaves nothing there.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use diesel::{Connection, PgConnection, QueryableByName, RunQueryDsl, sql_query, sql_types::Text};
use reqwest::StatusCode;
use rosterd::{db::Url, tables::host_tables::USERS};

use crate::harness::{
    Backend, TestApp, TestDatabase,
    broker::{event, user},
    pooler::Pooler,
    process::{Served, eventually, output, rosterd},
    settings,
};

const SESSION: &str = "pool_mode = session\ndefault_pool_size = 40";

fn created(n: usize) -> serde_json::Value {
    event(&format!("e{n}"), "dsync.user.created", 1, user(&format!("u{n}"), "active", 1))
}

#[derive(QueryableByName)]
struct Found {
    #[diesel(sql_type = Text)]
    found: String,
}

fn ask(conn: &mut PgConnection, sql: &str) -> String {
    let found: Found = sql_query(format!("SELECT ({sql})::text AS found")).get_result(conn).unwrap();
    found.found
}

/// Tables, locks and settings that rosterd could have left on connections of an application.
fn assert_untouched(store: &TestDatabase, pooler: &Pooler) {
    let mut direct = PgConnection::establish(&store.url()).unwrap();
    let tables =
        "SELECT count(*) FROM pg_tables WHERE schemaname !~ '^pg_' AND schemaname <> 'information_schema'";
    assert_eq!(ask(&mut direct, tables), "0");
    let locks = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' \
                 AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    assert_eq!(ask(&mut direct, locks), "0");
    let processes = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
    let processes: usize = ask(&mut direct, processes).parse().unwrap();
    let mut hosts: Vec<PgConnection> =
        (0..processes).map(|_| PgConnection::establish(&pooler.url()).unwrap()).collect();
    for host in &mut hosts {
        diesel::connection::SimpleConnection::batch_execute(host, "BEGIN").unwrap();
    }
    for host in &mut hosts {
        assert_eq!(ask(host, "SELECT current_setting('search_path')"), "\"$user\", public");
        assert_eq!(ask(host, "SELECT current_setting('enable_seqscan')"), "on");
    }
}

fn assert_refused(pooler: &Pooler, setting: &str) {
    for arguments in [["doctor", "--format=json"].as_slice(), &["migrate"], &["serve"]] {
        let begun = Instant::now();
        let ended = output(
            rosterd()
                .env("DATABASE_URL", pooler.url())
                .env("WORKOS_WEBHOOK_SECRET", crate::harness::SECRET)
                .args(arguments),
        );
        let printed = String::from_utf8([ended.stdout, ended.stderr].concat()).unwrap();
        assert!(!ended.status.success(), "{arguments:?} {setting}");
        assert!(printed.contains(" pooler in ") && printed.contains("session mode"), "{printed}");
        assert!(begun.elapsed() < Duration::from_secs(15), "{arguments:?} took {:?}", begun.elapsed());
    }
}

#[test]
#[cfg_attr(feature = "sqlite-only", ignore = "PostgreSQL is left out")]
fn a_pooler_in_transaction_mode_is_refused_before_anything_is_left_there() {
    for setting in [
        "default_pool_size = 1",
        "default_pool_size = 20",
        "default_pool_size = 20\nmin_pool_size = 5\nserver_round_robin = 1",
    ] {
        let store = TestDatabase::create(Backend::Postgres);
        let Some(pooler) = Pooler::before(&store, &format!("pool_mode = transaction\n{setting}")) else {
            return;
        };
        assert_refused(&pooler, setting);
        assert_untouched(&store, &pooler);
    }
}

#[test]
#[cfg_attr(feature = "sqlite-only", ignore = "PostgreSQL is left out")]
fn a_pooler_in_transaction_mode_is_refused_while_other_programs_use_it() {
    let store = TestDatabase::create(Backend::Postgres);
    let Some(pooler) = Pooler::before(&store, "pool_mode = transaction\ndefault_pool_size = 6") else {
        return;
    };
    let (url, done) = (pooler.url(), AtomicBool::new(false));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut host = PgConnection::establish(&url).unwrap();
                while !done.load(Ordering::SeqCst) {
                    drop(diesel::connection::SimpleConnection::batch_execute(
                        &mut host,
                        "SELECT pg_sleep(0.001)",
                    ));
                }
            });
        }
        let refused = std::panic::catch_unwind(|| assert_refused(&pooler, "busy"));
        done.store(true, Ordering::SeqCst);
        refused.unwrap();
    });
    assert_untouched(&store, &pooler);
}

#[test]
#[cfg_attr(feature = "sqlite-only", ignore = "PostgreSQL is left out")]
fn a_pooler_in_statement_mode_is_refused() {
    let store = TestDatabase::create(Backend::Postgres);
    let Some(pooler) = Pooler::before(&store, "pool_mode = statement") else { return };
    assert_refused(&pooler, "statement");
    assert_untouched(&store, &pooler);
}

#[test]
#[cfg_attr(feature = "sqlite-only", ignore = "PostgreSQL is left out")]
fn everything_works_behind_a_pooler_in_session_mode_and_no_setting_reaches_the_host() {
    let store = TestDatabase::create(Backend::Postgres);
    let Some(pooler) = Pooler::before(&store, SESSION) else { return };
    let direct = store.url();
    let mut config = settings(&store);
    config.database_url = Url::parse(&pooler.url()).unwrap();

    let mut app = TestApp::start_on(store, config);
    app.play(&[created(1), created(2)]);
    assert_eq!(app.brief(USERS, &["id"]), ["u1", "u2"]);
    let mut server = PgConnection::establish(&direct).unwrap();
    let public = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'";
    assert_eq!(ask(&mut server, public), "0");
    assert!(app.app.take().unwrap().stop());
    let doctor = output(
        rosterd()
            .env("DATABASE_URL", pooler.url())
            .env("WORKOS_WEBHOOK_SECRET", crate::harness::SECRET)
            .arg("doctor"),
    );
    assert!(doctor.status.success(), "{}", String::from_utf8_lossy(&doctor.stdout));

    drop(app.app.take());
    let served = Served::start(|command| {
        command.env("DATABASE_URL", pooler.url());
    });
    served.signal("-TERM");
    assert!(served.end().0.success());
    let locks = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' \
                 AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    assert_eq!(ask(&mut server, locks), "0");
    // The client gets a server process that rosterd had before.
    let mut host = PgConnection::establish(&pooler.url()).unwrap();
    assert_eq!(ask(&mut host, "SELECT current_setting('search_path')"), "\"$user\", public");
    assert_eq!(ask(&mut host, "SELECT current_setting('enable_seqscan')"), "on");
}

#[test]
#[cfg_attr(feature = "sqlite-only", ignore = "PostgreSQL is left out")]
fn a_pooler_that_is_set_to_transaction_mode_later_is_noticed() {
    let store = TestDatabase::create(Backend::Postgres);
    let Some(pooler) = Pooler::before(&store, SESSION) else { return };
    let mut config = settings(&store);
    config.database_url = Url::parse(&pooler.url()).unwrap();
    let app = TestApp::start_on(store, config);
    app.play(&[created(1)]);

    // A connected client keeps its session. A new client gets none.
    pooler.reload("pool_mode = transaction\ndefault_pool_size = 40");
    app.play(&[created(2)]);
    eventually("refused", || {
        app.database().renew();
        let step = app.applier.step();
        step.is_err_and(|error| error.to_string().contains("pooler in transaction mode"))
    });

    pooler.reload(SESSION);
    eventually("accepted again", || app.send(created(3).to_string()).status == StatusCode::OK);
    app.drain();
    assert_eq!(app.brief(USERS, &["id"]), ["u1", "u2", "u3"]);
}

#[test]
#[cfg_attr(feature = "sqlite-only", ignore = "PostgreSQL is left out")]
fn a_pooler_in_session_mode_without_room_for_a_second_connection_is_named() {
    let store = TestDatabase::create(Backend::Postgres);
    let Some(pooler) = Pooler::before(&store, "pool_mode = session\ndefault_pool_size = 1") else { return };
    let begun = Instant::now();
    let doctor = output(
        rosterd()
            .env("DATABASE_URL", pooler.url())
            .env("WORKOS_WEBHOOK_SECRET", crate::harness::SECRET)
            .arg("doctor"),
    );
    let printed = String::from_utf8_lossy(&doctor.stdout);
    assert!(!doctor.status.success() && printed.contains("default_pool_size"), "{printed}");
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
    assert_untouched(&store, &pooler);
}
