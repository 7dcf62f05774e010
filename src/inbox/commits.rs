//! Commits with a time limit in this process. When a connection no longer carries data, libpq waits without a limit, and
//! the server's time-outs do not help. On PostgreSQL a separate thread commits. If a commit exceeds the limit, its thread
//! and connection are abandoned, and the next commit gets new ones.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    time::Duration,
};

use super::{Delivery, Stored, insert::append};
use crate::db::{Database, DbError};

/// The time limit of a commit. The receiver answers 503 earlier (`http.commit_timeout_seconds`).
const BOUND: Duration = Duration::from_secs(8);

/// With this many abandoned commits (for example, when a synchronous standby is away), the next ones get a longer limit, so
/// that few connections wait.
const MOST_LEFT_BEHIND: usize = 4;
const LONG_BOUND: Duration = Duration::from_secs(60);

type Outcome = Result<(Vec<Delivery>, Vec<Stored>), DbError>;

#[derive(Debug, thiserror::Error)]
pub(super) enum CommitError {
    #[error("{0}")]
    Database(#[from] DbError),
    #[error(
        "the database did not answer a commit for {0:?}; the commit may have succeeded or not; the next one uses new connections"
    )]
    Silent(Duration),
    #[error("a thread for commits could not be started: {0}")]
    Thread(#[from] std::io::Error),
    #[error("the thread for commits ended")]
    Ended,
}

pub(super) struct Commits {
    database: Database,
    line: Option<(SyncSender<Vec<Delivery>>, Receiver<Outcome>)>,
    abandoned: Arc<AtomicUsize>,
}

impl Commits {
    pub(super) fn of(database: Database) -> Self {
        Self { database, line: None, abandoned: Arc::default() }
    }

    /// Stores deliveries. After an error they may be stored or not. If a commit succeeds after its time limit, the broker's
    /// next delivery is a duplicate, and the applier finds the rows at its next poll.
    pub(super) fn commit(
        &mut self,
        deliveries: Vec<Delivery>,
    ) -> Result<(Vec<Delivery>, Vec<Stored>), CommitError> {
        // A file always answers.
        if self.database.has_one_writer() {
            let stored = append(&self.database, &deliveries)?;
            return Ok((deliveries, stored));
        }
        let (work, done) = match self.line.take() {
            Some(line) => line,
            None => start(self.database.clone())?,
        };
        work.send(deliveries).map_err(|_ended| CommitError::Ended)?;
        let bound = match self.abandoned.load(Ordering::Relaxed) {
            few if few < MOST_LEFT_BEHIND => BOUND,
            _ => LONG_BOUND,
        };
        match done.recv_timeout(bound) {
            Ok(outcome) => {
                self.line = Some((work, done));
                Ok(outcome?)
            }
            Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => Err(CommitError::Ended),
            Err(std::sync::mpsc::RecvTimeoutError::Timeout) => {
                self.database.renew();
                leave_behind(&self.abandoned, done)?;
                Err(CommitError::Silent(bound))
            }
        }
    }
}

fn start(database: Database) -> std::io::Result<(SyncSender<Vec<Delivery>>, Receiver<Outcome>)> {
    let (work, deliveries) = sync_channel::<Vec<Delivery>>(1);
    let (outcomes, done) = sync_channel(1);
    std::thread::Builder::new().name("commit".to_owned()).spawn(move || {
        for deliveries in deliveries {
            let outcome = append(&database, &deliveries).map(|stored| (deliveries, stored));
            if outcomes.send(outcome).is_err() {
                break;
            }
        }
    })?;
    Ok((work, done))
}

/// Counts an abandoned commit until it ends.
fn leave_behind(count: &Arc<AtomicUsize>, done: Receiver<Outcome>) -> std::io::Result<()> {
    count.fetch_add(1, Ordering::Relaxed);
    let count = count.clone();
    std::thread::Builder::new().name("left-behind".to_owned()).spawn(move || {
        drop(done.recv());
        count.fetch_sub(1, Ordering::Relaxed);
    })?;
    Ok(())
}
