//! Gauges about the database. They are set when Prometheus reads them, so that all processes on one database show the same.

use std::sync::atomic::AtomicU64;

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{family::Family, gauge::Gauge},
    registry::{Registry, Unit},
};

/// The label `consumer`.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct ConsumerName {
    /// The label's value.
    pub consumer: String,
}

/// The label `endpoint`.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct EndpointId {
    /// The label's value.
    pub endpoint: String,
}

/// A number of seconds.
pub type Seconds = Gauge<f64, AtomicU64>;

/// An age is 0 if there is nothing that has an age.
#[derive(Debug, Default)]
pub struct Gauges {
    /// 1 if deliveries can be stored and the database can be read. With 0, all other gauges have their last values.
    pub ready: Gauge,
    /// The time of the newest delivery, in seconds since 1970; 0 before the first.
    pub newest_delivery_seconds: Seconds,
    /// Deliveries that are not applied yet.
    pub inbox_waiting: Gauge,
    /// The age of the oldest of them.
    pub inbox_oldest_seconds: Seconds,
    /// Open dead letters.
    pub dead_letters: Gauge,
    /// The age of the oldest open dead letter.
    pub dead_letters_oldest_seconds: Seconds,
    /// Users and groups that the database refuses to change.
    pub changes_refused: Gauge,
    /// The age of the oldest of them.
    pub changes_refused_oldest_seconds: Seconds,
    /// Notices that are not sent yet.
    pub outbox_waiting: Gauge,
    /// The age of the oldest of them.
    pub outbox_oldest_seconds: Seconds,
    /// People in open holds.
    pub held: Gauge,
    /// Holds that wait for a decision.
    pub holds_open: Gauge,
    /// Directories, groups and tenants that are being recomputed.
    pub recomputing: Gauge,
    /// Directories of which the silence was noticed.
    pub directories_silent: Gauge,
    /// The number of the newest record of the change feed.
    pub changes_seq: Gauge,
    /// Records that each consumer has not confirmed.
    pub consumer_lag: Family<ConsumerName, Gauge>,
    /// Records of the change feed after the position of each endpoint.
    pub endpoint_lag: Family<EndpointId, Gauge>,
    /// Records of each endpoint that failed, and later ones of the same people.
    pub endpoint_waiting: Family<EndpointId, Gauge>,
    /// 1 if an endpoint takes webhooks; 0 if it pauses, is disabled or has lost records.
    pub endpoint_active: Family<EndpointId, Gauge>,
    /// Seconds since the last read of the API's events.
    pub polled_age_seconds: Seconds,
    /// For how many seconds no webhook has arrived while the API had events.
    pub webhooks_away_seconds: Seconds,
    /// Seconds since the oldest comparison of any directory.
    pub compared_oldest_seconds: Seconds,
}

impl Gauges {
    pub(super) fn register(&self, registry: &mut Registry) {
        let mut count = |name: &str, help: &str, gauge: &Gauge| registry.register(name, help, gauge.clone());
        count("ready", "Whether deliveries can be stored and the database can be read", &self.ready);
        count("inbox_waiting", "Deliveries not yet applied", &self.inbox_waiting);
        count("dead_letters", "Open dead letters", &self.dead_letters);
        count(
            "changes_refused",
            "Users and groups that the database refuses to change",
            &self.changes_refused,
        );
        count("outbox_waiting", "Notices not yet sent", &self.outbox_waiting);
        count("held", "People whose loss of access or of a privileged role is held", &self.held);
        count("holds_open", "Holds that wait for a decision", &self.holds_open);
        count("recomputing", "Directories, groups and tenants that are being recomputed", &self.recomputing);
        count("directories_silent", "Directories of which the silence was noticed", &self.directories_silent);
        count("changes_seq", "Number of the newest record of the change feed", &self.changes_seq);
        registry.register(
            "consumer_lag",
            "Records of the change feed that a consumer has not confirmed",
            self.consumer_lag.clone(),
        );
        for (name, help, family) in [
            (
                "endpoint_lag",
                "Records of the change feed after the position of an endpoint",
                &self.endpoint_lag,
            ),
            (
                "endpoint_waiting",
                "Records that an endpoint did not take, and later ones of the same people",
                &self.endpoint_waiting,
            ),
            ("endpoint_active", "Whether an endpoint takes webhooks", &self.endpoint_active),
        ] {
            registry.register(name, help, family.clone());
        }

        let mut seconds = |name: &str, help: &str, gauge: &Seconds| {
            registry.register_with_unit(name, help, Unit::Seconds, gauge.clone());
        };
        seconds(
            "newest_delivery_timestamp",
            "Time of the newest delivery since 1970; 0 before the first",
            &self.newest_delivery_seconds,
        );
        seconds("inbox_oldest", "Age of the oldest delivery not yet applied", &self.inbox_oldest_seconds);
        seconds(
            "dead_letters_oldest",
            "Age of the oldest open dead letter",
            &self.dead_letters_oldest_seconds,
        );
        seconds(
            "changes_refused_oldest",
            "Age of the oldest refusal of a change",
            &self.changes_refused_oldest_seconds,
        );
        seconds("outbox_oldest", "Age of the oldest notice not yet sent", &self.outbox_oldest_seconds);
        seconds("polled_age", "Time since the last read of the API's events", &self.polled_age_seconds);
        seconds(
            "webhooks_away",
            "Time without a webhook although the API had events",
            &self.webhooks_away_seconds,
        );
        seconds(
            "compared_oldest",
            "Age of the oldest comparison of any directory",
            &self.compared_oldest_seconds,
        );
    }
}
