//! `GET /metrics` on the admin listener.

use actix_web::{HttpResponse, web::Data};

use super::{health::Health, problem::Problem};
use crate::runtime::metrics::Metrics;

/// Reads the gauges from the database. Without the database, the answer has the counters and the last gauges.
pub(super) async fn metrics(metrics: Data<Metrics>, health: Data<Health>) -> Result<HttpResponse, Problem> {
    if let Some(standing) = health.read().await {
        metrics.inbox_waiting.set(standing.inbox.count);
        metrics.inbox_oldest_seconds.set(standing.inbox.oldest_seconds.unwrap_or_default() as f64);
        metrics.dead_letters.set(standing.dead_letters.count);
        metrics
            .dead_letters_oldest_seconds
            .set(standing.dead_letters.oldest_seconds.unwrap_or_default() as f64);
        metrics.changes_refused.set(standing.refused.count);
        metrics.outbox_waiting.set(standing.outbox.count);
        metrics.held.set(standing.holds.people);
        metrics.compared_oldest_seconds.set(standing.sync.compared_oldest_seconds.unwrap_or_default() as f64);
    }
    let Ok(text) = metrics.encode() else { return Err(Problem::NotReady) };
    Ok(HttpResponse::Ok()
        .content_type("application/openmetrics-text; version=1.0.0; charset=utf-8")
        .body(text))
}
