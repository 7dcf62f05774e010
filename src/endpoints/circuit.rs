//! The circuit of an endpoint: after some failures in a row the endpoint as a whole pauses, and then gets one request at a time
//! until one succeeds. The file is pure.

use super::pause;
use crate::runtime::clock::Timestamp;

const FIRST_PAUSE: i64 = 10_000;
const LONGEST_PAUSE: i64 = 600_000;

/// The longest pause that an endpoint can ask for by Retry-After, in seconds.
const LONGEST_ASKED: i64 = 3_600;

/// Failures since the last success.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Circuit {
    /// Their number. Failures of requests that had begun before a pause are not counted.
    pub failures: i64,
    /// The end of the pause. After it, one request at a time is sent.
    pub open_until: Option<Timestamp>,
}

impl Circuit {
    /// Whether the endpoint pauses, or gets one request at a time.
    pub fn is_open(&self) -> bool {
        self.open_until.is_some()
    }

    /// How many requests may be under way.
    pub(super) fn allowance(&self, most: usize, now: Timestamp) -> usize {
        match self.open_until {
            None => most,
            Some(until) if now < until => 0,
            Some(_) => 1,
        }
    }

    pub(super) fn succeeded(&mut self) {
        *self = Self::default();
    }

    /// `limit` failures open the circuit.
    pub(super) fn failed(&mut self, limit: u32, seed: i64, now: Timestamp) {
        // A request that had begun before the pause says nothing new.
        if self.open_until.is_none_or(|until| now >= until) {
            self.failures = self.failures.saturating_add(1);
            let beyond = self.failures - i64::from(limit.max(1));
            if beyond >= 0 {
                let pause = pause::millis(FIRST_PAUSE, LONGEST_PAUSE, beyond + 1, seed);
                self.open_until = Some(Timestamp::from_micros(now.micros().saturating_add(pause * 1_000)));
            }
        }
    }

    /// The endpoint asks for a pause of so many seconds.
    pub(super) fn wait(&mut self, seconds: i64, now: Timestamp) {
        let until = now.plus_seconds(seconds.clamp(1, LONGEST_ASKED));
        self.open_until = Some(self.open_until.map_or(until, |known| known.max(until)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_780_272_000_000);

    fn failed(circuit: &mut Circuit, now: Timestamp) -> i64 {
        circuit.failed(5, 7, now);
        circuit.open_until.map_or(0, |until| until.seconds_since(now))
    }

    #[test]
    fn five_failures_open_it_and_each_failed_probe_makes_the_pause_longer() {
        let mut circuit = Circuit::default();
        for _ in 0..4 {
            assert_eq!(failed(&mut circuit, NOW), 0);
        }
        assert_eq!(circuit.allowance(16, NOW), 16);
        assert!((7..=10).contains(&failed(&mut circuit, NOW)));
        assert_eq!(circuit.allowance(16, NOW), 0);
        // The other requests that were under way.
        let open = circuit;
        failed(&mut circuit, NOW);
        assert_eq!(circuit, open);

        let mut pauses = vec![];
        let mut now = NOW;
        for _ in 0..10 {
            now = circuit.open_until.unwrap_or(now);
            assert_eq!(circuit.allowance(16, now), 1);
            pauses.push(failed(&mut circuit, now));
        }
        assert!(pauses.is_sorted_by(|one, next| one < next || *next >= 479), "{pauses:?}");
        assert!(pauses.iter().all(|pause| *pause <= 600), "{pauses:?}");
        circuit.succeeded();
        assert_eq!(circuit.allowance(16, NOW), 16);
    }

    #[test]
    fn an_endpoint_may_ask_for_a_pause_and_not_for_more_than_an_hour() {
        let mut circuit = Circuit::default();
        circuit.wait(90, NOW);
        assert_eq!(circuit.open_until, Some(NOW.plus_seconds(90)));
        circuit.wait(1_000_000, NOW);
        assert_eq!(circuit.open_until, Some(NOW.plus_seconds(3_600)));
        circuit.wait(5, NOW);
        assert_eq!(circuit.open_until, Some(NOW.plus_seconds(3_600)));
    }
}
