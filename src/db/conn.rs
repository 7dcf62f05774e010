//! One connection to either backend, and its settings.

use std::{
    fmt,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use diesel::{
    Connection, MultiConnection, PgConnection, SqliteConnection,
    connection::{SimpleConnection, TransactionManager, TransactionManagerStatus},
    r2d2::ManageConnection,
};
use parking_lot::Mutex;
use secrecy::{ExposeSecret, SecretString};

use super::{
    pooler, postgres_url,
    server_check::Unsuitable,
    sqlite_file,
    url_limits::{BUNDLES, Environment, divided, patience, with_limits},
};

/// A connection to either database.
#[derive(MultiConnection)]
pub enum Conn {
    /// PostgreSQL.
    Postgres(PgConnection),
    /// SQLite.
    Sqlite(SqliteConnection),
}

impl Conn {
    /// Whether the connection is certainly outside any transaction.
    pub(super) fn is_idle(&mut self) -> bool {
        matches!(
            <Self as Connection>::TransactionManager::transaction_manager_status_mut(self),
            TransactionManagerStatus::Valid(status) if status.transaction_depth().is_none()
        )
    }
}

/// The key of the advisory lock. Any number that no other program uses in this database: "rosterd" in ASCII.
pub(super) const SERIALIZED_LOCK: i64 = 0x0072_6f73_7465_7264;

/// The address of the database. Printing it hides the password.
#[derive(Clone)]
pub enum Url {
    /// The path of a file.
    Sqlite(String),
    /// A connection string for libpq. It may contain a password.
    Postgres(SecretString),
}

/// Why a text is not the URL of a database.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// It begins with neither `sqlite://` nor `postgres://`. Without this check SQLite would open a mistyped PostgreSQL URL
    /// as a file.
    #[error("DATABASE_URL must begin with sqlite:// or postgres://, as in sqlite://rosterd.db")]
    Scheme,
    /// The path of the file is missing.
    #[error("DATABASE_URL names no file; write sqlite://rosterd.db or sqlite:///var/lib/rosterd/rosterd.db")]
    NoFile,
    #[error(
        "DATABASE_URL cannot be read: in user and password write @ as %40, / as %2F, ? as %3F, # as %23, % as %25, a blank as %20 and the like; \
         a port is a number"
    )]
    /// libpq cannot read it.
    Unclear,
}

impl Url {
    /// Reads the setting `database_url`.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        if let Some(path) = text.strip_prefix("sqlite://") {
            let path = path.split('?').next().unwrap_or_default();
            // Each connection would get a separate in-memory database.
            return if path.is_empty() || path == ":memory:" {
                Err(UrlError::NoFile)
            } else {
                Ok(Self::Sqlite(path.to_owned()))
            };
        }
        let rest = text.strip_prefix("postgres://").or_else(|| text.strip_prefix("postgresql://"));
        match rest {
            Some(rest) if postgres_url::is_plain(rest) => Ok(Self::Postgres(text.into())),
            Some(_) => Err(UrlError::Unclear),
            None => Err(UrlError::Scheme),
        }
    }

    /// How long a caller waits for a free or new connection before it gets an error.
    pub(super) fn patience(&self) -> Duration {
        match self {
            Self::Sqlite(_) => Duration::from_secs(3),
            Self::Postgres(url) => patience(url.expose_secret()),
        }
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite://{path}"),
            Self::Postgres(url) => {
                // The parameters may contain a password too.
                let (url, _) = divided(url.expose_secret());
                let (scheme, rest) = url.split_once("://").unwrap_or(("postgres", url));
                match rest.rsplit_once('@') {
                    Some((user, host)) => {
                        write!(f, "{scheme}://{}@{host}", user.split(':').next().unwrap_or_default())
                    }
                    None => write!(f, "{scheme}://{rest}"),
                }
            }
        }
    }
}

impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A connection in the pool, with the time of its last success.
pub struct Pooled {
    pub(super) conn: Conn,
    /// When it last worked. `None` after a failure: a failure between BEGIN and the lock leaves the server in a transaction
    /// that diesel does not know. The test query then fails, and the connection is closed.
    pub(super) worked_at: Option<Instant>,
    /// A random number, which PostgreSQL stores as a setting of the session: it identifies the server process.
    mark: u64,
}

/// A connection that worked within this time is not tested again.
const TRUST: Duration = Duration::from_secs(1);

/// The result of a check (`pooler`) is valid for this time: while rosterd runs, the mode of a pooler may change, or the
/// address may lead to another server.
const LOOKED: Duration = Duration::from_secs(60);

/// Opens connections, and tests whether they still work.
#[derive(Clone, Debug)]
pub struct Manager {
    url: Url,
    /// When the server was last found to be suitable.
    looked_at: Arc<Mutex<Option<Instant>>>,
}

impl Manager {
    pub(super) fn new(url: Url) -> Self {
        Self { url, looked_at: Arc::default() }
    }
}

/// WAL with FULL: a commit is on the disk when it returns, and readers do not wait for writers. A separate thread copies
/// the log into the file (`worker::checkpointer`). If the log reaches 64 MiB (16000 pages), the committing connection
/// copies it.
const SQLITE_SETUP: &str = "PRAGMA busy_timeout = 5000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
     PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -16384; \
     PRAGMA wal_autocheckpoint = 16000;";

/// The tables are in two schemas (`migrate::SCHEMAS`). The time-outs limit how long one stuck statement can block others. The TCP limits are
/// those of `address::LIMITS`: a server that lost this client releases its locks when the client connects elsewhere.
/// synchronous_commit is set because promise 1 (a committed delivery is acknowledged) must not depend on the server's
/// default. The isolation is set because a serialized transaction must see the rows that the previous one wrote.
///
/// Each statement of the data path finds its rows by key, so the best plan is known: an index look-up for each input row.
/// With its defaults the planner makes a new plan for each batch (an array of known length looks cheaper), which costs more
/// than a small batch. In a new database without statistics it would also scan whole tables. A bitmap of rows has no order,
/// so a page of a list, or the first members of a group, would cost as much as all of them. The index of the key must be
/// the only index that begins with these columns.
const POSTGRES_SETUP: &str = "SET search_path = rosterd_internal, rosterd; SET TimeZone = 'UTC'; SET client_min_messages = warning; \
     SET default_transaction_isolation = 'read committed'; SET standard_conforming_strings = on; \
     SET synchronous_commit = on; SET idle_in_transaction_session_timeout = '60s'; SET statement_timeout = '60s'; \
     SET lock_timeout = '20s'; SET application_name = 'rosterd'; SET plan_cache_mode = force_generic_plan; \
     SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off; \
     SET jit = off; \
     SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 2; SET tcp_user_timeout = '20s';";

impl ManageConnection for Manager {
    type Connection = Pooled;
    type Error = ConnectError;

    fn connect(&self) -> Result<Pooled, ConnectError> {
        let mut conn = self.open()?;
        let mark = rand::random();
        if let Conn::Postgres(pg) = &mut conn {
            pg.batch_execute(&format!("SET rosterd.connection = '{mark}'"))?;
        }
        Ok(Pooled { conn, worked_at: None, mark })
    }

    fn is_valid(&self, pooled: &mut Pooled) -> Result<(), ConnectError> {
        if pooled.worked_at.is_some_and(|at| at.elapsed() < TRUST) {
            return Ok(());
        }
        let valid = match &mut pooled.conn {
            Conn::Sqlite(sqlite) => sqlite.batch_execute("SELECT 1"),
            // Divides by zero when this is another server process, or when it has the settings of another program.
            Conn::Postgres(pg) => pg.batch_execute(&format!(
                "SELECT 1 / (coalesce(current_setting('rosterd.connection', true), '') = '{}')::int",
                pooled.mark
            )),
        };
        if valid.is_err() {
            *self.looked_at.lock() = None;
        }
        Ok(valid?)
    }

    /// A connection whose transaction did not end is never used again.
    fn has_broken(&self, pooled: &mut Pooled) -> bool {
        !pooled.conn.is_idle() || std::thread::panicking()
    }
}

impl Manager {
    pub(super) fn open(&self) -> Result<Conn, ConnectError> {
        match &self.url {
            Url::Sqlite(path) => {
                sqlite_file::make(path).map_err(ConnectError::File)?;
                let mut sqlite = SqliteConnection::establish(path)
                    .map_err(|error| ConnectError::Connect(error.to_string()))?;
                sqlite.batch_execute(SQLITE_SETUP)?;
                Ok(Conn::Sqlite(sqlite))
            }
            Url::Postgres(url) => {
                let mut pg = establish(url.expose_secret())?;
                // Before any setting: a pooler might give the server process with our settings to another program.
                if !self.looked_at.lock().is_some_and(|at| at.elapsed() < LOOKED) {
                    let url = url.clone();
                    pg = pooler::look(pg, move || establish(url.expose_secret()))?;
                    *self.looked_at.lock() = Some(Instant::now());
                }
                pg.batch_execute(POSTGRES_SETUP)?;
                Ok(Conn::Postgres(pg))
            }
        }
    }
}

fn establish(url: &str) -> Result<PgConnection, ConnectError> {
    PgConnection::establish(&with_limits(url, surroundings())?)
        .map_err(|error| ConnectError::Connect(postgres_url::without_password(&error.to_string(), url)))
}

fn surroundings() -> Environment {
    let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    Environment {
        limits_connecting: is_set("PGCONNECT_TIMEOUT"),
        names_certificates: is_set("SSL_CERT_FILE") || is_set("SSL_CERT_DIR"),
        bundle: BUNDLES.into_iter().find(|path| Path::new(path).is_file()),
    }
}

/// Why a connection could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    #[error(
        "sslrootcert=system is set, and no bundle of certificate authorities is at the usual paths; set sslrootcert to the path of one, or install the package ca-certificates"
    )]
    /// There are no root certificates on this machine.
    NoCertificates,
    /// The server or the file refused; the text has no password.
    #[error("{0}")]
    Connect(String),
    /// A statement of the set-up failed.
    #[error("{0}")]
    Query(#[from] diesel::result::Error),
    /// The file of the database could not be prepared.
    #[error("its file cannot be created: {0}; create its directory, or let this user write there")]
    File(std::io::Error),
    /// rosterd cannot work with this server.
    #[error("{0}")]
    Unsuitable(#[from] Unsuitable),
    /// The check with a second connection exceeded its time limit.
    #[error(
        "rosterd checks the server with a second connection, which got no answer within {0:?}: set a pooler in front of it to session mode, with enough connections for rosterd (pgbouncer: default_pool_size)"
    )]
    NoSecond(Duration),
    /// The server refused an empty transaction.
    #[error(
        "the first transaction of a connection failed: {0}; a pooler in statement mode causes this: set it to session mode, or set DATABASE_URL to the server itself"
    )]
    AtBegin(diesel::result::Error),
    /// The operating system refused a thread.
    #[error("a thread could not be started: {0}")]
    Thread(std::io::Error),
}

/// The pool retries in the background and would log each failure. The caller reports the error once.
#[derive(Debug)]
pub(super) struct Quiet;

impl<E> r2d2::HandleError<E> for Quiet {
    fn handle_error(&self, _: E) {}
}
