//! Whether deliveries can be kept, as the commits of this process show: a connection that has fallen silent does not fail,
//! and other connections may still answer.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;

/// A commit that takes longer keeps nothing for now.
const SLOW: Duration = Duration::from_secs(2);

/// A failure counts this long, unless a commit succeeds before: with none to try, the database's answer counts again.
const REMEMBERED: Duration = Duration::from_secs(5);

/// Shared by the appender, which tells, and readiness, which asks.
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

    pub(super) fn end(&self, is_kept: bool, now: Instant) {
        *self.0.lock() = State { begun: None, failed: (!is_kept).then_some(now) };
    }

    /// A commit has been under way for too long.
    pub fn is_stuck(&self, now: Instant) -> bool {
        self.0.lock().begun.is_some_and(|begun| now.saturating_duration_since(begun) >= SLOW)
    }

    /// Nothing shows that a delivery could not be kept at `now`.
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
    fn a_slow_commit_and_a_recent_failure_mean_that_nothing_can_be_kept() {
        let (keeping, start) = (StoringState::default(), Instant::now());
        let is_possible = |seconds| keeping.is_possible(start + Duration::from_secs(seconds));
        assert!(is_possible(0));

        keeping.begin(start);
        assert!(is_possible(1));
        assert!(!is_possible(2), "the commit is slow");

        keeping.end(false, start + Duration::from_secs(10));
        assert!(!is_possible(14), "the last commit failed");
        assert!(is_possible(15), "nobody has tried since");

        keeping.end(false, start + Duration::from_secs(20));
        keeping.end(true, start + Duration::from_secs(21));
        assert!(is_possible(21));
    }
}
