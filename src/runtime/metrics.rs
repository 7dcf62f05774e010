//! The metrics for Prometheus, in one struct without globals, so that each test has its own.

use std::{
    fmt,
    sync::atomic::{AtomicI64, AtomicU64},
};

use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::{Registry, Unit},
};

/// The label `outcome`.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct Outcome {
    /// The label's value.
    pub outcome: &'static str,
}

/// The label `reason`.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct Reason {
    /// The label's value.
    pub reason: &'static str,
}

/// Counters are about this process. Gauges are about the database and are read at each request.
pub struct Metrics {
    registry: Registry,
    /// Deliveries: `accepted` or `duplicate`.
    pub deliveries: Family<Outcome, Counter>,
    /// Deliveries that were refused and not stored, by the problem's name.
    pub refused: Family<Reason, Counter>,
    /// Seconds from the end of the body to the answer.
    pub answer_seconds: Histogram,
    /// Deliveries in one commit.
    pub commit_size: Histogram,
    /// Deliveries that were applied.
    pub applied: Counter,
    /// Seconds to apply one batch.
    pub apply_seconds: Histogram,
    /// Dead letters, by reason.
    pub dead_lettered: Family<Reason, Counter>,
    /// Values that could not be stored; their deliveries were applied without them.
    pub values_left_out: Counter,
    /// Removals without effect, because a fact that was not sent later has a later version.
    pub removals_overruled: Counter,
    /// Batches that failed and are tried again.
    pub apply_failures: Counter,
    /// People who lost access.
    pub deprovisioned: Counter,
    /// Mails: `sent`, `failed`, `dead`, `needless` (no notice was true any more), `no_recipient`, `recipient_refused`,
    /// `fell_back` (the server refused all recipients of the tenant).
    pub mails: Family<Outcome, Counter>,
    /// Deliveries that are not applied yet.
    pub inbox_waiting: Gauge,
    /// The age of the oldest of them.
    pub inbox_oldest_seconds: Gauge<f64, AtomicU64>,
    /// Open dead letters.
    pub dead_letters: Gauge,
    /// Users and groups that the database refuses to change.
    pub changes_refused: Gauge,
    /// The age of the oldest open dead letter.
    pub dead_letters_oldest_seconds: Gauge<f64, AtomicU64>,
    /// Notices that are not sent yet.
    pub outbox_waiting: Gauge<i64, AtomicI64>,
    /// People in open holds.
    pub held: Gauge,
    /// Events of the API: `read`, `new`, and `failed` reads.
    pub polled: Family<Outcome, Counter>,
    /// Events that arrived by no webhook.
    pub events_missed: Counter,
    /// Differences of reconcile: `healed`, `held`.
    pub differences: Family<Outcome, Counter>,
    /// Seconds since the oldest comparison of any directory.
    pub compared_oldest_seconds: Gauge<f64, AtomicU64>,
}

impl Default for Metrics {
    fn default() -> Self {
        let fast = || Histogram::new(exponential_buckets(0.000_5, 2.0, 15));
        let mut metrics = Self {
            registry: Registry::with_prefix("rosterd"),
            deliveries: Family::default(),
            refused: Family::default(),
            answer_seconds: fast(),
            commit_size: Histogram::new(exponential_buckets(1.0, 2.0, 11)),
            applied: Counter::default(),
            apply_seconds: fast(),
            dead_lettered: Family::default(),
            values_left_out: Counter::default(),
            removals_overruled: Counter::default(),
            apply_failures: Counter::default(),
            deprovisioned: Counter::default(),
            mails: Family::default(),
            inbox_waiting: Gauge::default(),
            inbox_oldest_seconds: Gauge::default(),
            dead_letters: Gauge::default(),
            changes_refused: Gauge::default(),
            dead_letters_oldest_seconds: Gauge::default(),
            outbox_waiting: Gauge::default(),
            held: Gauge::default(),
            polled: Family::default(),
            events_missed: Counter::default(),
            differences: Family::default(),
            compared_oldest_seconds: Gauge::default(),
        };
        metrics.register();
        metrics
    }
}

impl Metrics {
    fn register(&mut self) {
        let r = &mut self.registry;
        r.register("deliveries", "Deliveries stored, by outcome", self.deliveries.clone());
        r.register("refused", "Deliveries refused, by reason", self.refused.clone());
        r.register_with_unit(
            "answer",
            "Time from the end of the body to the answer",
            Unit::Seconds,
            self.answer_seconds.clone(),
        );
        r.register("commit_size", "Deliveries in one commit", self.commit_size.clone());
        r.register("applied", "Deliveries applied", self.applied.clone());
        r.register_with_unit("apply", "Time to apply one batch", Unit::Seconds, self.apply_seconds.clone());
        r.register("set_aside", "Deliveries that became dead letters, by reason", self.dead_lettered.clone());
        r.register(
            "removals_overruled",
            "Removals without effect, because an event that was not sent later reports a later change",
            self.removals_overruled.clone(),
        );
        r.register(
            "values_left_out",
            "Values that could not be stored; their deliveries were applied without them",
            self.values_left_out.clone(),
        );
        r.register("apply_failures", "Batches that failed and are tried again", self.apply_failures.clone());
        r.register("deprovisioned", "People who lost access", self.deprovisioned.clone());
        r.register("mails", "Mails, by outcome", self.mails.clone());
        r.register("inbox_waiting", "Deliveries not yet applied", self.inbox_waiting.clone());
        r.register_with_unit(
            "inbox_oldest",
            "Age of the oldest delivery not yet applied",
            Unit::Seconds,
            self.inbox_oldest_seconds.clone(),
        );
        r.register(
            "changes_refused",
            "Users and groups that the database refuses to change",
            self.changes_refused.clone(),
        );
        r.register("dead_letters", "Open dead letters", self.dead_letters.clone());
        r.register_with_unit(
            "dead_letters_oldest",
            "Age of the oldest open dead letter",
            Unit::Seconds,
            self.dead_letters_oldest_seconds.clone(),
        );
        r.register("outbox_waiting", "Notices not yet sent", self.outbox_waiting.clone());
        r.register("polled_events", "Events read from the API, and reads that failed", self.polled.clone());
        r.register(
            "events_missed",
            "Events that arrived by no webhook within ten minutes",
            self.events_missed.clone(),
        );
        r.register("differences", "Differences found by comparison with the lists", self.differences.clone());
        r.register_with_unit(
            "compared_oldest",
            "Age of the oldest comparison of any directory",
            Unit::Seconds,
            self.compared_oldest_seconds.clone(),
        );
        r.register("held", "People whose loss of access or of a privileged role is held", self.held.clone());
    }

    /// The exposition text.
    pub fn encode(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}
