//! The changes that a course must write into the tables. The file is pure.

use std::collections::BTreeSet;

use super::{Course, SPAN};
use crate::{
    endpoints::{circuit::Circuit, waiting::Waiting},
    runtime::clock::Timestamp,
};

/// Numbers of records since the last write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Records that the endpoint took.
    pub delivered: i64,
    /// Records that failed for too long.
    pub given_up: i64,
    /// Records that were deleted before they were sent.
    pub lost: i64,
}

/// The changes since the last write.
#[derive(Debug)]
pub(super) struct Unstored {
    pub(super) changed: BTreeSet<i64>,
    pub(super) removed: Vec<i64>,
    pub(super) counts: Counts,
    written: (i64, Circuit),
}

/// The changes of an endpoint's rows, for one transaction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// All records up to this one are settled, or have rows.
    pub settled_seq: i64,
    /// New and changed rows.
    pub rows: Vec<Waiting>,
    /// Records whose rows go.
    pub removed: Vec<i64>,
    /// The circuit now.
    pub circuit: Circuit,
    /// To be added.
    pub counts: Counts,
}

impl Unstored {
    pub(super) fn new(settled_seq: i64, circuit: Circuit) -> Self {
        Self {
            changed: BTreeSet::new(),
            removed: Vec::new(),
            counts: Counts::default(),
            written: (settled_seq, circuit),
        }
    }
}

impl Course {
    /// All records up to this one are settled, or have rows when the next progress is written.
    pub fn settled_seq(&self) -> i64 {
        self.rowless.first().map_or(self.read_to, |seq| seq - 1)
    }

    /// The number of settlements that are not written.
    pub fn unwritten(&self) -> i64 {
        let Counts { delivered, given_up, lost } = self.unstored.counts;
        delivered + given_up + lost
    }

    /// The changes to be written; `None` if nothing changed. The caller writes it, or drops the course.
    pub fn progress(&mut self) -> Option<Progress> {
        self.store_the_oldest();
        let now = (self.settled_seq(), self.circuit);
        let Unstored { changed, removed, counts, written } =
            std::mem::replace(&mut self.unstored, Unstored::new(now.0, now.1));
        if changed.is_empty() && removed.is_empty() && counts == Counts::default() && written == now {
            return None;
        }
        let row = |seq: i64| -> Option<Waiting> {
            let item = self.items.get(&seq)?;
            let lane = self.lanes.get(&item.lane)?;
            let is_first = lane.queue.first() == Some(&seq);
            Some(Waiting {
                seq,
                lane: item.lane.to_string(),
                attempts: item.attempts,
                since: item.since.map(Timestamp::micros),
                due_at: lane.due_at.filter(|_| is_first).map(Timestamp::micros),
            })
        };
        let rows = changed.into_iter().filter_map(row).collect();
        Some(Progress { settled_seq: now.0, rows, removed, circuit: now.1, counts })
    }

    fn store_the_oldest(&mut self) {
        let from = self.read_to - SPAN;
        let old: Vec<i64> = self.rowless.range(..from).copied().collect();
        let room = self.limits.most_waiting.saturating_sub(self.items.len() - self.rowless.len());
        old.into_iter().take(room).for_each(|seq| self.store(seq, None));
    }
}
