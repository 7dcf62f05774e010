//! Numbers without gaps, and readers that see no record before all earlier ones.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use diesel::{Connection, PgConnection, RunQueryDsl, sql_query};
use rosterd::{
    apply::{Batch, prefetch_batch::Prefetcher},
    db::{Database, DbError, Recording, Url},
    feed::{head, read},
    inbox::{memory_queue::MemoryQueue, waiters::Waiters},
    operator::directory_move::{MoveRequest, preview},
    runtime::{metrics::Metrics, wake::Wake},
    worker::{
        applier::{Applier, ApplyStep},
        checkpointer::WalGrowth,
    },
};
use serde_json::{Value, json};

use super::{member, records};
use crate::harness::{
    Backend, TestApp, TestDatabase, both,
    broker::{event, organization, user},
};

both! {
    fn a_transaction_that_is_rolled_back_leaves_no_gap(app) {
        member(app);
        app.play(&[event("o2", "organization.created", 0, organization("org_2", 0))]);
        let count = records(app.database()).len();
        let request = MoveRequest { directory: "dir_1", to: "org_2", by: "ada", reason: "sold", now: app.clock.now() };
        preview(app.database(), &app.config.rules(), request).unwrap();
        assert_eq!(records(app.database()).len(), count);

        app.play(&[event("u2", "dsync.user.created", 20, user("u2", "active", 20))]);

        let numbers: Vec<i64> = records(app.database()).iter().map(|record| record.seq).collect();
        assert_eq!(numbers, (1..=numbers.len() as i64).collect::<Vec<_>>());
        assert!(numbers.len() > count);
    }
}

both! {
    fn times_rise_with_the_numbers_although_a_clock_goes_back(app) {
        app.clock.advance_seconds(100);
        member(app);
        app.clock.advance_seconds(-100);
        app.play(&[event("u2", "dsync.user.created", 20, user("u2", "active", 20))]);

        let times: Vec<String> = records(app.database()).into_iter().map(|record| record.at).collect();
        assert!(times.is_sorted(), "{times:?}");
    }
}

both! {
    fn a_reader_beside_several_writers_sees_each_record_once_and_in_order(app) {
        const WRITERS: usize = 3;
        const USERS: usize = 60;
        let done = AtomicBool::new(false);
        for n in 0..WRITERS * USERS {
            app.deliver(&event(&format!("e{n}"), "dsync.user.created", 1, user(&format!("u{n}"), "active", 1)));
        }
        let database = app.database();
        let appliers: Vec<Applier> = (0..WRITERS).map(|_| another(app)).collect();
        thread::scope(|scope| {
            let reader = scope.spawn(|| {
                let (mut next, mut seen) = (1, Vec::new());
                loop {
                    let last = done.load(Ordering::SeqCst);
                    let page = read::page(database, next, None, 7).unwrap();
                    seen.extend(page.records.iter().map(|record| record.seq));
                    next = page.next;
                    if last && !page.is_full {
                        return seen;
                    }
                }
            });
            // Small batches of several processes.
            let drain = |applier: &Applier| while applier.step().unwrap() != ApplyStep::Idle {};
            let appliers: Vec<_> =
                appliers.iter().map(|applier| scope.spawn(move || drain(applier))).collect();
            appliers.into_iter().for_each(|applier| applier.join().unwrap());
            done.store(true, Ordering::SeqCst);
            let seen = reader.join().unwrap();
            let head = database.read::<_, DbError>(|conn| Ok(head::get(conn)?)).unwrap();
            assert_eq!(seen, (1..=head.seq).collect::<Vec<i64>>(), "the reader has missed a record");
            assert!(seen.len() > 2 * WRITERS * USERS);
        });
    }
}

/// An applier like that of another process, with small batches. SQLite has one process.
fn another(app: &TestApp) -> Applier {
    let url = Url::parse(&app.store.url()).unwrap();
    let database = match url {
        Url::Sqlite(_) => app.database().clone(),
        Url::Postgres(_) => Database::new(&url, 2),
    };
    Applier {
        database,
        rules: app.config.rules().into(),
        batch: Batch { deliveries: 5, ..Batch::default() },
        prefetcher: Prefetcher::of(MemoryQueue::default()),
        log: WalGrowth::default(),
        retention: app.config.retention,
        clock: app.clock.clone(),
        metrics: Arc::new(Metrics::default()),
        notices: Wake::default(),
        waiters: Waiters::default(),
        changes: Arc::default(),
        failures: AtomicU32::new(0),
    }
}

/// The payloads of notifications within this time, or the first `count`.
fn notified(pg: &mut PgConnection, count: usize, within: Duration) -> Vec<Value> {
    let (begun, mut found) = (Instant::now(), Vec::new());
    while found.len() < count && begun.elapsed() < within {
        sql_query("SELECT 1").execute(pg).unwrap();
        found.extend(pg.notifications_iter().map(|one| {
            let one = one.unwrap();
            assert_eq!(one.channel, "rosterd");
            serde_json::from_str::<Value>(&one.payload).unwrap()
        }));
        thread::sleep(Duration::from_millis(5));
    }
    found
}

#[test]
#[cfg_attr(feature = "sqlite-only", ignore = "PostgreSQL is left out")]
fn postgresql_notifies_once_a_transaction_for_each_tenant_unless_it_is_switched_off() {
    let mut app = TestApp::start(Backend::Postgres, |_| {});
    let mut pg = PgConnection::establish(&app.store.url()).unwrap();
    sql_query("LISTEN rosterd").execute(&mut pg).unwrap();

    member(&app);

    let expected = [json!({"tenant": "org_1", "seq": 6}), json!({"tenant": "org_1", "seq": 7})];
    assert_eq!(notified(&mut pg, 2, Duration::from_secs(10)), expected);
    // A transaction without a record.
    app.play(&[event("u0", "dsync.user.updated", 5, user("u1", "active", 0))]);
    app.applier.database = silent(&app.store);
    app.play(&[event("u3", "dsync.user.created", 5, user("u3", "active", 5))]);
    assert_eq!(records(app.database()).len(), 9);
    assert_eq!(notified(&mut pg, 1, Duration::from_millis(300)), Vec::<Value>::new());
}

fn silent(store: &TestDatabase) -> Database {
    Database::new(&Url::parse(&store.url()).unwrap(), 2).recording(Recording::Silent)
}
