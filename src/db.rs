//! The database: embedded SQLite or PostgreSQL, by the scheme of the URL. One binary supports both.
//!
//! All access is through the methods of [`Database`]. A write is one transaction: after a crash all of it is stored, or
//! nothing.

#![warn(missing_docs)]

pub mod bulk;
#[expect(missing_docs, reason = "the derive of diesel writes items without docs")]
pub mod conn;
mod fault;
mod locks;
pub mod migrate;
mod pooler;
mod postgres_url;
pub mod probe;
pub mod row_by_row;
pub mod row_security;
#[expect(missing_docs, reason = "`table!` writes the items; the migrations describe the tables")]
pub mod schema;
mod sequences;
mod serialized;
mod server_check;
mod sqlite_file;
mod time_text;
mod url_limits;
mod watch;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use diesel::{
    connection::{AnsiTransactionManager, Connection, SimpleConnection, TransactionManager},
    r2d2::{ManageConnection, Pool},
};
use parking_lot::{Mutex, RwLock};
use secrecy::ExposeSecret;

use conn::{Pooled, SERIALIZED_LOCK};
use serialized::Ending;
use server_check::of_writes;
use url_limits::{asks_for_writes, hosts};
use watch::Call;

pub use conn::{Conn, Url, UrlError};
pub use fault::Fault;
pub use locks::{ALONE, IN_A_BATCH, wait_for_rows};
pub use serialized::{AtEnd, Recording, Serialized};
pub use sqlite_file::{ServedError, Serving, serve_alone};
pub use time_text::{postgres_time, time_as_text};
pub use watch::Watch;

/// Firewalls drop connections that are idle for longer.
const LONGEST_IDLE: Duration = Duration::from_secs(600);

/// Runs one expression with the connection of either backend. Diesel's query functions need the concrete type.
macro_rules! on_each {
    ($conn:expr, |$c:ident| $run:expr) => {
        match $conn {
            $crate::db::Conn::Postgres($c) => $run,
            $crate::db::Conn::Sqlite($c) => $run,
        }
    };
}
pub(crate) use on_each;

/// A failure of the database. [`DbError::fault`] tells how to react.
#[derive(Debug, thiserror::Error)]
pub enum DbError {
    /// No connection was free or could be opened in time.
    #[error("the database cannot be reached: {0}")]
    Unreachable(#[from] r2d2::Error),
    /// A connection could not be opened.
    #[error("the database cannot be opened: {0}")]
    Closed(#[from] conn::ConnectError),
    /// A statement failed.
    #[error("{0}")]
    Query(#[from] diesel::result::Error),
}

/// A pool of connections, cheap to clone.
#[derive(Clone)]
pub struct Database {
    live: Arc<RwLock<Live>>,
    url: Url,
    connections: u32,
    is_sqlite: bool,
    recording: Recording,
    watch: Watch,
}

/// The connections that are in use now.
#[derive(Clone)]
struct Live {
    pool: Pool<conn::Manager>,
    /// On SQLite, the one connection for all writes. SQLite allows one writer at a time. A mutex is fair and wakes the
    /// next writer at once, while SQLite's busy handler sleeps. With one connection, the page cache remains valid between
    /// writes. On PostgreSQL, the connection of [`Database::write_once`]: its prepared statements are always available,
    /// however the pool is used.
    line: Line,
}

/// One connection, which its users share one after the other.
#[derive(Clone)]
struct Line {
    manager: conn::Manager,
    /// Opened at first use, and opened again when it no longer works.
    conn: Arc<Mutex<Option<Pooled>>>,
}

impl Live {
    fn new(url: &Url, connections: u32) -> Self {
        let manager = conn::Manager::new(url.clone());
        let line = Line { manager: manager.clone(), conn: Arc::new(Mutex::new(None)) };
        let pool = Pool::builder()
            .max_size(connections)
            .min_idle(Some(0))
            .test_on_check_out(true)
            .idle_timeout(Some(LONGEST_IDLE))
            .connection_timeout(url.patience())
            .error_handler(Box::new(conn::Quiet))
            .build_unchecked(manager);
        Self { pool, line }
    }
}

impl Database {
    /// Opens no connection yet, so that a service can start before its database does.
    pub fn new(url: &Url, connections: u32) -> Self {
        let live = Arc::new(RwLock::new(Live::new(url, connections)));
        let is_sqlite = matches!(url, Url::Sqlite(_));
        let recording = Recording::Notifying;
        Self { live, url: url.clone(), connections, is_sqlite, recording, watch: Watch::default() }
    }

    /// The same database with another content of the change feed.
    pub fn recording(self, recording: Recording) -> Self {
        Self { recording, ..self }
    }

    /// Replaces the pool, for all clones of this database: later calls get new connections. A call that already waits for
    /// an old connection continues to wait.
    pub fn renew(&self) {
        *self.live.write() = Live::new(&self.url, self.connections);
    }

    fn pool(&self) -> Pool<conn::Manager> {
        self.live.read().pool.clone()
    }

    fn line(&self) -> Line {
        self.live.read().line.clone()
    }

    /// Checks whether a PostgreSQL server is suitable (`nature`), before the first write. A server that does not answer is
    /// no error here: the next call reports it.
    pub fn expect_suitable(&self) -> Result<(), DbError> {
        let Url::Postgres(url) = &self.url else { return Ok(()) };
        let looked = self.line().manager.connect().and_then(|mut pooled| match &mut pooled.conn {
            Conn::Postgres(pg) => Ok(of_writes(pg, hosts(url.expose_secret()))?.map_or(Ok(()), Err)?),
            Conn::Sqlite(_) => Ok(()),
        });
        match looked {
            Err(wrong @ (conn::ConnectError::Unsuitable(_) | conn::ConnectError::NoSecond(_))) => {
                Err(wrong.into())
            }
            _ => Ok(()),
        }
    }

    /// Whether the URL names several hosts and does not ask for one that accepts writes: libpq then takes the first that
    /// answers, which may be a standby.
    pub fn may_meet_a_standby(&self) -> bool {
        let Url::Postgres(url) = &self.url else { return false };
        let url = url.expose_secret();
        hosts(url) > 1 && !asks_for_writes(url)
    }

    /// Whether only one transaction can write at a time, including the inbox (SQLite).
    pub fn has_one_writer(&self) -> bool {
        self.is_sqlite
    }

    /// A clone whose calls the returned watch measures. Only PostgreSQL calls are measured: a file always answers.
    pub fn watched(&self) -> (Self, Watch) {
        let watch = Watch::default();
        (Self { watch: watch.clone(), ..self.clone() }, watch)
    }

    fn call(&self) -> Option<Call<'_>> {
        (!self.is_sqlite).then(|| self.watch.begin(Instant::now()))
    }

    /// Runs with a connection of the pool, and records whether the connection works.
    fn with<T, E: From<DbError>>(&self, run: impl FnOnce(&mut Conn) -> Result<T, E>) -> Result<T, E> {
        let _call = self.call();
        let pool = self.pool();
        let mut pooled = pool.get().map_err(DbError::from)?;
        let outcome = run(&mut pooled.conn);
        pooled.worked_at = outcome.is_ok().then(Instant::now);
        outcome
    }

    /// Runs statements outside any transaction. Each sees the rows that are committed when it starts.
    pub fn read<T, E: From<DbError> + From<diesel::result::Error>>(
        &self,
        run: impl FnOnce(&mut Conn) -> Result<T, E>,
    ) -> Result<T, E> {
        self.with(run)
    }

    /// Runs statements that all see the database as it was at the first of them. The transaction is rolled back at the end.
    pub fn snapshot<T, E: From<DbError> + From<diesel::result::Error>>(
        &self,
        run: impl FnOnce(&mut Conn) -> Result<T, E>,
    ) -> Result<T, E> {
        self.with(|conn| {
            match conn {
                Conn::Sqlite(c) => AnsiTransactionManager::begin_transaction_sql(c, "BEGIN")?,
                Conn::Postgres(c) => {
                    AnsiTransactionManager::begin_transaction_sql(
                        c,
                        "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
                    )?;
                }
            }
            let outcome = run(conn);
            <Conn as Connection>::TransactionManager::rollback_transaction(conn)?;
            outcome
        })
    }

    /// On SQLite, copies the write-ahead log into the database file. Reads and writes continue meanwhile; their changes
    /// are copied by the next call.
    pub fn checkpoint(&self) -> Result<(), DbError> {
        match self.is_sqlite {
            true => self.read(|conn| Ok(conn.batch_execute("PRAGMA wal_checkpoint(PASSIVE)")?)),
            false => Ok(()),
        }
    }

    /// Runs one write transaction. It does not wait for the serialized transaction.
    pub fn write<T, E: From<DbError> + From<diesel::result::Error>>(
        &self,
        run: impl FnOnce(&mut Conn) -> Result<T, E>,
    ) -> Result<T, E> {
        self.transaction("BEGIN", run)
    }

    /// Runs a single statement. On PostgreSQL a single statement is a transaction by itself, which saves the round trips of
    /// BEGIN and COMMIT. On SQLite this is [`Database::write`].
    pub fn write_once<T, E: From<DbError> + From<diesel::result::Error>>(
        &self,
        run: impl FnOnce(&mut Conn) -> Result<T, E>,
    ) -> Result<T, E> {
        match self.is_sqlite {
            true => self.line().transaction(run),
            false => {
                let _call = self.call();
                self.line().with(run)
            }
        }
    }

    /// Runs the serialized transaction: the write transaction that changes rows. One runs at a time in the whole database,
    /// so each decides on the rows that the previous one wrote (docs/decisions/2-one-serialized-transaction.md).
    pub fn write_serialized<T, E: From<DbError> + From<diesel::result::Error>>(
        &self,
        run: impl FnOnce(&mut Serialized<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        // On SQLite any write transaction excludes the others. On PostgreSQL the idle limit ends the transaction of a
        // process that no longer sends statements, which releases the lock.
        let begin = format!(
            "BEGIN; SET LOCAL idle_in_transaction_session_timeout = '15s'; SELECT pg_advisory_xact_lock({SERIALIZED_LOCK})"
        );
        let mut ending = Ending::new(self.recording);
        self.transaction(&begin, |conn| {
            let value = run(&mut Serialized::new(conn, &mut ending))?;
            ending.finish(conn)?;
            Ok(value)
        })
    }

    fn transaction<T, E: From<DbError> + From<diesel::result::Error>>(
        &self,
        begin_postgres: &str,
        run: impl FnOnce(&mut Conn) -> Result<T, E>,
    ) -> Result<T, E> {
        match self.is_sqlite {
            true => self.line().transaction(run),
            false => self.with(|conn| transaction(conn, begin_postgres, run)),
        }
    }
}

impl Line {
    fn transaction<T, E: From<DbError> + From<diesel::result::Error>>(
        &self,
        run: impl FnOnce(&mut Conn) -> Result<T, E>,
    ) -> Result<T, E> {
        self.with(|conn| transaction(conn, "", run))
    }

    fn with<T, E: From<DbError>>(&self, run: impl FnOnce(&mut Conn) -> Result<T, E>) -> Result<T, E> {
        let mut idle = self.conn.lock();
        let works = |mut pooled: Pooled| {
            let is_fresh = pooled.worked_at.is_some_and(|at| at.elapsed() < LONGEST_IDLE);
            (is_fresh && self.manager.is_valid(&mut pooled).is_ok()).then_some(pooled)
        };
        let mut pooled = match idle.take().and_then(works) {
            Some(pooled) => pooled,
            None => self.manager.connect().map_err(DbError::from)?,
        };
        let outcome = run(&mut pooled.conn);
        pooled.worked_at = outcome.is_ok().then(Instant::now);
        // After a failure the next call opens a new connection: the server may have changed, or may be read-only now.
        if outcome.is_ok() && !self.manager.has_broken(&mut pooled) {
            *idle = Some(pooled);
        }
        outcome
    }
}

fn transaction<T, E: From<diesel::result::Error>>(
    conn: &mut Conn,
    begin_postgres: &str,
    run: impl FnOnce(&mut Conn) -> Result<T, E>,
) -> Result<T, E> {
    match conn {
        // IMMEDIATE: a transaction that reads first and writes later would fail when another one has written in between.
        Conn::Sqlite(c) => AnsiTransactionManager::begin_transaction_sql(c, "BEGIN IMMEDIATE")?,
        Conn::Postgres(c) => AnsiTransactionManager::begin_transaction_sql(c, begin_postgres)?,
    }
    match run(conn) {
        Ok(value) => {
            <Conn as Connection>::TransactionManager::commit_transaction(conn)?;
            Ok(value)
        }
        Err(error) => {
            // The first error is reported. A failed rollback only means that the connection is broken, and a broken
            // connection is not used again.
            drop(<Conn as Connection>::TransactionManager::rollback_transaction(conn));
            Err(error)
        }
    }
}
