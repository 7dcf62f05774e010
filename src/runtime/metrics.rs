//! The metrics for Prometheus, in one struct without globals, so that each test has its own.

use std::fmt;

use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{
        counter::Counter,
        family::Family,
        gauge::ConstGauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::{Registry, Unit},
};

use super::{gauges::Gauges, process::Process};

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

/// The label `status`: `2xx`, `3xx`, `4xx` or `5xx`.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct StatusClass {
    /// The label's value.
    pub status: &'static str,
}

impl StatusClass {
    /// The class of an HTTP status.
    pub fn of(status: u16) -> Self {
        let status = match status / 100 {
            2 => "2xx",
            3 => "3xx",
            4 => "4xx",
            _ => "5xx",
        };
        Self { status }
    }
}

/// The label `version`.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Build {
    version: &'static str,
}

/// Counters are about this process. Gauges are about the database and are read at each request.
pub struct Metrics {
    registry: Registry,
    /// Deliveries: `accepted` or `duplicate`.
    pub deliveries: Family<Outcome, Counter>,
    /// Deliveries that were refused and not stored, by the problem's name.
    pub refused: Family<Reason, Counter>,
    /// Answers to SCIM requests, by the class of the status.
    pub scim_answers: Family<StatusClass, Counter>,
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
    /// Events of the API: `read`, `new`, and `failed` reads.
    pub polled: Family<Outcome, Counter>,
    /// Events that arrived by no webhook.
    pub events_missed: Counter,
    /// Differences of reconcile: `healed`, `held`.
    pub differences: Family<Outcome, Counter>,
    /// Heads of the audit trail that were posted to an address: `sent`, `failed`.
    pub heads_posted: Family<Outcome, Counter>,
    /// Webhooks to endpoints: `delivered`, `failed`, `given_up`, `lost`.
    pub webhooks: Family<Outcome, Counter>,
    /// About the database.
    pub gauges: Gauges,
}

impl Default for Metrics {
    fn default() -> Self {
        let fast = || Histogram::new(exponential_buckets(0.000_5, 2.0, 15));
        let mut metrics = Self {
            registry: Registry::default(),
            deliveries: Family::default(),
            refused: Family::default(),
            scim_answers: Family::default(),
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
            polled: Family::default(),
            events_missed: Counter::default(),
            differences: Family::default(),
            heads_posted: Family::default(),
            webhooks: Family::default(),
            gauges: Gauges::default(),
        };
        metrics.register();
        metrics.begin();
        metrics
    }
}

impl Metrics {
    /// A counter that appears with its first event has no growth for `increase()`, so an alert on it would miss that event.
    /// Therefore all known labels begin with 0.
    fn begin(&self) {
        let outcomes: [(&Family<Outcome, Counter>, &[&'static str]); 6] = [
            (&self.deliveries, &["accepted", "duplicate"]),
            (
                &self.mails,
                &["sent", "failed", "dead", "needless", "no_recipient", "recipient_refused", "fell_back"],
            ),
            (&self.polled, &["read", "new", "failed"]),
            (&self.differences, &["healed", "held"]),
            (&self.heads_posted, &["sent", "failed"]),
            (&self.webhooks, &["delivered", "failed", "given_up", "lost"]),
        ];
        for (family, outcome) in
            outcomes.iter().flat_map(|(family, all)| all.iter().map(move |one| (family, one)))
        {
            drop(family.get_or_create(&Outcome { outcome }));
        }
        for status in ["2xx", "3xx", "4xx", "5xx"] {
            drop(self.scim_answers.get_or_create(&StatusClass { status }));
        }
        for reason in ["not_understood", "other_tenant", "time_ahead", "refused"] {
            drop(self.dead_lettered.get_or_create(&Reason { reason }));
        }
    }

    fn register(&mut self) {
        self.registry.register_collector(Box::new(Process::begin()));
        let r = self.registry.sub_registry_with_prefix("rosterd");
        let build: Family<Build, ConstGauge> = Family::new_with_constructor(|| ConstGauge::new(1));
        drop(build.get_or_create(&Build { version: env!("CARGO_PKG_VERSION") }));
        r.register("build_info", "The version of rosterd", build);
        r.register("deliveries", "Deliveries stored, by outcome", self.deliveries.clone());
        r.register("refused", "Deliveries refused, by reason", self.refused.clone());
        r.register("scim_answers", "Answers to SCIM requests, by class of status", self.scim_answers.clone());
        r.register_with_unit(
            "answer",
            "Time from the end of the body to the answer",
            Unit::Seconds,
            self.answer_seconds.clone(),
        );
        r.register("commit_size", "Deliveries in one commit", self.commit_size.clone());
        r.register("applied", "Deliveries applied", self.applied.clone());
        r.register_with_unit("apply", "Time to apply one batch", Unit::Seconds, self.apply_seconds.clone());
        r.register(
            "dead_lettered",
            "Deliveries that became dead letters, by reason",
            self.dead_lettered.clone(),
        );
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
        r.register("polled_events", "Events read from the API, and reads that failed", self.polled.clone());
        r.register(
            "events_missed",
            "Events that arrived by no webhook within ten minutes",
            self.events_missed.clone(),
        );
        r.register("differences", "Differences found by comparison with the lists", self.differences.clone());
        r.register(
            "heads_posted",
            "Heads of the audit trail that were posted, by outcome",
            self.heads_posted.clone(),
        );
        r.register("webhooks", "Webhooks to endpoints of the application, by outcome", self.webhooks.clone());
        self.gauges.register(r);
    }

    /// The text in the format of OpenMetrics.
    pub fn encode(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::metrics_text::Exposition;

    #[test]
    fn every_metric_has_a_help_text_and_a_type_under_its_own_name() {
        let open_metrics = Metrics::default().encode().unwrap();
        assert!(open_metrics.ends_with("# EOF\n"));
        let text = Exposition::Text.write(&open_metrics);
        for sample in text.lines().filter(|line| !line.starts_with('#')) {
            let name = sample.split(['{', ' ']).next().unwrap();
            let family =
                ["_bucket", "_count", "_sum"].iter().find_map(|part| name.strip_suffix(part)).unwrap_or(name);
            for keyword in ["HELP", "TYPE"] {
                assert!(text.contains(&format!("# {keyword} {family} ")), "{keyword} of {family}");
            }
        }
    }

    #[test]
    fn every_known_label_begins_with_zero() {
        let text = Metrics::default().encode().unwrap();
        for sample in [
            "rosterd_mails_total{outcome=\"no_recipient\"} 0",
            "rosterd_dead_lettered_total{reason=\"refused\"} 0",
            "rosterd_polled_events_total{outcome=\"failed\"} 0",
        ] {
            assert!(text.contains(sample), "{sample}");
        }
    }
}
