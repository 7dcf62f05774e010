//! On SQLite: copies the write-ahead log into the database file, beside the writers. SQLite itself would do that inside
//! a commit, and a broker would wait for its answer while megabytes are copied.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use crate::{db::Database, runtime::wake::Wake};

/// Deliveries after which the log is copied: about 16 MiB.
const EVERY: usize = 4_000;

/// A log that hardly grows is copied once in this time.
const LONGEST: Duration = Duration::from_secs(3_600);

/// The growth of the log since the last copy. Cheap to clone.
#[derive(Clone, Default)]
pub struct WalGrowth {
    grown: Arc<AtomicUsize>,
    wake: Wake,
}

impl WalGrowth {
    /// Adds a number of applied deliveries or derived entities.
    pub fn grew(&self, by: usize) {
        if self.grown.fetch_add(by, Ordering::Relaxed) + by >= EVERY {
            self.grown.store(0, Ordering::Relaxed);
            self.wake.ring();
        }
    }
}

/// `None` on PostgreSQL, which has its own checkpointer.
pub fn start(database: &Database, log: &WalGrowth) -> std::io::Result<Option<(Wake, JoinHandle<()>)>> {
    if !database.has_one_writer() {
        return Ok(None);
    }
    let (database, wake) = (database.clone(), log.wake.clone());
    let run = move || {
        loop {
            wake.wait(LONGEST);
            if wake.is_stopping() {
                return;
            }
            if let Err(error) = database.checkpoint() {
                // SQLite does it itself when the log is four times as long.
                tracing::warn!(error = %error, "the write-ahead log could not be copied into the database file");
            }
        }
    };
    let thread = std::thread::Builder::new().name("checkpoint".to_owned()).spawn(run)?;
    Ok(Some((log.wake.clone(), thread)))
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use diesel::connection::SimpleConnection;

    use super::*;
    use crate::db::{DbError, Url};

    #[test]
    fn it_rings_once_for_each_number_of_deliveries() {
        let log = WalGrowth::default();
        log.grew(EVERY - 1);
        assert!(!log.wake.take_ring());
        log.grew(1);
        assert!(log.wake.take_ring());
        log.grew(1);
        assert!(!log.wake.take_ring());
    }

    #[test]
    fn the_write_ahead_log_reaches_the_file_without_a_commit() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("rosterd.db");
        let database = Database::new(&Url::Sqlite(file.display().to_string()), 2);
        let sql = "CREATE TABLE t (x); INSERT INTO t VALUES (zeroblob(1000000))";
        database.write::<_, DbError>(|conn| Ok(conn.batch_execute(sql)?)).unwrap();
        let size = || std::fs::metadata(&file).unwrap().len();
        assert!(size() < 1_000_000, "SQLite did it by itself");

        let log = WalGrowth::default();
        let (wake, thread) = start(&database, &log).unwrap().unwrap();
        log.grew(EVERY);

        let patience = Instant::now() + Duration::from_secs(30);
        while size() < 1_000_000 {
            assert!(Instant::now() < patience, "nothing was copied");
            std::thread::yield_now();
        }
        wake.stop();
        thread.join().unwrap();
    }

    #[test]
    fn postgresql_needs_none() {
        let database = Database::new(&Url::Postgres("postgres://127.0.0.1:1/none".into()), 1);
        assert!(start(&database, &WalGrowth::default()).unwrap().is_none());
    }
}
