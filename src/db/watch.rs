//! Measures how long calls to a PostgreSQL database have been running. libpq waits for an answer without a limit, so
//! another thread must notice a call that does not return (`worker::watchdog`).

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;

/// The calls that are running. Cheap to clone; all clones share one list.
#[derive(Clone, Default)]
pub struct Watch(Arc<Mutex<Calls>>);

#[derive(Default)]
struct Calls {
    next: u64,
    begun: BTreeMap<u64, Instant>,
}

/// A running call; it ends when this value is dropped.
pub(super) struct Call<'w> {
    watch: &'w Watch,
    number: u64,
}

impl Watch {
    pub(super) fn begin(&self, now: Instant) -> Call<'_> {
        let mut calls = self.0.lock();
        let number = calls.next;
        calls.next += 1;
        calls.begun.insert(number, now);
        Call { watch: self, number }
    }

    /// The age of the oldest running call; zero without calls.
    pub fn longest(&self, now: Instant) -> Duration {
        let oldest = self.0.lock().begun.values().min().copied();
        oldest.map_or(Duration::ZERO, |begun| now.saturating_duration_since(begun))
    }

    /// Ignores the calls that are running now.
    pub fn forget(&self) {
        self.0.lock().begun.clear();
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        self.watch.0.lock().begun.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_call_counts_until_it_ends_or_is_forgotten() {
        let (watch, start) = (Watch::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        let first = watch.begin(start);
        let second = watch.begin(at(5));
        assert_eq!(watch.longest(at(7)), Duration::from_secs(7));

        drop(first);
        assert_eq!(watch.longest(at(7)), Duration::from_secs(2));

        watch.forget();
        let third = watch.begin(at(9));
        drop(second);
        assert_eq!(watch.longest(at(10)), Duration::from_secs(1), "the end of one forgotten ends no other");
        drop(third);
        assert_eq!(watch.longest(at(11)), Duration::ZERO);
    }
}
