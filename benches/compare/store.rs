//! Where a contender keeps its tables: a database of its own, gone afterwards.

use std::sync::atomic::{AtomicU32, Ordering};

use diesel::{
    Connection, PgConnection, QueryableByName, RunQueryDsl, connection::SimpleConnection, sql_query,
    sql_types::BigInt,
};
use rosterd::db::{Conn, Database, DbError, Url};
use tempfile::TempDir;

use crate::{Options, Outcome, contender::Contender};

pub enum Store {
    Postgres { server: String, name: String },
    Sqlite(TempDir),
}

#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = BigInt)]
    number: i64,
}

impl Store {
    pub fn postgres(options: &Options) -> Outcome<Self> {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let name = format!("rosterd_bench_{}_{number}", std::process::id());
        let store = Self::Postgres { server: options.postgres.clone(), name };
        if let Self::Postgres { server, name } = &store {
            let mut server = PgConnection::establish(server)?;
            server.batch_execute(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"))?;
            server.batch_execute(&format!("CREATE DATABASE {name}"))?;
            // Nobody pays for what the one before has left to be written.
            server.batch_execute("CHECKPOINT")?;
        }
        Ok(store)
    }

    /// On the disk of the working directory, as PostgreSQL's is: a file in memory would be unfair.
    pub fn sqlite() -> Outcome<Self> {
        Ok(Self::Sqlite(tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?))
    }

    pub fn url(&self) -> String {
        match self {
            Self::Postgres { server, name } => {
                let server = server.rsplit_once('/').map_or(server.as_str(), |(server, _)| server);
                format!("{server}/{name}")
            }
            Self::Sqlite(home) => format!("sqlite://{}/rosterd.db", home.path().display()),
        }
    }

    pub fn execute(&self, sql: &str) -> Outcome<()> {
        Ok(PgConnection::establish(&self.url())?.batch_execute(sql)?)
    }

    /// One number, as `number`, with rosterd's own connection set-up.
    pub fn number(&self, sql: &str) -> Outcome<i64> {
        let database = Database::new(&Url::parse(&self.url())?, 1);
        Ok(number(&database, sql)?)
    }

    /// Returns when rosterd has applied everything that it keeps.
    pub fn wait_until_settled(&self, contender: Contender) -> Outcome<()> {
        let database = Database::new(&Url::parse(&self.url())?, 1);
        let jobs = if contender.is_before() { "refreshes" } else { "recompute_jobs" };
        let waits = format!(
            "SELECT CAST(CASE WHEN EXISTS (SELECT 1 FROM inbox_queue) OR EXISTS (SELECT 1 FROM {jobs}) \
             THEN 1 ELSE 0 END AS bigint) AS number"
        );
        while number(&database, &waits)? > 0 {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        Ok(())
    }
}

fn number(database: &Database, sql: &str) -> Result<i64, DbError> {
    database.read(|conn| {
        let found: Number = match conn {
            Conn::Postgres(pg) => sql_query(sql).get_result(pg)?,
            Conn::Sqlite(sqlite) => sql_query(sql).get_result(sqlite)?,
        };
        Ok(found.number)
    })
}

impl Drop for Store {
    fn drop(&mut self) {
        if let Self::Postgres { server, name } = self {
            let dropped = PgConnection::establish(server).map(|mut server| {
                server.batch_execute(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
            });
            if !matches!(dropped, Ok(Ok(()))) {
                eprintln!("the database {name} could not be dropped");
            }
        }
    }
}
