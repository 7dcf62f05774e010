//! On SQLite: what its log holds goes into its file beside the writers. Left to itself SQLite does that inside a commit,
//! and a broker waits for its answer while megabytes are copied.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use super::Wake;
use crate::db::Database;

/// Deliveries after which the log is worth the way: some 16 MiB of it.
const EVERY: usize = 4_000;

/// A log that hardly grows can wait.
const LONGEST: Duration = Duration::from_secs(3_600);

/// How much was written to the log since it was last copied; cheap to clone.
#[derive(Clone, Default)]
pub struct Log {
    deliveries: Arc<AtomicUsize>,
    wake: Wake,
}

impl Log {
    /// So many deliveries were applied.
    pub fn grew(&self, deliveries: usize) {
        if self.deliveries.fetch_add(deliveries, Ordering::Relaxed) + deliveries >= EVERY {
            self.deliveries.store(0, Ordering::Relaxed);
            self.wake.ring();
        }
    }
}

/// `None` on PostgreSQL, which does this by itself.
pub fn start(database: &Database, log: &Log) -> std::io::Result<Option<(Wake, JoinHandle<()>)>> {
    if !database.takes_turns_with_receivers() {
        return Ok(None);
    }
    let (database, wake) = (database.clone(), log.wake.clone());
    let run = move || {
        while !wake.is_stopping() {
            wake.wait(LONGEST);
            if let Err(error) = database.checkpoint() {
                // SQLite does it by itself when the log has grown four times as long.
                tracing::warn!(error = %error, "the database's log could not be copied into its file");
            }
        }
    };
    let thread = std::thread::Builder::new().name("checkpoint".to_owned()).spawn(run)?;
    Ok(Some((log.wake.clone(), thread)))
}
