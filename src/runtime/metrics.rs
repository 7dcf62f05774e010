//! What Prometheus is told. One struct, made once and passed on: no globals, so tests can have their own.

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

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct Outcome {
    pub outcome: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct Reason {
    pub reason: &'static str,
}

/// Counters are of this process; gauges are of the database, read when asked for.
pub struct Metrics {
    registry: Registry,
    /// `accepted`, `duplicate`: kept deliveries.
    pub deliveries: Family<Outcome, Counter>,
    /// Deliveries refused before they were kept, by the problem's name.
    pub refused: Family<Reason, Counter>,
    /// Seconds from the whole body to the answer.
    pub answer_seconds: Histogram,
    /// Deliveries that shared a commit.
    pub commit_size: Histogram,
    pub applied: Counter,
    /// Seconds a batch took to apply.
    pub apply_seconds: Histogram,
    pub set_aside: Family<Reason, Counter>,
    /// Values of deliveries that were applied without them.
    pub values_left_out: Counter,
    /// Removals that lost to a word that was not sent later.
    pub removals_overruled: Counter,
    pub apply_failures: Counter,
    pub deprovisioned: Counter,
    /// `sent`, `failed`, `dead`, `needless` (everybody was back), `no_recipient`, `recipient_refused`, `fell_back` (none of its
    /// tenant's recipients was taken).
    pub mails: Family<Outcome, Counter>,
    pub inbox_waiting: Gauge,
    pub inbox_oldest_seconds: Gauge<f64, AtomicU64>,
    pub dead_letters: Gauge,
    pub changes_refused: Gauge,
    pub dead_letters_oldest_seconds: Gauge<f64, AtomicU64>,
    pub outbox_waiting: Gauge<i64, AtomicI64>,
    pub held: Gauge,
    /// `read`, `new`, `failed`: polls for events, and what they met.
    pub polled: Family<Outcome, Counter>,
    /// Events that no webhook brought.
    pub events_missed: Counter,
    /// `healed`, `held`.
    pub differences: Family<Outcome, Counter>,
    /// Age of the comparison of the directory that was compared longest ago.
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
            set_aside: Family::default(),
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
        r.register("deliveries", "Deliveries kept, by outcome", self.deliveries.clone());
        r.register("refused", "Deliveries refused, by reason", self.refused.clone());
        r.register_with_unit(
            "answer",
            "From the whole body to the answer",
            Unit::Seconds,
            self.answer_seconds.clone(),
        );
        r.register("commit_size", "Deliveries that shared a commit", self.commit_size.clone());
        r.register("applied", "Deliveries applied", self.applied.clone());
        r.register_with_unit("apply", "Time of one batch", Unit::Seconds, self.apply_seconds.clone());
        r.register("set_aside", "Deliveries set aside, by reason", self.set_aside.clone());
        r.register(
            "removals_overruled",
            "Removals without effect, since a word that was not sent later tells of a later change",
            self.removals_overruled.clone(),
        );
        r.register(
            "values_left_out",
            "Values that could not be kept, of deliveries that were applied without them",
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
        r.register("dead_letters", "Deliveries set aside and not decided", self.dead_letters.clone());
        r.register_with_unit(
            "dead_letters_oldest",
            "Age of the oldest delivery set aside and not decided",
            Unit::Seconds,
            self.dead_letters_oldest_seconds.clone(),
        );
        r.register("outbox_waiting", "Notices not yet told", self.outbox_waiting.clone());
        r.register("polled_events", "Events read from the API, and reads that failed", self.polled.clone());
        r.register(
            "events_missed",
            "Events that no webhook brought within ten minutes",
            self.events_missed.clone(),
        );
        r.register("differences", "Differences found by comparison with the lists", self.differences.clone());
        r.register_with_unit(
            "compared_oldest",
            "Age of the last comparison of the directory that was compared longest ago",
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
