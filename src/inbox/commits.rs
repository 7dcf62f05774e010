//! Commits with a bound on this side: the server's own time-outs do not reach a caller whose connection has fallen silent,
//! and libpq waits for an answer without end. On PostgreSQL a thread makes the commits; one that does not end in
//! time is left behind with its connection, and the next has new ones.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    time::Duration,
};

use super::{Delivery, Stored, append::append};
use crate::db::{Database, DbError};

/// How long a commit may take. The receiver has answered 503 before (`http.commit_timeout_seconds`).
const BOUND: Duration = Duration::from_secs(8);

/// With several commits left behind, as when a synchronous standby is away, each next one is waited for longer, so that
/// connections that wait are few.
const MOST_LEFT_BEHIND: usize = 4;
const LONG_BOUND: Duration = Duration::from_secs(60);

type Outcome = Result<(Vec<Delivery>, Vec<Stored>), DbError>;

#[derive(Debug, thiserror::Error)]
pub(super) enum CommitError {
    #[error("{0}")]
    Database(#[from] DbError),
    #[error(
        "the database did not answer a commit for {0:?}; whether it was made is not known, and the next one uses new connections"
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
    left_behind: Arc<AtomicUsize>,
}

impl Commits {
    pub(super) fn of(database: Database) -> Self {
        Self { database, line: None, left_behind: Arc::default() }
    }

    /// An error means that it is not known to be kept. A commit that is made after its time-out is found by the
    /// redelivery, which is a duplicate then; the applier finds it at its next poll.
    pub(super) fn commit(
        &mut self,
        deliveries: Vec<Delivery>,
    ) -> Result<(Vec<Delivery>, Vec<Stored>), CommitError> {
        // A file does not fall silent.
        if self.database.has_one_writer() {
            let kept = append(&self.database, &deliveries)?;
            return Ok((deliveries, kept));
        }
        let (work, done) = match self.line.take() {
            Some(line) => line,
            None => start(self.database.clone())?,
        };
        work.send(deliveries).map_err(|_ended| CommitError::Ended)?;
        let bound = match self.left_behind.load(Ordering::Relaxed) {
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
                leave_behind(&self.left_behind, done)?;
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
            let outcome = append(&database, &deliveries).map(|kept| (deliveries, kept));
            if outcomes.send(outcome).is_err() {
                break;
            }
        }
    })?;
    Ok((work, done))
}

/// Counts a commit until it ends after all.
fn leave_behind(count: &Arc<AtomicUsize>, done: Receiver<Outcome>) -> std::io::Result<()> {
    count.fetch_add(1, Ordering::Relaxed);
    let count = count.clone();
    std::thread::Builder::new().name("left-behind".to_owned()).spawn(move || {
        drop(done.recv());
        count.fetch_sub(1, Ordering::Relaxed);
    })?;
    Ok(())
}
