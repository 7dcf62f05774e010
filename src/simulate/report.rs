//! What a simulation did and how the receiver bore it.

use std::fmt;
use std::time::Duration;

use hdrhistogram::Histogram;

use super::world::Census;

/// The result of a run. `sent = accepted + duplicates + refused + failed`.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Report {
    /// Deliveries, whatever became of them; an attempt that is repeated counts once.
    pub sent: u64,
    /// Answered 2xx as new.
    pub accepted: u64,
    /// Answered 2xx as known before.
    pub duplicates: u64,
    /// Attempts beyond the first, after a 503 or a broken connection.
    pub retried: u64,
    /// Answered otherwise, which a second attempt does not mend.
    pub refused: u64,
    /// Given up after the last attempt.
    pub failed: u64,
    /// Whether the run ended early because the receiver was gone: then most of the stream was never sent.
    pub gave_up: bool,
    /// The first refusal or failure, in words.
    pub first_problem: Option<String>,
    pub seconds: f64,
    /// Deliveries answered 2xx in each second.
    pub per_second: Vec<u64>,
    /// From the instant a delivery was due to its 2xx, all attempts and pauses included.
    pub latency_ms: Percentiles,
    /// What the receiver has to show now, if it held nothing of other simulations. None when the
    /// run gave up.
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
            writeln!(f, "            gave up: the receiver is gone, the rest was not sent")?;
        }
        if let Some(problem) = &self.first_problem {
            writeln!(f, "            first problem: {problem}")?;
        }
        write!(f, "throughput  {:.0}/s over {seconds:.2} s", self.throughput())?;
        // The last second is rarely a whole one.
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

/// Ten minutes.
const LONGEST_MICROSECONDS: u64 = 600_000_000;

/// What workers count while they deliver.
#[derive(Debug)]
pub(super) struct Tally {
    pub accepted: u64,
    pub duplicates: u64,
    pub retried: u64,
    pub refused: u64,
    pub failed: u64,
    /// Since the last 2xx.
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
            // What takes longer counts as the longest.
            microseconds: Histogram::new_with_bounds(1, LONGEST_MICROSECONDS, 3)?,
        })
    }

    /// Times a 2xx.
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
