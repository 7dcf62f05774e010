//! A database for one test: a file in a temporary directory, or a database on the server of the test run.

use std::sync::atomic::{AtomicU32, Ordering};

use diesel::{Connection, PgConnection, RunQueryDsl, sql_query};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    Sqlite,
    Postgres,
}

const OFFER: &str = "ROSTERD_TEST_POSTGRES_URL";

impl Backend {
    /// The databases of this run. PostgreSQL is omitted only by the feature, never because it is absent: a test that
    /// does not run must not count as passed.
    pub fn offered() -> Vec<Self> {
        match cfg!(feature = "sqlite-only") {
            true => vec![Self::Sqlite],
            false => vec![Self::Sqlite, Self::Postgres],
        }
    }
}

pub enum TestDatabase {
    Sqlite(tempfile::TempDir),
    Postgres { server: String, name: String },
}

impl TestDatabase {
    pub fn create(backend: Backend) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        match backend {
            Backend::Sqlite => Self::Sqlite(tempfile::tempdir().unwrap()),
            Backend::Postgres => {
                let server = std::env::var(OFFER).unwrap_or_else(|_| {
                    panic!("{OFFER} is not set: run `tests/run`, or leave PostgreSQL out by `--features sqlite-only`")
                });
                let count = COUNT.fetch_add(1, Ordering::SeqCst);
                let name = format!("rosterd_test_{}_{count}", std::process::id());
                execute(&server, &format!("CREATE DATABASE {name}"));
                Self::Postgres { server, name }
            }
        }
    }

    /// The database in which databases are created.
    pub fn server(&self) -> &str {
        match self {
            Self::Sqlite(_) => panic!("SQLite has no server"),
            Self::Postgres { server, .. } => server,
        }
    }

    pub fn url(&self) -> String {
        match self {
            Self::Sqlite(directory) => format!("sqlite://{}/rosterd.db", directory.path().display()),
            Self::Postgres { server, name } => {
                let (path, parameters) =
                    server.split_once('?').map_or((server.as_str(), None), |(p, q)| (p, Some(q)));
                let base = path.rsplit_once('/').unwrap().0;
                parameters
                    .map_or(format!("{base}/{name}"), |parameters| format!("{base}/{name}?{parameters}"))
            }
        }
    }
}

pub fn execute(url: &str, sql: &str) {
    let mut server = PgConnection::establish(url).unwrap();
    sql_query(sql).execute(&mut server).unwrap();
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        if let Self::Postgres { server, name } = self {
            execute(server, &format!("DROP DATABASE {name} WITH (FORCE)"));
        }
    }
}
