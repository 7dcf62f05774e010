//! The writer: one thread commits all writes that arrived during the commit before. So writes of one process to one
//! directory are in one order, and many clients share a commit. On PostgreSQL a lock of the directory excludes other
//! processes.
//!
//! A transaction stores the documents and the deliveries of its writes: after a crash both are there or none. A batch that
//! the database refuses is repeated write by write, so one write cannot fail the others.

use std::{
    collections::BTreeSet,
    sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    thread::JoinHandle,
};

use tokio::sync::oneshot;

use super::{
    execute::{ExecuteError, execute},
    request::{Write, WriteError, Written},
    shelf::Shelf,
};
use crate::{
    db::{Database, DbError},
    inbox::{
        bytes_in_flight::RoomTaken,
        group_commit::NotStored,
        insert::append_within,
        waiters::{Waiters, Waiting},
    },
    runtime::{failpoint, wake::Wake},
    scim::ScimError,
    tables::scim_resources,
};

/// The most writes in one transaction.
const MOST_WRITES: usize = 256;

/// A write that is stored, and the end of its application.
#[derive(Debug)]
pub struct Accepted {
    /// The result.
    pub written: Written,
    /// Ends when the delivery is applied; `None` if nothing has changed.
    pub applied: Option<Waiting>,
}

type Outcome = Result<Accepted, WriteError>;
type Queued = (Write, oneshot::Sender<Outcome>, RoomTaken);

/// The sender to the thread; cheap to clone. The thread ends when all clones are dropped.
#[derive(Clone)]
pub struct Writer {
    queue: SyncSender<Queued>,
}

impl Writer {
    /// Starts the thread. At most `waiting` writes may wait. `wake` rings after each commit.
    pub fn start(
        database: Database,
        wake: Wake,
        waiters: Waiters,
        waiting: usize,
    ) -> std::io::Result<(Self, JoinHandle<()>)> {
        let (queue, writes) = sync_channel(waiting);
        let thread = std::thread::Builder::new()
            .name("scim".to_owned())
            .spawn(move || run(&database, &writes, &wake, &waiters))?;
        Ok((Self { queue }, thread))
    }

    /// Carries out a write. Returns after its commit. The room of the body is occupied until then.
    pub async fn write(&self, write: Write, room: RoomTaken) -> Outcome {
        let (answer, outcome) = oneshot::channel();
        self.queue.try_send((write, answer, room)).map_err(|error| match error {
            TrySendError::Full(_) => NotStored::Overloaded,
            TrySendError::Disconnected(_) => NotStored::Stopping,
        })?;
        outcome.await.unwrap_or(Err(NotStored::Stopping.into()))
    }
}

fn run(database: &Database, waiting: &Receiver<Queued>, wake: &Wake, waiters: &Waiters) {
    while let Ok(first) = waiting.recv() {
        let batch: Vec<Queued> =
            std::iter::once(first).chain(waiting.try_iter().take(MOST_WRITES - 1)).collect();
        let (mut writes, mut answers) = (Vec::with_capacity(batch.len()), Vec::with_capacity(batch.len()));
        for (write, answer, room) in batch {
            writes.push(write);
            answers.push((answer, room));
        }
        let outcomes = match commit(database, &writes, waiters) {
            Ok(outcomes) => outcomes,
            Err(error) if writes.len() == 1 => vec![Err(not_stored(&error))],
            Err(error) => {
                tracing::debug!(%error, "a batch of writes failed; they are repeated one by one");
                let alone = |write: &Write| match commit(database, std::slice::from_ref(write), waiters) {
                    Ok(outcomes) => outcomes,
                    Err(error) => vec![Err(not_stored(&error))],
                };
                writes.iter().flat_map(alone).collect()
            }
        };
        failpoint::reach("provisioned");
        wake.ring();
        for ((answer, _room), outcome) in answers.into_iter().zip(outcomes) {
            // A request that no longer waits will be repeated by its client.
            let _ = answer.send(outcome);
        }
    }
}

/// A unique key that another process has taken meanwhile is a conflict and no failure.
fn not_stored(error: &DbError) -> WriteError {
    if let DbError::Query(diesel::result::Error::DatabaseError(
        diesel::result::DatabaseErrorKind::UniqueViolation,
        _,
    )) = error
    {
        return ScimError::uniqueness("another user has this userName; find it with a filter").into();
    }
    tracing::error!(%error, "a write by SCIM could not be stored and was answered 503; the client will repeat it");
    NotStored::Database.into()
}

fn commit(database: &Database, writes: &[Write], waiters: &Waiters) -> Result<Vec<Outcome>, DbError> {
    database.write::<_, DbError>(|conn| {
        let directories: BTreeSet<&str> = writes.iter().map(|write| write.directory_id.as_str()).collect();
        scim_resources::lock(conn, &directories.into_iter().collect::<Vec<_>>())?;
        let mut shelf = Shelf::default();
        shelf.fetch(conn, &writes.iter().collect::<Vec<_>>())?;
        let (mut outcomes, mut deliveries) = (Vec::with_capacity(writes.len()), Vec::new());
        for write in writes {
            outcomes.push(match execute(conn, &mut shelf, write) {
                Ok((written, delivery)) => {
                    deliveries.extend(delivery);
                    // Before the commit: another thread may apply the delivery at once.
                    let applied = written.event.as_deref().map(|event| waiters.wait_for(event));
                    Ok(Accepted { written, applied })
                }
                Err(ExecuteError::Refused(refusal)) => Err(refusal.into()),
                Err(ExecuteError::Database(error)) => return Err(error),
            });
        }
        shelf.store(conn)?;
        append_within(conn, &deliveries)?;
        failpoint::reach("provisioning");
        Ok(outcomes)
    })
}
