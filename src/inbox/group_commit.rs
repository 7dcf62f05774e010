//! Group commit: one thread commits all deliveries that arrived during the previous commit. A single delivery is committed
//! at once. A delivery gets 200 only after its commit, so a crash loses no acknowledged delivery.

use std::{
    sync::{
        Arc,
        mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    },
    thread::JoinHandle,
    time::Instant,
};

use tokio::sync::oneshot;

use super::{
    Delivery, Stored, arrivals::Arrivals, bytes_in_flight::RoomTaken, commits::Commits,
    memory_queue::MemoryQueue, storing::StoringState,
};
use crate::{
    db::{Database, DbError},
    runtime::{failpoint, metrics::Metrics, telemetry::Sparse, wake::Wake},
    tables::polled_events,
};

/// The highest number of deliveries, and of bytes of bodies, in one commit.
const MOST_DELIVERIES: usize = 1_024;
const MOST_BYTES: usize = 8 << 20;

/// Why a delivery was not stored. The broker sends it again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotStored {
    /// Too many deliveries wait, or it waited too long.
    #[error("too many deliveries are waiting to be written")]
    Overloaded,
    /// The database did not store it.
    #[error("the database cannot be written")]
    Database,
    /// The service is stopping.
    #[error("the service is stopping")]
    Stopping,
}

/// The channel to the waiting request, and the room of the body. The room is occupied until the commit, also after the
/// request has ended.
type Answer = (oneshot::Sender<Result<Stored, NotStored>>, RoomTaken);

/// The sender to the thread; cheap to clone. The thread ends when all clones are dropped and all waiting deliveries have
/// an answer.
#[derive(Clone)]
pub struct Appender {
    queue: SyncSender<(Delivery, Answer)>,
}

impl Appender {
    /// Starts the thread. At most `waiting` deliveries may wait for a commit. Stored deliveries are added to `recent`, and
    /// then `wake` rings.
    pub fn start(
        database: Database,
        recent: MemoryQueue,
        wake: Wake,
        metrics: Arc<Metrics>,
        storing: StoringState,
        arrivals: Arrivals,
        waiting: usize,
    ) -> std::io::Result<(Self, JoinHandle<()>)> {
        let (queue, deliveries) = sync_channel(waiting);
        let thread = std::thread::Builder::new()
            .name("append".to_owned())
            .spawn(move || run(&database, &deliveries, &recent, &wake, &metrics, &storing, &arrivals))?;
        Ok((Self { queue }, thread))
    }

    /// Stores a delivery. Returns after its commit, or with the reason why it was not stored.
    pub async fn store(&self, delivery: Delivery, room: RoomTaken) -> Result<Stored, NotStored> {
        let (answer, stored) = oneshot::channel();
        self.queue.try_send((delivery, (answer, room))).map_err(|error| match error {
            TrySendError::Full(_) => NotStored::Overloaded,
            TrySendError::Disconnected(_) => NotStored::Stopping,
        })?;
        stored.await.unwrap_or(Err(NotStored::Stopping))
    }
}

fn run(
    database: &Database,
    waiting: &Receiver<(Delivery, Answer)>,
    recent: &MemoryQueue,
    wake: &Wake,
    metrics: &Metrics,
    storing: &StoringState,
    arrivals: &Arrivals,
) {
    let (mut deliveries, mut answers) = (Vec::new(), Vec::new());
    let failures = Sparse::default();
    let mut commits = Commits::of(database.clone());
    while let Ok(first) = waiting.recv() {
        let mut bytes = 0;
        for (delivery, answer) in std::iter::once(first).chain(waiting.try_iter()) {
            bytes += delivery.body.len();
            deliveries.push(delivery);
            answers.push(answer);
            if deliveries.len() >= MOST_DELIVERIES || bytes >= MOST_BYTES {
                break;
            }
        }
        let count = deliveries.len();
        storing.begin(Instant::now());
        let outcome = commits.commit(std::mem::take(&mut deliveries));
        storing.end(outcome.is_ok(), Instant::now());
        match outcome {
            Ok((deliveries, stored)) => {
                failpoint::reach("stored");
                metrics.commit_size.observe(count as f64);
                if arrivals.is_wanted() {
                    arrived(database, arrivals, &deliveries, &stored);
                }
                let new = deliveries.into_iter().zip(&stored).filter_map(|(delivery, stored)| match stored {
                    Stored::Accepted { inbox_id } => Some((*inbox_id, delivery)),
                    Stored::Duplicate => None,
                });
                recent.add(new);
                wake.ring();
                for ((answer, _room), stored) in answers.drain(..).zip(stored) {
                    // A request that no longer waits was answered 503. The broker sends again, which is a duplicate.
                    let _ = answer.send(Ok(stored));
                }
            }
            Err(error) => {
                if let Some(deliveries) = failures.due("append", count as u64, Instant::now()) {
                    tracing::error!(
                        deliveries,
                        error = %error,
                        "deliveries could not be stored and were answered 503; the broker will send them again"
                    );
                }
                for (answer, _room) in answers.drain(..) {
                    let _ = answer.send(Err(NotStored::Database));
                }
            }
        }
    }
}

/// Notes webhooks of events that were read from the API before: the broker has sent them, so they were not missed.
fn arrived(database: &Database, arrivals: &Arrivals, deliveries: &[Delivery], stored: &[Stored]) {
    if let Some(last) = deliveries.iter().map(|delivery| delivery.received_at).max() {
        arrivals.note(last);
    }
    let repeated = deliveries.iter().zip(stored).filter(|(_, stored)| **stored == Stored::Duplicate);
    let repeated: Vec<&str> = repeated.map(|(delivery, _)| delivery.label.key.as_str()).collect();
    if repeated.is_empty() {
        return;
    }
    let polled = database.read::<_, DbError>(|conn| Ok(polled_events::any(conn)?)).unwrap_or_default();
    if polled
        && let Err(error) = database.write::<_, DbError>(|conn| Ok(polled_events::arrived(conn, &repeated)?))
    {
        tracing::warn!(error = %error, "arrived webhooks could not be recorded; their events may be counted as missed");
    }
}
