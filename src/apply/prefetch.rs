//! The next batch, read while the last one is applied: two cores then work on a backlog, and the database is not kept
//! waiting for JSON. Nothing is promised by it; what is read here is still queued, and a crash forgets it.

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

    /// What was read ahead, or the oldest that is due now.
    pub(super) fn take(
        &self,
        database: &Database,
        batch: Batch,
        now: Timestamp,
    ) -> Result<ParsedBatch, DbError> {
        let read = self.next.lock().take();
        read.map_or_else(|| Ok(self.read(database, batch, now, None)?.unwrap_or_default()), Ok)
    }

    /// What is due is read anew from the database: others have applied what is here, or something went wrong; and an idle
    /// service keeps no bodies.
    pub fn forget(&self) {
        *self.next.lock() = None;
        self.recent.forget();
    }

    pub fn is_empty(&self) -> bool {
        self.next.lock().is_none()
    }

    /// Runs `apply`, and reads what comes after `current` meanwhile if there is likely a whole batch of it. What cannot
    /// be read ahead is read later, and fails there if it must.
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
            // A batch that is not full is read anew, since more of it may have come.
            let next = reader.ok().and_then(|reader| reader.join().ok()?.ok()?);
            *self.next.lock() = next.filter(|next| next.is_full);
            Ok(applied)
        })
    }

    /// The oldest that are due, but for those in hand. What this process has in memory comes from there; what is older
    /// than that, as others kept it, it found no room, or it is tried again, goes before it. Only while a batch of such is
    /// in hand, a whole batch in memory may overtake the rest: so both get on, and memory has room again for what comes.
    /// `None` while there is something in hand and the next batch is still growing in memory.
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
        // What was not bounded by memory may have come there meanwhile, and nothing may be in a batch twice.
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
