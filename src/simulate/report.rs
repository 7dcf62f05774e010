//! The result of a simulation: counts, speed and the expected state of the receiver.

use std::fmt;
use std::time::Duration;

use hdrhistogram::Histogram;

use super::world::Census;

/// The result of a run. `sent = accepted + duplicates + refused + failed`.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Report {
    /// Deliveries with any outcome. Several attempts of one delivery count once.
    pub sent: u64,
    /// Answered 2xx as new.
    pub accepted: u64,
    /// Answered 2xx as a duplicate.
    pub duplicates: u64,
    /// Attempts beyond the first, after a 503 or a broken connection.
    pub retried: u64,
    /// Answered with another status. A second attempt would not help.
    pub refused: u64,
    /// Failed at the last attempt.
    pub failed: u64,
    /// Whether the run ended early because the receiver does not answer any more. Then most events were not sent.
    pub gave_up: bool,
    /// The first refusal or failure, in words.
    pub first_problem: Option<String>,
    pub seconds: f64,
    /// Deliveries answered 2xx in each second.
    pub per_second: Vec<u64>,
    /// From the time a delivery was due to its 2xx, including all attempts and pauses.
    pub latency_ms: Percentiles,
    /// The state that a correct receiver has now, if it received no other simulation. `None` if the run ended early.
    pub expected: Option<Census>,
}

/// Milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, serde::Serialize)]
pub struct Percentiles {
    pub p50: f64,
    pub p90: f64,
    pub p99: f64,
    pub max: f64,
}

impl Report {
    /// Deliveries answered 2xx each second, on average.
    pub fn throughput(&self) -> f64 {
        if self.seconds > 0.0 { (self.accepted + self.duplicates) as f64 / self.seconds } else { 0.0 }
    }

    /// Whether every delivery was answered 2xx in the end.
    pub fn is_complete(&self) -> bool {
        self.refused == 0 && self.failed == 0 && !self.gave_up
    }
}

impl Percentiles {
    pub(super) fn of(microseconds: &Histogram<u64>) -> Self {
        let milliseconds = |value: u64| value as f64 / 1000.0;
        let at = |quantile| milliseconds(microseconds.value_at_quantile(quantile));
        Self { p50: at(0.5), p90: at(0.9), p99: at(0.99), max: milliseconds(microseconds.max()) }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sent, accepted, duplicates, retried, refused, failed, seconds, .. } = self;
        writeln!(
            f,
            "deliveries  {sent} sent: {accepted} accepted, {duplicates} duplicates, {refused} refused, {failed} failed"
        )?;
        if *retried > 0 {
            writeln!(f, "            {retried} attempts repeated")?;
        }
        if self.gave_up {
            writeln!(
                f,
                "            ended early: the receiver does not answer any more, the rest was not sent"
            )?;
        }
        if let Some(problem) = &self.first_problem {
            writeln!(f, "            first problem: {problem}")?;
        }
        write!(f, "throughput  {:.0}/s over {seconds:.2} s", self.throughput())?;
        // The last second is usually not a whole one.
        let whole = self.per_second.split_last().map_or(&[][..], |(_, whole)| whole);
        if let (Some(slowest), Some(fastest)) = (whole.iter().min(), whole.iter().max()) {
            write!(f, " (slowest second {slowest}, fastest {fastest})")?;
        }
        let Percentiles { p50, p90, p99, max } = self.latency_ms;
        write!(f, "\nlatency     p50 {p50:.1} ms, p90 {p90:.1} ms, p99 {p99:.1} ms, max {max:.1} ms")?;
        if let Some(census) = &self.expected {
            write!(f, "\nexpected    {census}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Census {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { active_users, inactive_users, groups, memberships } = self;
        write!(
            f,
            "{active_users} active and {inactive_users} inactive users, {groups} groups, {memberships} memberships"
        )
    }
}

/// The longest measured latency: ten minutes.
const LONGEST_MICROSECONDS: u64 = 600_000_000;

/// The counts of the workers during the delivery.
#[derive(Debug)]
pub(super) struct Tally {
    pub accepted: u64,
    pub duplicates: u64,
    pub retried: u64,
    pub refused: u64,
    pub failed: u64,
    /// Failures since the last 2xx.
    pub failed_in_a_row: u64,
    pub gave_up: bool,
    pub first_problem: Option<String>,
    per_second: Vec<u64>,
    microseconds: Histogram<u64>,
}

impl Tally {
    pub(super) fn new() -> Result<Self, hdrhistogram::CreationError> {
        Ok(Self {
            accepted: 0,
            duplicates: 0,
            retried: 0,
            refused: 0,
            failed: 0,
            failed_in_a_row: 0,
            gave_up: false,
            first_problem: None,
            per_second: Vec::new(),
            // A longer latency counts as the longest.
            microseconds: Histogram::new_with_bounds(1, LONGEST_MICROSECONDS, 3)?,
        })
    }

    /// Records the time and latency of a 2xx.
    pub(super) fn time(&mut self, since_start: Duration, latency: Duration) {
        self.failed_in_a_row = 0;
        let second = usize::try_from(since_start.as_secs()).unwrap_or(usize::MAX);
        if self.per_second.len() <= second {
            self.per_second.resize(second + 1, 0);
        }
        if let Some(count) = self.per_second.get_mut(second) {
            *count += 1;
        }
        self.microseconds.saturating_record(u64::try_from(latency.as_micros()).unwrap_or(u64::MAX));
    }

    pub(super) fn into_report(self, took: Duration) -> Report {
        Report {
            sent: self.accepted + self.duplicates + self.refused + self.failed,
            accepted: self.accepted,
            duplicates: self.duplicates,
            retried: self.retried,
            refused: self.refused,
            failed: self.failed,
            gave_up: self.gave_up,
            first_problem: self.first_problem,
            seconds: took.as_secs_f64(),
            per_second: self.per_second,
            latency_ms: Percentiles::of(&self.microseconds),
            expected: None,
        }
    }
}
