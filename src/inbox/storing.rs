//! Whether deliveries can be stored now, according to the commits of this process. A query on another connection is not
//! enough: it may succeed while the commit's connection waits for ever.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;

/// While a commit takes longer than this, deliveries cannot be stored.
const SLOW: Duration = Duration::from_secs(2);

/// A failure counts for this time, or until a commit succeeds. Afterwards readiness relies on a query again.
const REMEMBERED: Duration = Duration::from_secs(5);

/// Shared by the appender, which writes it, and the readiness check, which reads it.
#[derive(Clone, Default)]
pub struct StoringState(Arc<Mutex<State>>);

#[derive(Clone, Copy, Default)]
struct State {
    begun: Option<Instant>,
    failed: Option<Instant>,
}

impl StoringState {
    pub(super) fn begin(&self, now: Instant) {
        self.0.lock().begun = Some(now);
    }

    pub(super) fn end(&self, is_stored: bool, now: Instant) {
        *self.0.lock() = State { begun: None, failed: (!is_stored).then_some(now) };
    }

    /// Whether the current commit takes too long.
    pub fn is_stuck(&self, now: Instant) -> bool {
        self.0.lock().begun.is_some_and(|begun| now.saturating_duration_since(begun) >= SLOW)
    }

    /// Whether a delivery can probably be stored at `now`.
    pub fn is_possible(&self, now: Instant) -> bool {
        let State { begun, failed } = *self.0.lock();
        let within =
            |at: Option<Instant>, time| at.is_some_and(|at| now.saturating_duration_since(at) < time);
        (begun.is_none() || within(begun, SLOW)) && !within(failed, REMEMBERED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_commit_and_a_recent_failure_mean_that_nothing_can_be_stored() {
        let (storing, start) = (StoringState::default(), Instant::now());
        let is_possible = |seconds| storing.is_possible(start + Duration::from_secs(seconds));
        assert!(is_possible(0));

        storing.begin(start);
        assert!(is_possible(1));
        assert!(!is_possible(2), "the commit is slow");
        let is_stuck = |seconds| storing.is_stuck(start + Duration::from_secs(seconds));
        assert!(!is_stuck(1) && is_stuck(2));

        storing.end(false, start + Duration::from_secs(10));
        assert!(!is_stuck(14), "the commit has ended");
        assert!(!is_possible(14), "the last commit failed");
        assert!(is_possible(15), "nobody has tried since");

        storing.end(false, start + Duration::from_secs(20));
        storing.end(true, start + Duration::from_secs(21));
        assert!(is_possible(21));
    }
}
