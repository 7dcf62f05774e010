//! Decides when each directory is compared again; pure. A hash of its id gives each directory a slot in the interval.
//! So the comparisons are spread over the interval, and neither a restart nor a new directory moves them.

use sha2::{Digest, Sha256};

use crate::runtime::clock::Timestamp;

/// Slots in an interval. One run compares all directories of a slot and reads the list of directories once.
const SLOTS: u64 = 48;

/// A run of another process that has not ended after this time has crashed.
const LOST_SECONDS: i64 = 3_600;

/// Decides which directories are compared now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    pub every_seconds: i64,
    /// The time since which there are automatic comparisons. A directory that was never compared counts as compared at
    /// that time, so that the import at the first start is left to `rosterd backfill`.
    pub since: Timestamp,
    pub now: Timestamp,
}

impl Schedule {
    /// `checked_at` is the end of the last comparison, complete or not.
    pub fn is_due(&self, directory_id: &str, checked_at: Option<Timestamp>) -> bool {
        self.last_due(directory_id) > checked_at.unwrap_or(self.since)
    }

    fn last_due(&self, directory_id: &str) -> Timestamp {
        let every = self.every_seconds.max(1);
        let offset = i64::try_from(slot(directory_id)).unwrap_or_default() * every
            / i64::try_from(SLOTS).unwrap_or(i64::MAX);
        let seconds = self.now.micros().div_euclid(1_000_000);
        let begun = (seconds - offset).div_euclid(every) * every;
        Timestamp::from_micros((begun + offset).saturating_mul(1_000_000))
    }
}

fn slot(directory_id: &str) -> u64 {
    let digest = Sha256::digest(directory_id.as_bytes());
    digest.iter().take(8).fold(0, |number, byte| (number << 8) | u64::from(*byte)) % SLOTS
}

/// The begin and end of the last run of all processes of the database.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Runs {
    pub begun: Option<Timestamp>,
    pub ended: Option<Timestamp>,
}

impl Runs {
    /// Whether a process may begin a run. A process that has just started continues a run that was interrupted by a
    /// crash. If another process is running after all, some directories are compared twice. That changes nothing.
    pub fn is_free(self, now: Timestamp, has_just_started: bool) -> bool {
        let Some(begun) = self.begun else { return true };
        has_just_started || self.ended >= Some(begun) || now.seconds_since(begun) >= LOST_SECONDS
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use rand::{RngExt, SeedableRng, rngs::StdRng};

    use super::*;

    const HOUR: i64 = 3_600;
    const LOOK: i64 = 60;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(1_768_478_400_000).plus_seconds(seconds)
    }

    /// Simulates the times at which each directory is compared, with a look every minute except in pauses.
    fn compared(
        ids: &[String],
        every: i64,
        seconds: i64,
        is_pause: impl Fn(i64) -> bool,
        dice: &mut StdRng,
    ) -> BTreeMap<String, Vec<i64>> {
        let mut checked: BTreeMap<&String, i64> = BTreeMap::new();
        for id in ids {
            if dice.random_ratio(9, 10) {
                checked.insert(id, -dice.random_range(0..every));
            }
        }
        let checked = &mut checked;
        let mut found: BTreeMap<String, Vec<i64>> = BTreeMap::new();
        let begun = dice.random_range(0..every);
        for look in (0..seconds).step_by(usize::try_from(LOOK).unwrap()).filter(|look| !is_pause(*look)) {
            let schedule = Schedule { every_seconds: every, since: at(begun), now: at(begun + look) };
            for id in ids {
                if schedule.is_due(id, checked.get(id).map(|then| at(begun + then))) {
                    checked.insert(id, look);
                    found.entry(id.clone()).or_default().push(look);
                }
            }
        }
        found
    }

    fn ids(n: usize, dice: &mut StdRng) -> Vec<String> {
        (0..n).map(|_| format!("directory_{:020x}", dice.random_range(0..u64::MAX))).collect()
    }

    #[test]
    fn each_directory_is_compared_once_an_interval_and_none_two_intervals_late() {
        for seed in 0..8 {
            let mut dice = StdRng::seed_from_u64(seed);
            let every = [1, 6, 24][dice.random_range(0..3)] * HOUR;
            let n = dice.random_range(1..30);
            let ids = ids(n, &mut dice);
            let found = compared(&ids, every, 5 * every, |_| false, &mut dice);
            for id in &ids {
                let times = &found[id];
                assert!(times[0] < every + LOOK, "seed {seed}: {times:?}");
                assert!(times[1] - times[0] <= every + LOOK, "seed {seed}: {times:?}");
                // The first comparison may be a late one.
                for (one, next) in times[1..].iter().zip(&times[2..]) {
                    assert!((next - one - every).abs() <= LOOK, "seed {seed}: {times:?}");
                }
                assert!(times.len() >= 4, "seed {seed}: {times:?}");
            }
        }
    }

    #[test]
    fn the_load_is_even_over_the_interval() {
        let mut dice = StdRng::seed_from_u64(7);
        let ids = ids(1_920, &mut dice);
        let found = compared(&ids, 6 * HOUR, 12 * HOUR, |_| false, &mut dice);
        let mut in_slot: BTreeMap<i64, usize> = BTreeMap::new();
        for time in found.values().flatten().filter(|time| **time >= 6 * HOUR) {
            *in_slot.entry(time / 450).or_default() += 1;
        }
        assert!(in_slot.len() >= 48, "{in_slot:?}");
        // The average is forty.
        assert!(in_slot.values().all(|n| *n <= 70), "{in_slot:?}");
    }

    #[test]
    fn after_a_pause_each_directory_that_missed_its_turn_is_compared_at_once() {
        let mut dice = StdRng::seed_from_u64(3);
        let ids = ids(50, &mut dice);
        let pause = |look: i64| (7 * HOUR..30 * HOUR).contains(&look);
        let found = compared(&ids, 6 * HOUR, 40 * HOUR, pause, &mut dice);
        assert!(ids.iter().all(|id| found[id].contains(&(30 * HOUR))), "{found:?}");
        assert!(found.values().all(|times| times.windows(2).all(|two| two[1] - two[0] <= 30 * HOUR)));
    }

    #[test]
    fn the_first_start_waits_and_a_manual_comparison_does_not_replace_the_scheduled_one() {
        let mut now = at(0);
        let first = Schedule { every_seconds: 6 * HOUR, since: now, now };
        assert!(!first.is_due("d", None));
        let due_looks = (0..720).filter(|_| {
            now = now.plus_seconds(LOOK);
            Schedule { now, ..first }.is_due("d", Some(now.plus_seconds(-LOOK)))
        });
        assert_eq!(due_looks.count(), 2, "12 hours");
    }

    #[test]
    fn a_run_that_has_not_ended_is_left_to_its_process_for_an_hour() {
        let runs =
            |begun: Option<i64>, ended: Option<i64>| Runs { begun: begun.map(at), ended: ended.map(at) };
        for (runs, has_just_started, free) in [
            (runs(None, None), false, true),
            (runs(Some(0), Some(9)), false, true),
            (runs(Some(0), None), false, false),
            (runs(Some(0), Some(-9)), false, false),
            (runs(Some(0), Some(-9)), true, true),
            (runs(Some(-HOUR), Some(-2 * HOUR)), false, true),
        ] {
            assert_eq!(runs.is_free(at(60), has_just_started), free, "{runs:?}");
        }
    }
}
