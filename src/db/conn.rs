//! One connection: which backend, and how it is set up.

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
    address::{BUNDLES, Surroundings, divided, patience, with_limits},
    nature::Unsuitable,
    pooler, postgres_url, sqlite_file,
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
    /// Outside any transaction, and sure of it.
    pub(super) fn is_idle(&mut self) -> bool {
        matches!(
            <Self as Connection>::TransactionManager::transaction_manager_status_mut(self),
            TransactionManagerStatus::Valid(status) if status.transaction_depth().is_none()
        )
    }
}

/// Any number will do as long as nobody else uses it in this database: "rosterd" in ASCII.
pub(super) const SERIALIZED_LOCK: i64 = 0x0072_6f73_7465_7264;

/// Where the database is. Printing it hides the password.
#[derive(Clone)]
pub enum Url {
    /// The path of a file.
    Sqlite(String),
    /// A connection string as libpq reads it; it may hold a password.
    Postgres(SecretString),
}

/// Why a text is not the address of a database.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    // Chosen by scheme and never by trial: SQLite would take a mistyped PostgreSQL URL for a file name.
    /// It begins with neither `sqlite://` nor `postgres://`.
    #[error("DATABASE_URL must begin with sqlite:// or postgres://, as in sqlite://rosterd.db")]
    Scheme,
    /// The path of the file is missing.
    #[error("DATABASE_URL names no file; write sqlite://rosterd.db or sqlite:///var/lib/rosterd/rosterd.db")]
    NoFile,
    #[error(
        "DATABASE_URL cannot be read: in user and password write @ as %40, / as %2F, ? as %3F, # as %23, % as %25 and the like; \
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
            // A database in memory would be another one for each connection.
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

    /// How long a caller waits for a free or new connection before it is told that the database is away.
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
                // Parameters can hold a password too.
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

/// A connection in the pool, and since when nothing is known of it.
pub struct Pooled {
    pub(super) conn: Conn,
    /// When it was last seen to work; `None` after a failure, as after one between BEGIN and the lock, which leaves the
    /// server in a transaction that diesel does not know of: then a test query fails and the connection is closed.
    pub(super) worked_at: Option<Instant>,
    /// A random number, with which the server process is marked on PostgreSQL.
    mark: u64,
}

/// One that worked a moment ago is not asked again whether it does.
const TRUST: Duration = Duration::from_secs(1);

/// A pooler can be set to another mode while rosterd runs, and an address lead to another server: what was found at a look
/// holds for so long.
const LOOKED: Duration = Duration::from_secs(60);

/// Opens connections and tells which of them still work.
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

/// WAL with FULL: a commit is on the disk when it returns, and readers do not wait for writers. The log goes back into the
/// file in a thread of its own (`worker::checkpointer`); at 64 MiB whoever commits sees to what is left, and it begins anew.
const SQLITE_SETUP: &str = "PRAGMA busy_timeout = 5000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
     PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -16384; \
     PRAGMA wal_autocheckpoint = 16000;";

/// Everything lives in schema rosterd. The time-outs bound what one stuck statement can hold up, and a server that has lost
/// this side gives up its locks as soon as this side looks elsewhere (`address::LIMITS`); synchronous_commit is
/// set because "committed, then 200" must not depend on a server's default; nor must the isolation, as a serialized
/// transaction must see the rows that the last one left.
///
/// Every statement of the data path finds its rows by key, however many they are, so its one good plan is known: a
/// look-up in the key's index for each row of input. Left alone, the planner makes a new plan for each batch (it takes
/// an array of known length for cheaper), which costs more than a small batch itself, and for want of statistics reads
/// whole tables in a young database. The key's index must be the only one that begins with the columns looked up.
const POSTGRES_SETUP: &str = "SET search_path = rosterd; SET TimeZone = 'UTC'; SET client_min_messages = warning; \
     SET default_transaction_isolation = 'read committed'; SET standard_conforming_strings = on; \
     SET synchronous_commit = on; SET idle_in_transaction_session_timeout = '60s'; SET statement_timeout = '60s'; \
     SET lock_timeout = '20s'; SET application_name = 'rosterd'; SET plan_cache_mode = force_generic_plan; \
     SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off; SET jit = off; \
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
            // An error too when the process is another one, or somebody else's settings are on it.
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

    /// A connection whose transaction did not end cleanly is never used again.
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
                // Before any setting: a pooler might hand it on to others.
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

fn surroundings() -> Surroundings {
    let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    Surroundings {
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
    #[error("its file cannot be made: {0}")]
    File(std::io::Error),
    #[error("{0}")]
    Unsuitable(#[from] Unsuitable),
    #[error(
        "a second connection, by which the server is looked at, got no answer within {0:?}: a pooler before it must have room for all connections of rosterd (pgbouncer: default_pool_size), in session mode"
    )]
    NoSecond(Duration),
    #[error(
        "the first transaction of a connection failed: {0}; a pooler in statement mode does that: set it to session mode, or let DATABASE_URL name the server itself"
    )]
    AtBegin(diesel::result::Error),
    #[error("a thread could not be started: {0}")]
    Thread(std::io::Error),
}

/// The pool retries in the background and would log each failure; whoever asked for the connection says it once.
#[derive(Debug)]
pub(super) struct Quiet;

impl<E> r2d2::HandleError<E> for Quiet {
    fn handle_error(&self, _: E) {}
}
