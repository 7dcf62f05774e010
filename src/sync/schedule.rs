//! When all directories are compared again; pure.

use crate::runtime::clock::Timestamp;

/// What a comparison includes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// Every directory.
    Whole,
    /// Directories that were not compared completely since then: the rest of a run that a stop or a crash cut short.
    RestSince(Timestamp),
}

/// When the last run began and ended, by all processes of the database.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Runs {
    pub begun: Option<Timestamp>,
    pub ended: Option<Timestamp>,
}

impl Runs {
    /// What is to be compared now; `None` for nothing. A process that has just started continues a run that has not
    /// ended. Another process may still be at work on it: then some directories are compared twice, which changes nothing.
    /// Before the first run the operator begins with `rosterd backfill`.
    pub fn due(self, now: Timestamp, every_seconds: i64, has_just_started: bool) -> Option<Extent> {
        let begun = self.begun?;
        if now.seconds_since(begun) >= every_seconds {
            return Some(Extent::Whole);
        }
        (has_just_started && self.ended < self.begun).then_some(Extent::RestSince(begun))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600;

    fn at(hours: i64) -> Timestamp {
        Timestamp::from_millis(1_768_478_400_000).plus_seconds(hours * HOUR)
    }

    fn due(begun: Option<i64>, ended: Option<i64>, has_just_started: bool) -> Option<Extent> {
        Runs { begun: begun.map(at), ended: ended.map(at) }.due(at(10), 6 * HOUR, has_just_started)
    }

    #[test]
    fn a_run_is_due_again_after_its_time_and_never_before_the_first() {
        assert_eq!(due(None, None, true), None);
        assert_eq!(due(Some(5), Some(6), true), None);
        assert_eq!(due(Some(4), Some(5), false), Some(Extent::Whole));
    }

    #[test]
    fn a_run_that_was_cut_short_continues_at_the_next_start_and_only_then() {
        let rest = Some(Extent::RestSince(at(8)));
        assert_eq!(due(Some(8), Some(3), true), rest);
        assert_eq!(due(Some(8), None, true), rest);
        assert_eq!(due(Some(8), Some(3), false), None);
        assert_eq!(due(Some(3), Some(1), true), Some(Extent::Whole));
    }
}
