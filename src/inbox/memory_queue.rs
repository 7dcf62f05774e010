//! Copies of deliveries that this process has stored recently, so that the applier need not read them from the database.
//! Only the queue table tells which deliveries are to be applied: a crash or a lack of room loses nothing, and deliveries
//! that another process has applied are skipped.

use std::{collections::VecDeque, sync::Arc};

use actix_web::web::BytesMut;
use parking_lot::Mutex;

use super::{
    Delivery,
    queue::{Queued, QueuedBatch},
};
use crate::broker::Disposition;

/// The highest number of bytes of bodies. Deliveries without room are read from the database later.
const MOST_BYTES: usize = 8 << 20;

/// The copies. Cheap to clone; all clones share them.
#[derive(Clone, Debug, Default)]
pub struct MemoryQueue {
    copies: Arc<Mutex<Copies>>,
}

#[derive(Debug, Default)]
struct Copies {
    /// In the order of their ids.
    queued: VecDeque<Queued>,
    bytes: usize,
}

impl MemoryQueue {
    /// Adds deliveries of one commit, with their ids, in order, until there is no room.
    pub fn add(&self, stored: impl Iterator<Item = (i64, Delivery)>) {
        let mut copies = self.copies.lock();
        let (mut fitting, mut bytes) = (Vec::new(), 0);
        for (inbox_id, delivery) in stored.filter(|(_, d)| d.label.disposition == Disposition::Apply) {
            if copies.bytes + bytes + delivery.body.len() > MOST_BYTES {
                break;
            }
            bytes += delivery.body.len();
            fitting.push((inbox_id, delivery));
        }
        copies.bytes += bytes;
        // Copied: a received body would keep the whole buffer of its connection in memory.
        let mut bodies = BytesMut::with_capacity(bytes);
        for (inbox_id, Delivery { source, label, body, received_at }) in fitting {
            bodies.extend_from_slice(&body);
            let (source, event_key, body) = (source.name().into(), label.key, bodies.split().freeze());
            copies.queued.push_back(Queued { inbox_id, event_key, source, attempts: 0, received_at, body });
        }
    }

    /// Removes and returns the oldest: at most `limit`, and at most `bytes` of bodies, but at least one.
    pub fn take(&self, limit: usize, bytes: usize) -> QueuedBatch {
        let mut copies = self.copies.lock();
        let mut total = 0;
        let fitting = copies.queued.iter().take(limit).take_while(|queued| {
            let fits = total == 0 || total + queued.body.len() <= bytes;
            total += queued.body.len();
            fits
        });
        let count = fitting.count();
        let is_full = count == limit || count < copies.queued.len();
        let queued: Vec<Queued> = copies.queued.drain(..count).collect();
        copies.bytes -= queued.iter().map(|queued| queued.body.len()).sum::<usize>();
        QueuedBatch { queued, is_full }
    }

    /// Removes all copies. The queue table still contains the deliveries.
    pub fn forget(&self) {
        *self.copies.lock() = Copies::default();
    }

    /// The lowest id in it.
    pub fn oldest(&self) -> Option<i64> {
        self.copies.lock().queued.front().map(|queued| queued.inbox_id)
    }

    /// How many deliveries are in it.
    pub fn len(&self) -> usize {
        self.copies.lock().queued.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        broker::{Label, Source},
        runtime::clock::Timestamp,
    };

    fn delivery(disposition: Disposition, size: usize) -> Delivery {
        let label = Label { key: "e".to_owned(), kind: "k".to_owned(), disposition };
        Delivery {
            source: Source::ALL[0],
            label,
            body: vec![b'x'; size].into(),
            received_at: Timestamp::default(),
        }
    }

    fn ids(taken: &QueuedBatch) -> Vec<i64> {
        taken.queued.iter().map(|queued| queued.inbox_id).collect()
    }

    #[test]
    fn only_deliveries_to_apply_are_in_memory() {
        let recent = MemoryQueue::default();
        let dispositions = [Disposition::Ignore, Disposition::Apply, Disposition::NotUnderstood("why")];
        recent.add((1..).zip(dispositions.map(|disposition| delivery(disposition, 1))));
        assert_eq!(ids(&recent.take(9, 9)), [2]);
    }

    #[test]
    fn deliveries_without_room_in_memory_are_read_from_the_database_and_room_returns() {
        let recent = MemoryQueue::default();
        let third = MOST_BYTES / 3;
        recent.add((1..=4).map(|id| (id, delivery(Disposition::Apply, third))));
        assert_eq!(ids(&recent.take(9, usize::MAX)), [1, 2, 3]);
        recent.add([(5, delivery(Disposition::Apply, MOST_BYTES))].into_iter());
        assert_eq!(ids(&recent.take(9, usize::MAX)), [5]);
    }

    #[test]
    fn a_batch_takes_bodies_until_their_sum_exceeds_the_bound() {
        let recent = MemoryQueue::default();
        recent.add((1..).zip([3, 4, 2].map(|size| delivery(Disposition::Apply, size))));
        assert_eq!(ids(&recent.take(9, 7)), [1, 2]);
        assert_eq!(ids(&recent.take(9, 1)), [3], "the first goes whatever its size");
    }

    proptest! {
        #[test]
        fn batches_are_the_deliveries_in_order_within_their_bounds(
            sizes in prop::collection::vec(1_usize..100, 0..60),
            limit in 1_usize..20,
            bytes in 1_usize..400,
        ) {
            let recent = MemoryQueue::default();
            recent.add((1..).zip(sizes.iter().map(|size| delivery(Disposition::Apply, *size))));
            let mut all = Vec::new();
            loop {
                prop_assert_eq!(recent.oldest(), (all.len() < sizes.len()).then_some(all.len() as i64 + 1));
                let taken = recent.take(limit, bytes);
                let total: usize = taken.queued.iter().map(|queued| queued.body.len()).sum();
                prop_assert!(taken.queued.len() <= limit && (total <= bytes || taken.queued.len() == 1));
                prop_assert!(taken.is_full || recent.is_empty());
                if taken.queued.is_empty() {
                    break;
                }
                all.extend(ids(&taken));
            }
            prop_assert_eq!(all, (1..=sizes.len() as i64).collect::<Vec<_>>());
            prop_assert_eq!(recent.copies.lock().bytes, 0);
        }
    }
}
