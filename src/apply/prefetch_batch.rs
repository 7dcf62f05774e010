//! Reads the next batch while the last one is applied: two cores work on a backlog, and the database does not wait for
//! JSON. No guarantee depends on it: a prefetched delivery is still in the queue, and a crash loses nothing.

use std::ops::RangeInclusive;

use parking_lot::Mutex;

use super::{
    Batch,
    parse_batch::{self, ParsedBatch},
};
use crate::{
    db::{Database, DbError},
    inbox::{
        memory_queue::MemoryQueue,
        queue::{self, QueueQuery, QueuedBatch},
    },
    runtime::clock::Timestamp,
};

#[derive(Debug, Default)]
pub struct Prefetcher {
    recent: MemoryQueue,
    next: Mutex<Option<ParsedBatch>>,
}

impl Prefetcher {
    pub fn of(recent: MemoryQueue) -> Self {
        Self { recent, next: Mutex::default() }
    }

    /// Returns the prefetched batch, or reads the oldest deliveries that are due now.
    pub(super) fn take(
        &self,
        database: &Database,
        batch: Batch,
        now: Timestamp,
    ) -> Result<ParsedBatch, DbError> {
        let read = self.next.lock().take();
        read.map_or_else(|| Ok(self.read(database, batch, now, None)?.unwrap_or_default()), Ok)
    }

    /// Discards the prefetched deliveries, so that the next batch is read from the database. Called when another
    /// process has applied them, when a batch failed, and when the service is idle, so that it keeps no bodies in
    /// memory.
    pub fn forget(&self) {
        *self.next.lock() = None;
        self.recent.forget();
    }

    pub fn is_empty(&self) -> bool {
        self.next.lock().is_none()
    }

    /// Runs `apply`. Meanwhile it reads the deliveries after `current` if a whole batch is probably there. A failure of
    /// this read is ignored: the next `take` reads again and reports it.
    pub(super) fn during<T, E>(
        &self,
        database: &Database,
        batch: Batch,
        now: Timestamp,
        current: RangeInclusive<i64>,
        apply: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, E> {
        std::thread::scope(|scope| {
            let reader = std::thread::Builder::new().name("read".to_owned());
            let reader = reader.spawn_scoped(scope, || self.read(database, batch, now, Some(current)));
            let applied = apply()?;
            // A batch that is not full is read again, because it may have grown.
            let next = reader.ok().and_then(|reader| reader.join().ok()?.ok()?);
            *self.next.lock() = next.filter(|next| next.is_full);
            Ok(applied)
        })
    }

    /// Reads the oldest deliveries that are due, except those in hand.
    ///
    /// Deliveries in memory are taken from there. Older rows of the queue go first: rows of other processes, rows for
    /// which memory had no room, and retries. Exception: while a batch of such rows is being applied, a full batch in
    /// memory goes first, so that neither starves and memory is freed. Returns `None` while a batch is being applied
    /// and the next one in memory is not full.
    fn read(
        &self,
        database: &Database,
        batch: Batch,
        now: Timestamp,
        in_hand: Option<RangeInclusive<i64>>,
    ) -> Result<Option<ParsedBatch>, DbError> {
        let Batch { deliveries: limit, bytes, .. } = batch;
        let (in_memory, may_wait) = (self.recent.oldest(), in_hand.is_some());
        let mut wanted = QueueQuery::oldest(limit, bytes);
        wanted.before = match (in_memory, &in_hand) {
            (Some(oldest), Some(in_hand)) if self.recent.len() >= limit => oldest.min(*in_hand.start()),
            (Some(oldest), _) => oldest,
            (None, _) => wanted.before,
        };
        wanted.except = in_hand.unwrap_or(wanted.except);
        let older = database.read::<_, DbError>(|conn| Ok(queue::take(conn, now, &wanted)?))?;
        let QueuedBatch { mut queued, mut is_full } = older;
        // If memory was empty before, the statement had no upper bound and may have read deliveries that are in memory
        // now. No delivery may be in a batch twice.
        if !is_full && in_memory.is_some() {
            let room = limit - queued.len();
            if may_wait && self.recent.len() < room {
                return Ok(None);
            }
            let used: usize = queued.iter().map(|queued| queued.body.len()).sum();
            let recent = self.recent.take(room, bytes.saturating_sub(used));
            is_full = recent.is_full;
            queued.extend(recent.queued);
        }
        Ok(Some(parse_batch::read(QueuedBatch { queued, is_full }, now)))
    }
}
