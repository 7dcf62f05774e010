//! The database: SQLite embedded, or PostgreSQL; chosen by the URL's scheme, one binary for both.
//!
//! [`Database::read`] and [`Database::write`] are the only ways to a connection. A write is one transaction: after a
//! crash all of it stands, or nothing.

mod address;
pub mod bulk;
pub mod conn;
mod fault;
mod locks;
pub mod migrate;
mod nature;
mod pooler;
mod postgres_url;
pub mod probe;
pub mod schema;
mod sequences;
mod serialized;
mod sqlite_file;
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

use address::{asks_for_writes, hosts};
use conn::{Pooled, SERIALIZED_LOCK};
use nature::of_writes;
use watch::Call;

pub use conn::{Conn, Url, UrlError};
pub use fault::Fault;
pub use locks::{ALONE, IN_A_BATCH, wait_for_rows};
pub use serialized::Serialized;
pub use sqlite_file::{ServedError, Serving, serve_alone};
pub use watch::Watch;

/// Firewalls forget connections that say nothing for longer.
const LONGEST_IDLE: Duration = Duration::from_secs(600);

/// Runs one expression on whichever backend is open: for the few places where the two dialects differ.
macro_rules! on_each {
    ($conn:expr, |$c:ident| $run:expr) => {
        match $conn {
            $crate::db::Conn::Postgres($c) => $run,
            $crate::db::Conn::Sqlite($c) => $run,
        }
    };
}
pub(crate) use on_each;

/// What went wrong with the database, by what can be done about it.
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
    watch: Watch,
}

/// The connections that are in use now.
#[derive(Clone)]
struct Live {
    pool: Pool<conn::Manager>,
    /// SQLite has one writer at a time. Waiting here is fair and wakes at once, where its own busy handler sleeps; and as
    /// all write through one connection, none finds that another has made its cache of pages worthless. On PostgreSQL it
    /// is that of [`Database::write_once`]: what it has prepared and seen stays at hand, however others use the pool.
    line: Line,
}

/// One connection for whoever writes one after the other.
#[derive(Clone)]
struct Line {
    manager: conn::Manager,
    /// Opened when it is needed, and again when it does not work any more.
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
        Self { live, url: url.clone(), connections, is_sqlite, watch: Watch::default() }
    }

    /// All who come from now on get new connections, for all clones of this database. Those who still wait for an old one
    /// go on waiting.
    pub fn renew(&self) {
        *self.live.write() = Live::new(&self.url, self.connections);
    }

    fn pool(&self) -> Pool<conn::Manager> {
        self.live.read().pool.clone()
    }

    fn line(&self) -> Line {
        self.live.read().line.clone()
    }

    /// Looks at what a PostgreSQL server is, before anything is kept there. Whether it answers is told by whoever uses it next.
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

    /// Several hosts, of which the first that answers is taken, whether it takes writes or not.
    pub fn may_meet_a_standby(&self) -> bool {
        let Url::Postgres(url) = &self.url else { return false };
        let url = url.expose_secret();
        hosts(url) > 1 && !asks_for_writes(url)
    }

    /// Whether writers exclude each other, receivers included.
    pub fn has_one_writer(&self) -> bool {
        self.is_sqlite
    }

    /// The same database, whose calls are seen by the watch: those over PostgreSQL, as a file does not fall silent.
    pub fn watched(&self) -> (Self, Watch) {
        let watch = Watch::default();
        (Self { watch: watch.clone(), ..self.clone() }, watch)
    }

    fn call(&self) -> Option<Call<'_>> {
        (!self.is_sqlite).then(|| self.watch.begin(Instant::now()))
    }

    /// Runs with a connection of the pool, and notes whether it works.
    fn with<T, E: From<DbError>>(&self, run: impl FnOnce(&mut Conn) -> Result<T, E>) -> Result<T, E> {
        let _call = self.call();
        let pool = self.pool();
        let mut pooled = pool.get().map_err(DbError::from)?;
        let outcome = run(&mut pooled.conn);
        pooled.worked_at = outcome.is_ok().then(Instant::now);
        outcome
    }

    /// Statements that see the database as it is, outside any transaction.
    pub fn read<T, E: From<DbError> + From<diesel::result::Error>>(
        &self,
        run: impl FnOnce(&mut Conn) -> Result<T, E>,
    ) -> Result<T, E> {
        self.with(run)
    }

    /// Statements that all see the database as it was at the first of them; nothing is kept of what they write.
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

    /// On SQLite, copies what its log holds into its file while others go on reading and writing. What they write
    /// meanwhile is left for the next time.
    pub fn checkpoint(&self) -> Result<(), DbError> {
        match self.is_sqlite {
            true => self.read(|conn| Ok(conn.batch_execute("PRAGMA wal_checkpoint(PASSIVE)")?)),
            false => Ok(()),
        }
    }

    /// One write transaction.
    pub fn write<T, E: From<DbError> + From<diesel::result::Error>>(
        &self,
        run: impl FnOnce(&mut Conn) -> Result<T, E>,
    ) -> Result<T, E> {
        self.transaction("BEGIN", run)
    }

    /// What is a single statement on PostgreSQL, and so a transaction of its own without a round trip for its begin and
    /// another for its end; on SQLite a transaction like any other.
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

    /// The serialized transaction: the write transaction that changes rows. One runs at a time in the whole database, so that
    /// each decides on the rows that the last one left (see `apply`).
    pub fn write_serialized<T, E: From<DbError> + From<diesel::result::Error>>(
        &self,
        run: impl FnOnce(&mut Serialized<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        // On SQLite any write transaction excludes the others. A process that holds the lock and falls silent loses it soon.
        let begin = format!(
            "BEGIN; SET LOCAL idle_in_transaction_session_timeout = '15s'; SELECT pg_advisory_xact_lock({SERIALIZED_LOCK})"
        );
        self.transaction(&begin, |conn| run(&mut Serialized::new(conn)))
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
        let mut kept = self.conn.lock();
        let works = |mut pooled: Pooled| {
            let is_fresh = pooled.worked_at.is_some_and(|at| at.elapsed() < LONGEST_IDLE);
            (is_fresh && self.manager.is_valid(&mut pooled).is_ok()).then_some(pooled)
        };
        let mut pooled = match kept.take().and_then(works) {
            Some(pooled) => pooled,
            None => self.manager.connect().map_err(DbError::from)?,
        };
        let outcome = run(&mut pooled.conn);
        pooled.worked_at = outcome.is_ok().then(Instant::now);
        // After a failure it is opened anew: its server may have become another, or read-only.
        if outcome.is_ok() && !self.manager.has_broken(&mut pooled) {
            *kept = Some(pooled);
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
        // IMMEDIATE: a transaction that reads first and writes then would fail under a second writer.
        Conn::Sqlite(c) => AnsiTransactionManager::begin_transaction_sql(c, "BEGIN IMMEDIATE")?,
        Conn::Postgres(c) => AnsiTransactionManager::begin_transaction_sql(c, begin_postgres)?,
    }
    match run(conn) {
        Ok(value) => {
            <Conn as Connection>::TransactionManager::commit_transaction(conn)?;
            Ok(value)
        }
        Err(error) => {
            // The first error is the one to tell; a failed rollback only means that the connection is dead, and broken
            // ones are thrown away.
            drop(<Conn as Connection>::TransactionManager::rollback_transaction(conn));
            Err(error)
        }
    }
}
