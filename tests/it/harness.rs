//! One service for each test: a database and a port of its own, a clock that stands still, and workers that the test
//! calls.

pub mod broker;
pub mod database;
pub mod dump;
pub mod feed;
pub mod pooler;
pub mod process;
pub mod proxy;
pub mod schema;
pub mod server;
pub mod socket;

use std::sync::{Arc, atomic::AtomicU32};

use reqwest::{Response, StatusCode};
use rosterd::{
    app::{self, App, Workers},
    apply::{Batch, prefetch_batch::Prefetcher},
    config::{self, Config},
    db::{Database, DbError},
    operator::rebuild::{Rebuild, rebuild},
    runtime::{
        clock::{Clock, Timestamp},
        wake::Wake,
    },
    tables::host_tables::PublishedTable,
    worker::{
        applier::{Applier, ApplyStep},
        checkpointer::WalGrowth,
    },
};
use serde_json::{Map, Value};

pub use database::{Backend, TestDatabase};

pub const SECRET: &str = "whsec_test_4f1c0d2e9b7a";

/// Runs a test on both databases, and checks afterwards that a rebuild finds no difference and that the
/// change feed gives the tables. ROSTERD_TEST_POSTGRES_URL
/// names PostgreSQL; `tests/run` sets it.
macro_rules! both {
    ($(#[$meta:meta])* fn $name:ident($app:ident) $body:block) => {
        both! { $(#[$meta])* fn $name($app, |_config| {}) $body }
    };
    ($(#[$meta:meta])* fn $name:ident($app:ident, $settings:expr) $body:block) => {
        mod $name {
            use super::*;

            $(#[$meta])*
            fn run($app: &mut $crate::harness::TestApp) $body

            #[test]
            fn on_sqlite() {
                let mut app = $crate::harness::TestApp::start($crate::harness::Backend::Sqlite, $settings);
                run(&mut app);
                app.assert_rebuilds();
                app.assert_folds();
            }

            #[test]
            #[cfg_attr(feature = "sqlite-only", ignore = "PostgreSQL is left out")]
            fn on_postgres() {
                let mut app = $crate::harness::TestApp::start($crate::harness::Backend::Postgres, $settings);
                run(&mut app);
                app.assert_rebuilds();
                app.assert_folds();
            }
        }
    };
}
pub(crate) use both;

pub struct TestApp {
    pub app: Option<App>,
    pub clock: Clock,
    pub config: Config,
    pub applier: Applier,
    client: reqwest::Client,
    runtime: tokio::runtime::Runtime,
    // Dropped last, because it deletes the database.
    pub store: TestDatabase,
}

/// 2026-06-01T00:00:00Z, after everything in the fixtures.
pub const NOW: Timestamp = Timestamp::from_millis(1_780_272_000_000);

pub fn settings(store: &TestDatabase) -> Config {
    let mut config = config::load(Some(std::path::Path::new("/dev/null")), |name| match name {
        "DATABASE_URL" => Some(store.url()),
        "ROSTERD_LISTEN" | "ROSTERD_ADMIN_LISTEN" => Some("127.0.0.1:0".to_owned()),
        "WORKOS_WEBHOOK_SECRET" => Some(SECRET.to_owned()),
        "MAIL_FROM" => Some("rosterd <rosterd@host.example>".to_owned()),
        _ => None,
    })
    .unwrap();
    // In most tests a directory has two people, and both leave. Tests of the guard set it.
    config.guard.otherwise.everybody = 0;
    config.mail.fallback = vec!["fallback@host.example".parse().unwrap()];
    config
}

impl TestApp {
    pub fn start(backend: Backend, adjust: impl FnOnce(&mut Config)) -> Self {
        let store = TestDatabase::create(backend);
        let mut config = settings(&store);
        adjust(&mut config);
        Self::start_on(store, config)
    }

    pub fn start_on(store: TestDatabase, config: Config) -> Self {
        let clock = Clock::fixed(NOW);
        let app = app::start(&config, clock.clone(), Workers::Manual).unwrap();
        let applier = Applier {
            database: app.database.clone(),
            rules: config.rules().into(),
            batch: Batch {
                deliveries: config.apply.batch_deliveries,
                bytes: config.apply.batch_bytes,
                ..Batch::default()
            },
            prefetcher: Prefetcher::of(app.recent.clone()),
            log: WalGrowth::default(),
            retention: config.retention,
            clock: clock.clone(),
            metrics: Arc::clone(&app.metrics),
            notices: Wake::default(),
            changes: Arc::default(),
            failures: AtomicU32::new(0),
            waiters: app.waiters.clone(),
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { app: Some(app), clock, config, applier, client, runtime, store }
    }

    pub fn database(&self) -> &Database {
        &self.applier.database
    }

    pub fn address(&self) -> std::net::SocketAddr {
        self.app.as_ref().unwrap().address
    }

    /// Runs requests while deliveries are applied, because an answer by SCIM waits for that.
    pub fn while_applying<T>(&self, requests: impl Future<Output = T>) -> T {
        let applying = async {
            loop {
                self.drain();
                tokio::time::sleep(std::time::Duration::from_millis(2)).await;
            }
        };
        self.runtime.block_on(async {
            tokio::select! {
                biased;
                outcome = requests => outcome,
                () = applying => unreachable!("it never ends"),
            }
        })
    }

    /// A replay of the log must give the current tables (`rebuild`).
    pub fn assert_rebuilds(&self) {
        let wanted = Rebuild { rules: &self.config.rules(), tenant: None, dry_run: true, by: "test" };
        let differences = rebuild(self.database(), wanted, self.clock.now()).unwrap();
        assert!(differences.is_empty(), "{differences:#?}");
    }

    /// All records of the change feed together must give the current tables.
    pub fn assert_folds(&self) {
        if let Err(difference) = feed::folds(self.database(), false) {
            panic!("{difference}");
        }
    }

    /// Sends bytes with the given signature header.
    pub fn post(&self, path: &str, header: Option<&str>, body: impl Into<Vec<u8>>) -> Answer {
        let mut request = self.client.post(format!("http://{}{path}", self.address())).body(body.into());
        if let Some(header) = header {
            request = request.header("WorkOS-Signature", header);
        }
        self.runtime.block_on(async { Answer::read(request.send().await.unwrap()).await })
    }

    pub fn get(&self, path: &str) -> Answer {
        let address = match path {
            // The details. `Socket` reads the answer of the public port.
            "/metrics" | "/readyz" => self.app.as_ref().unwrap().admin_address,
            _ => self.address(),
        };
        let request = self.client.get(format!("http://{address}{path}"));
        self.runtime.block_on(async { Answer::read(request.send().await.unwrap()).await })
    }

    /// The metrics in the format that `accept` asks for.
    pub fn metrics(&self, accept: &str) -> Answer {
        let address = self.app.as_ref().unwrap().admin_address;
        let request = self.client.get(format!("http://{address}/metrics")).header("Accept", accept);
        self.runtime.block_on(async { Answer::read(request.send().await.unwrap()).await })
    }

    /// Signs with the configured secret and the service's clock, and sends.
    pub fn send(&self, body: impl Into<Vec<u8>>) -> Answer {
        let body = body.into();
        let header = broker::signature(SECRET, self.clock.now().millis(), &body);
        self.post("/webhooks/workos", Some(&header), body)
    }

    /// Sends, and expects the answer for a new event.
    pub fn deliver(&self, event: &Value) {
        let answer = self.send(event.to_string());
        assert_eq!(
            (answer.status, answer.json()["status"].as_str()),
            (StatusCode::OK, Some("accepted")),
            "{event}"
        );
    }

    /// Applies until the queue is empty.
    pub fn drain(&self) {
        while self.applier.step().unwrap() != ApplyStep::Idle {}
    }

    /// Delivers in this order and applies everything.
    pub fn play(&self, events: &[Value]) {
        for event in events {
            self.deliver(event);
        }
        self.drain();
    }

    pub fn rows(&self, table: PublishedTable) -> Vec<Map<String, Value>> {
        let rows = self.database().read::<_, DbError>(|conn| Ok(table.rows(conn, None)?)).unwrap();
        rows.into_iter().map(|row| table.names().map(str::to_owned).zip(row).collect()).collect()
    }

    /// The named columns of every row, as texts joined by blanks.
    pub fn brief(&self, table: PublishedTable, columns: &[&str]) -> Vec<String> {
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        self.rows(table)
            .iter()
            .map(|row| columns.iter().map(|column| text(&row[*column])).collect::<Vec<_>>().join(" "))
            .collect()
    }

    /// The state of every delivery, the oldest first.
    pub fn inbox(&self) -> Vec<(String, String)> {
        let mut entries = self
            .database()
            .read::<_, DbError>(|conn| Ok(rosterd::inbox::listing::list(conn, None, 100_000)?))
            .unwrap();
        entries.reverse();
        entries.into_iter().map(|entry| (entry.event, entry.state)).collect()
    }

    /// User ids of the leavers' notices in the outbox, in order.
    pub fn notices(&self) -> Vec<String> {
        self.noticed("deprovisioned")
    }

    /// The same for notices of another kind.
    pub fn noticed(&self, kind: &str) -> Vec<String> {
        use diesel::{ExpressionMethods, QueryDsl, RunQueryDsl};
        use rosterd::db::schema::outbox;
        self.database()
            .read::<_, DbError>(|conn| {
                Ok(outbox::table
                    .filter(outbox::kind.eq(kind))
                    .order(outbox::id)
                    .select(outbox::user_id)
                    .load(conn)?)
            })
            .unwrap()
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        if let Some(app) = self.app.take() {
            app.stop();
        }
    }
}

pub struct Answer {
    pub status: StatusCode,
    pub retry_after: Option<String>,
    pub content_type: String,
    pub body: String,
}

impl Answer {
    async fn read(response: Response) -> Self {
        let header =
            |name: &str| response.headers().get(name).and_then(|v| v.to_str().ok()).map(str::to_owned);
        let (status, retry_after) = (response.status(), header("retry-after"));
        let content_type = header("content-type").unwrap_or_default();
        Self { status, retry_after, content_type, body: response.text().await.unwrap() }
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("not JSON: {}", self.body))
    }

    /// The stable name of the problem.
    pub fn problem(&self) -> String {
        assert_eq!(self.content_type, "application/problem+json");
        self.json()["type"].as_str().unwrap().trim_start_matches("urn:rosterd:problem:").to_owned()
    }
}
