//! One trial: a database, a broker with events, a mail server, and processes that start and die. At the end the outcome
//! is compared with an undisturbed run of the same events.

use std::{
    collections::{BTreeMap, BTreeSet},
    process::Command,
    time::Duration,
};

use diesel::{ExpressionMethods, QueryDsl, QueryResult, RunQueryDsl, sql_query};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rosterd::{
    broker::Source,
    db::{
        Conn, Database, DbError, Url,
        schema::{dead_letters, inbox, inbox_queue, mails, outbox, recompute_jobs},
    },
    inbox::{Delivery, insert::append},
    simulate::{Census, DEFAULT_START, Event, Plan},
    tables::host_tables::{PublishedTable, TABLES},
};
use serde_json::Value;
use tempfile::TempDir;

use super::{
    load::{Answers, Load},
    notices::{Key, Outbox, key},
};
use crate::{
    harness::{
        Backend, NOW, TestApp,
        process::{Served, eventually, eventually_within, rosterd},
    },
    smtp::{Received, SmtpServer},
};

/// Mails leave without a delay, so that many are on the way during a crash.
const SETTINGS: &str = "
    [apply]
    poll_seconds = 1
    [mail]
    window_seconds = 0
    max_named = 100000
    fallback = ['it@host.example', 'security@host.example']
";

const PATIENCE: Duration = Duration::from_secs(90);

pub type Row = BTreeMap<&'static str, Value>;

pub struct Trial {
    url: String,
    home: TempDir,
    pub smtp: SmtpServer,
    pub load: Load,
    pub dice: ChaCha8Rng,
    events: Vec<Event>,
    census: Option<Census>,
    seen_active: BTreeSet<Key>,
    deaths: usize,
}

/// A number from the environment, for long sessions.
fn setting(name: &str, default: usize) -> usize {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

/// The number of crashes in a test.
pub fn kills() -> usize {
    setting("ROSTERD_TEST_KILLS", 6)
}

impl Trial {
    /// The life of four tenants, of which the last one loses its directory at the end. About half of the events are the
    /// first sync. Most of these are the latest facts, so a lost one is visible.
    pub fn new(url: &str, events: usize) -> Self {
        let seed = setting("ROSTERD_TEST_SEED", 1) as u64;
        let plan =
            Plan { tenants: 4, users: events as u32 / 8, events: events as u64, seed, start: DEFAULT_START };
        let mut world = plan.events();
        let events: Vec<Event> = world.by_ref().collect();
        let census = Some(world.census());
        Self { census, ..Self::with(url, events) }
    }

    pub fn with(url: &str, events: Vec<Event>) -> Self {
        let home = tempfile::tempdir().unwrap();
        std::fs::write(home.path().join("rosterd.toml"), SETTINGS).unwrap();
        let mut dice = ChaCha8Rng::seed_from_u64(setting("ROSTERD_TEST_SEED", 1) as u64);
        Self {
            url: url.to_owned(),
            home,
            smtp: SmtpServer::start().unwrap(),
            load: Load::start(&events, &mut dice),
            dice,
            events,
            census: None,
            seen_active: BTreeSet::new(),
            deaths: 0,
        }
    }

    fn settle(&self, command: &mut Command) {
        command
            .env("DATABASE_URL", &self.url)
            .env("ROSTERD_GUARD", "off")
            .env("ROSTERD_CONFIG", self.home.path().join("rosterd.toml"))
            .env("SMTP_URL", self.smtp.url())
            .env("MAIL_FROM", "rosterd <rosterd@host.example>");
    }

    /// Starts one more process, to which the broker delivers from now on.
    pub fn serve(&self) -> Served {
        self.serve_with(|_command| {})
    }

    pub fn serve_with(&self, adjust: impl FnOnce(&mut Command)) -> Served {
        let served = Served::start(|command| {
            self.settle(command);
            adjust(command);
        });
        self.load.add(served.address);
        served
    }

    /// Starts a process with a failpoint. It may die before it listens.
    #[cfg(feature = "failpoints")]
    pub fn serve_doomed(&self, fail_at: &str) -> Result<Served, std::process::ExitStatus> {
        let served = Served::try_start(|command| {
            self.settle(command);
            command.env("ROSTERD_FAIL_AT", fail_at);
        });
        let served = served.map_err(|(status, _log)| status)?;
        self.load.add(served.address);
        Ok(served)
    }

    /// Lets the broker deliver one of `parts` parts, counted from 1, and returns at a random moment meanwhile.
    pub fn deliver_part(&mut self, part: usize, parts: usize) {
        let end = |part: usize| self.load.len() * part / parts;
        let (begun, ended) = (end(part - 1), end(part));
        self.load.allow(ended);
        // Early enough that something is in progress.
        self.load.wait_for(self.dice.random_range(begun..begun + (ended - begun) * 3 / 4));
        std::thread::sleep(Duration::from_micros(self.dice.random_range(0..5_000)));
    }

    pub fn kill(&mut self, served: Served) {
        let address = served.address;
        served.kill();
        self.load.remove(address);
        self.deaths += 1;
    }

    /// Waits until the process has died by itself.
    #[cfg(feature = "failpoints")]
    pub fn bury(&mut self, served: Served) -> std::process::ExitStatus {
        self.load.remove(served.address);
        self.deaths += 1;
        served.end().0
    }

    /// A process that is killed while it starts.
    pub fn start_in_vain(&mut self) {
        let mut command = rosterd();
        self.settle(&mut command);
        command.args(["serve"]).env("WORKOS_WEBHOOK_SECRET", crate::harness::SECRET);
        command.env("ROSTERD_LISTEN", "127.0.0.1:0").env("ROSTERD_ADMIN_LISTEN", "127.0.0.1:0");
        let mut child = command.stderr(std::process::Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(self.dice.random_range(0..120)));
        drop(child.kill());
        drop(child.wait());
        self.deaths += 1;
    }

    /// Reads the database and closes it. On SQLite an open connection would do the recovery that the next process must
    /// do.
    pub fn look<T>(&self, run: impl FnOnce(&mut Conn) -> QueryResult<T>) -> T {
        let database = Database::new(&Url::parse(&self.url).unwrap(), 1);
        database.read::<_, DbError>(|conn| Ok(run(conn)?)).unwrap()
    }

    /// The state that an application sees now: nothing acknowledged is missing, and people who are active now must be
    /// reported when they leave.
    pub fn observe(&mut self) {
        // In this order: every event that was acknowledged before is in the database.
        let acknowledged = self.load.answers().acknowledged;
        let (stored, users) = self.look(|conn| {
            let stored: Vec<String> = inbox::table.select(inbox::event_key).load(conn)?;
            Ok((stored, rows(conn, rosterd::tables::host_tables::USERS)?))
        });
        let stored: BTreeSet<String> = stored.into_iter().collect();
        let lost: Vec<&String> = acknowledged.difference(&stored).collect();
        assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
        self.seen_active.extend(users.iter().filter(|user| user["status"] == "active").map(key("id")));
    }

    #[cfg(feature = "failpoints")]
    pub fn has_seen_somebody_active(&self) -> bool {
        !self.seen_active.is_empty()
    }

    /// Stops the process while the last events are stored and not applied. It continues after SIGCONT.
    pub fn stop_with_a_backlog(&self, served: &Served, events: usize) {
        let last = &self.events[self.events.len() - events..];
        self.load.wait_for(self.load.allowed());
        self.wait_until_quiet();
        let database = Database::new(&Url::parse(&self.url).unwrap(), 1);
        loop {
            served.signal("-STOP");
            // It may be stopped inside a transaction.
            if append(&database, &deliveries(last)).is_ok() {
                return;
            }
            served.signal("-CONT");
        }
    }

    /// Delivers the rest, waits until everything is applied and reported, stops the processes, and checks the outcome.
    /// Returns the received mails.
    pub fn end(self, served: Vec<Served>) -> Vec<Received> {
        self.load.allow(self.load.len());
        self.load.wait_for(self.load.len());
        self.wait_until_quiet();
        for served in served {
            self.stop(served);
        }
        if self.waiting_mails() > 0 {
            self.end_leases();
            let last = self.serve();
            eventually("every mail sent", || self.waiting_mails() == 0);
            self.stop(last);
        }
        self.judge();
        self.smtp.received()
    }

    fn wait_until_quiet(&self) {
        // Failed deliveries are tried again after some seconds.
        eventually_within(PATIENCE, "everything applied, and every mail that is due sent", || {
            self.look(|conn| {
                let now = rosterd::runtime::clock::Clock::System.now().micros();
                let queued: i64 = inbox_queue::table.count().get_result(conn)?;
                let refreshes: i64 = recompute_jobs::table.count().get_result(conn)?;
                let unbundled: i64 =
                    outbox::table.filter(outbox::mail_id.is_null()).count().get_result(conn)?;
                let due = mails::table.filter(mails::state.eq("waiting")).filter(mails::due_at.le(now));
                let due: i64 = due.count().get_result(conn)?;
                Ok(queued + refreshes + unbundled + due == 0)
            })
        });
    }

    pub fn stop(&self, served: Served) {
        self.load.remove(served.address);
        served.signal("-TERM");
        let (status, log) = served.end();
        assert!(status.success(), "{status}: {log:?}");
    }

    pub fn waiting_mails(&self) -> i64 {
        self.look(|conn| mails::table.filter(mails::state.eq("waiting")).count().get_result(conn))
    }

    /// Ends the leases of mails that a dead process had claimed.
    pub fn end_leases(&self) {
        self.look(|conn| {
            let waiting = mails::table.filter(mails::state.eq("waiting"));
            diesel::update(waiting).set(mails::due_at.eq(0)).execute(conn)
        });
    }

    fn judge(&self) {
        let Answers { acknowledged, accepted, refused, unanswered, wrong } = self.load.answers();
        assert!(wrong.is_empty(), "wrong answers to correct deliveries: {wrong:?}");
        let twice: Vec<_> = accepted.iter().filter(|(_, times)| **times > 1).collect();
        assert!(twice.is_empty(), "called new more than once: {twice:?}");
        let sent: BTreeSet<String> = self.events.iter().map(|event| event.id.clone()).collect();
        assert!(acknowledged == sent, "not every event was acknowledged");
        let (stored, dead, outbox_rows) = self.look(|conn| {
            let stored: Vec<String> = inbox::table.select(inbox::event_key).load(conn)?;
            let dead: Vec<String> = dead_letters::table.select(dead_letters::detail).load(conn)?;
            Ok((stored, dead, Outbox::load(conn)?))
        });
        assert_eq!(dead, Vec::<String>::new(), "set aside");
        assert_eq!(stored.len(), sent.len(), "more was kept than sent");
        assert!(stored.into_iter().collect::<BTreeSet<_>>() == sent, "not every event was kept");

        let tables = self.look(tables);
        same(&tables, &undisturbed(&self.events));
        let users = &tables["users"];
        if let Some(census) = self.census {
            let count = |status: &str| users.iter().filter(|user| user["status"] == status).count() as u64;
            let (groups, memberships) = (tables["groups"].len() as u64, tables["group_members"].len() as u64);
            assert_eq!((count("active"), count("inactive")), (census.active_users, census.inactive_users));
            assert_eq!((groups, memberships), (census.groups, census.memberships));
        }
        let received = self.smtp.received();
        outbox_rows.judge(users, &self.seen_active, &received);
        eprintln!(
            "{}: {} deaths, {} events, {} deliveries, {unanswered} unanswered, {refused} refused, {} notices in {} \
             mails, sent {} times",
            self.url.split("://").next().unwrap(),
            self.deaths,
            self.events.len(),
            self.load.len(),
            outbox_rows.notices.len(),
            outbox_rows.mails.len(),
            received.len(),
        );
    }

    /// Notes the death of something that is no process of rosterd.
    pub fn count_death(&mut self) {
        self.deaths += 1;
    }
}

fn rows(conn: &mut Conn, table: PublishedTable) -> QueryResult<Vec<Row>> {
    if let Conn::Postgres(pg) = conn {
        sql_query("SET search_path = rosterd_internal, rosterd").execute(pg)?;
    }
    Ok(table.rows(conn, None)?.into_iter().map(|row| table.names().zip(row).collect()).collect())
}

/// Everything that an application reads, except the counter that may differ.
fn tables(conn: &mut Conn) -> QueryResult<BTreeMap<&'static str, Vec<Row>>> {
    let mut tables = BTreeMap::new();
    for table in TABLES {
        let mut rows = rows(conn, table)?;
        rows.iter_mut().for_each(|row| drop(row.remove("access_epoch")));
        tables.insert(table.name, rows);
    }
    Ok(tables)
}

/// The deliveries as the receiver would have stored them.
fn deliveries(events: &[Event]) -> Vec<Delivery> {
    let source = Source::WorkOs;
    let delivery = |event: &Event| Delivery {
        source,
        label: source.label(&event.body),
        body: event.body.clone().into(),
        received_at: NOW,
    };
    events.iter().map(delivery).collect()
}

/// The tables after the same events in the broker's order, in one undisturbed process.
fn undisturbed(events: &[Event]) -> BTreeMap<&'static str, Vec<Row>> {
    let app = TestApp::start(Backend::Sqlite, |_config| {});
    append(app.database(), &deliveries(events)).unwrap();
    app.drain();
    app.database().read::<_, DbError>(|conn| Ok(tables(conn)?)).unwrap()
}

fn same(found: &BTreeMap<&'static str, Vec<Row>>, expected: &BTreeMap<&'static str, Vec<Row>>) {
    for (table, expected) in expected {
        let found = &found[table];
        let missing: Vec<&Row> = expected.iter().filter(|row| !found.contains(row)).take(3).collect();
        let extra: Vec<&Row> = found.iter().filter(|row| !expected.contains(row)).take(3).collect();
        assert!(
            found == expected,
            "{table} differs from an undisturbed run: {} rows for {}, missing {missing:#?}, instead {extra:#?}",
            found.len(),
            expected.len(),
        );
    }
}
