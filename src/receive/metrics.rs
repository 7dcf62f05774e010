//! `GET /metrics` on the admin listener.

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{ACCEPT, VARY},
    web::Data,
};

use super::{
    health::{Health, Standing},
    problem::Problem,
};
use crate::runtime::{
    gauges::{ConsumerName, EndpointId, Gauges},
    metrics::Metrics,
    metrics_text::Exposition,
};

/// Reads the gauges from the database. Without the database, the answer has the counters, the last gauges, and
/// `rosterd_ready 0`.
pub(super) async fn metrics(
    request: HttpRequest,
    metrics: Data<Metrics>,
    health: Data<Health>,
) -> Result<HttpResponse, Problem> {
    let standing = health.read().await;
    metrics.gauges.ready.set(i64::from(standing.is_some()));
    if let Some(standing) = standing {
        show(&metrics.gauges, &standing);
    }
    let Ok(text) = metrics.encode() else { return Err(Problem::NotReady) };
    let accept: Vec<&str> =
        request.headers().get_all(ACCEPT).filter_map(|value| value.to_str().ok()).collect();
    let format = Exposition::accepted(&accept.join(","));
    let body = format.write(&text).into_owned();
    Ok(HttpResponse::Ok().content_type(format.content_type()).insert_header((VARY, "Accept")).body(body))
}

fn show(gauges: &Gauges, standing: &Standing) {
    let age = |seconds: Option<i64>| seconds.unwrap_or_default() as f64;
    gauges.inbox_waiting.set(standing.inbox.count);
    gauges.inbox_oldest_seconds.set(age(standing.inbox.oldest_seconds));
    gauges.newest_delivery_seconds.set(standing.newest_delivery.map_or(0.0, |at| at.micros() as f64 / 1e6));
    gauges.dead_letters.set(standing.dead_letters.count);
    gauges.dead_letters_oldest_seconds.set(age(standing.dead_letters.oldest_seconds));
    gauges.changes_refused.set(standing.refused.count);
    gauges.changes_refused_oldest_seconds.set(age(standing.refused.oldest_seconds));
    gauges.outbox_waiting.set(standing.outbox.count);
    gauges.outbox_oldest_seconds.set(age(standing.outbox.oldest_seconds));
    gauges.held.set(standing.holds.people);
    gauges.holds_open.set(standing.holds.open);
    gauges.recomputing.set(standing.refreshes);
    gauges.directories_silent.set(standing.silent);
    gauges.changes_seq.set(standing.feed.seq);
    // Consumers that were removed go.
    gauges.consumer_lag.clear();
    for (consumer, lag) in &standing.feed.consumers {
        gauges.consumer_lag.get_or_create(&ConsumerName { consumer: consumer.clone() }).set(*lag);
    }
    let of_endpoints = [&gauges.endpoint_lag, &gauges.endpoint_waiting, &gauges.endpoint_active];
    of_endpoints.iter().for_each(|family| family.clear());
    for one in &standing.endpoints {
        let id = EndpointId { endpoint: one.id.clone() };
        gauges.endpoint_lag.get_or_create(&id).set(one.lag);
        gauges.endpoint_waiting.get_or_create(&id).set(one.waiting);
        gauges.endpoint_active.get_or_create(&id).set(i64::from(one.state == "active"));
    }
    gauges.polled_age_seconds.set(age(standing.sync.polled_seconds));
    gauges.webhooks_away_seconds.set(age(standing.sync.webhooks_away_seconds));
    gauges.compared_oldest_seconds.set(age(standing.sync.compared_oldest_seconds));
}
