//! The next batch, read while the last one is applied: two cores then work on a backlog, and the database is not kept
//! waiting for JSON. Nothing is promised by it; what is read here is still queued, and a crash forgets it.

use parking_lot::Mutex;

use super::{
    Batch,
    reading::{self, Batched},
};
use crate::{
    clock::Timestamp,
    db::{Database, DbError},
    inbox::queue,
};

#[derive(Debug, Default)]
pub struct Ahead {
    next: Mutex<Option<Batched>>,
}

impl Ahead {
    /// What was read ahead, or the oldest that is due now.
    pub(super) fn take(&self, database: &Database, batch: Batch, now: Timestamp) -> Result<Batched, DbError> {
        let read = self.next.lock().take();
        read.map_or_else(|| read_beyond(database, batch, now, &[]), Ok)
    }

    /// Another process has applied what was read; an idle service keeps no bodies.
    pub fn forget(&self) {
        *self.next.lock() = None;
    }

    pub fn is_empty(&self) -> bool {
        self.next.lock().is_none()
    }

    /// Runs `apply`, and reads what comes after `current` meanwhile if there is likely a whole batch of it. What cannot
    /// be read ahead is read in its turn, and fails there if it must.
    pub(super) fn during<T, E>(
        &self,
        database: &Database,
        batch: Batch,
        now: Timestamp,
        current: &[i64],
        apply: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, E> {
        std::thread::scope(|scope| {
            let reader = std::thread::Builder::new().name("read".to_owned());
            let reader = reader.spawn_scoped(scope, || read_beyond(database, batch, now, current));
            let applied = apply()?;
            // A batch that is not full is read anew, since more of it may have come.
            let next = reader.ok().and_then(|reader| reader.join().ok()?.ok()).filter(|next| next.is_full);
            *self.next.lock() = next;
            Ok(applied)
        })
    }
}

fn read_beyond(
    database: &Database,
    batch: Batch,
    now: Timestamp,
    current: &[i64],
) -> Result<Batched, DbError> {
    let taken = database
        .read::<_, DbError>(|conn| Ok(queue::take(conn, now, batch.deliveries, batch.bytes, current)?))?;
    Ok(reading::read(taken))
}
