//! `POST /webhooks/{source}`: signature header → bounded body → verify → store → 200. Nothing is parsed beyond the label.

use std::{borrow::Cow, sync::Arc, time::Duration};

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::CONTENT_LENGTH,
    web::{Bytes, BytesMut, Data, Payload},
};
use futures_core::Stream;
use tokio::time::{Instant, timeout};

use super::problem::Problem;
use crate::{
    broker::{Secret, Source},
    inbox::{
        Delivery, Stored,
        bytes_in_flight::{Room, RoomTaken},
        group_commit::{Appender, NotStored},
    },
    runtime::{
        clock::Clock,
        metrics::{Metrics, Outcome, Reason},
        shared::Shared,
        telemetry::Sparse,
    },
};

/// The parts that all requests share.
pub struct Receiver {
    /// Stores deliveries.
    pub appender: Appender,
    /// The time of reception.
    pub clock: Clock,
    /// The secrets of the webhook endpoint.
    pub secrets: Shared<Vec<Secret>>,
    /// The highest difference between the signature's time and the clock, in milliseconds.
    pub tolerance_ms: i64,
    /// The largest body.
    pub max_body_bytes: usize,
    /// The room for all bodies in memory.
    pub room: Room,
    /// The time limit for the whole body.
    pub body_timeout: Duration,
    /// The time limit for the commit; then the answer is 503.
    pub commit_timeout: Duration,
    /// The counters.
    pub metrics: Arc<Metrics>,
    /// Limits the log lines about refusals.
    pub refusals: Sparse,
}

pub(super) async fn receive(
    source: Source,
    request: HttpRequest,
    payload: Payload,
    receiver: Data<Receiver>,
) -> Result<HttpResponse, Problem> {
    let stored = accept(source, &request, payload, &receiver)
        .await
        .inspect_err(|problem| count_refused(&receiver, problem))?;
    let status = match stored {
        Stored::Accepted { .. } => "accepted",
        Stored::Duplicate => "duplicate",
    };
    receiver.metrics.deliveries.get_or_create(&Outcome { outcome: status }).inc();
    Ok(HttpResponse::Ok().content_type("application/json").body(match stored {
        Stored::Accepted { .. } => r#"{"status":"accepted"}"#,
        Stored::Duplicate => r#"{"status":"duplicate"}"#,
    }))
}

pub(super) async fn unknown_source(receiver: Data<Receiver>) -> Result<HttpResponse, Problem> {
    count_refused(&receiver, &Problem::UnknownSource);
    Err(Problem::UnknownSource)
}

fn count_refused(receiver: &Receiver, problem: &Problem) {
    receiver.metrics.refused.get_or_create(&Reason { reason: problem.name() }).inc();
    if let Some(deliveries) = receiver.refusals.due(problem.name(), 1, std::time::Instant::now()) {
        tracing::warn!(problem = problem.name(), deliveries, "deliveries were refused");
    }
}

async fn accept(
    source: Source,
    request: &HttpRequest,
    payload: Payload,
    receiver: &Receiver,
) -> Result<Stored, Problem> {
    // Before the body is read: a sender without a signature uses no memory.
    let header = signature(request, source);
    let claim = source
        .claim(header.as_deref(), receiver.tolerance_ms, receiver.clock.now())
        .map_err(Problem::Signature)?;
    let mut room = receiver.room.enter();
    let body = read(request, payload, receiver, &mut room).await?;
    let begun = Instant::now();
    claim.proved_by(&body, &receiver.secrets.get()).map_err(Problem::Signature)?;
    let delivery = Delivery::new(source, body, receiver.clock.now());
    let (key, kind) = (delivery.label.key.clone(), delivery.label.kind.clone());
    let stored = timeout(receiver.commit_timeout, receiver.appender.store(delivery, room))
        .await
        .unwrap_or(Err(NotStored::Overloaded))
        .map_err(Problem::NotStored)?;
    receiver.metrics.answer_seconds.observe(begun.elapsed().as_secs_f64());
    tracing::debug!(event.id = %key, event.kind = %kind, outcome = ?stored, "delivery stored");
    Ok(stored)
}

/// The signature header. Several lines with one name are one list (RFC 9110 5.3), because some proxies split a header at
/// its commas.
fn signature(request: &HttpRequest, source: Source) -> Option<Cow<'_, [u8]>> {
    let mut lines = request.headers().get_all(source.signature_header());
    let first = Cow::Borrowed(lines.next()?.as_bytes());
    Some(lines.fold(first, |joined, line| Cow::Owned([&*joined, b", ", line.as_bytes()].concat())))
}

/// Reads at most `max_body_bytes`. A body with a larger `Content-Length` is refused before it is read.
async fn read(
    request: &HttpRequest,
    payload: Payload,
    receiver: &Receiver,
    room: &mut RoomTaken,
) -> Result<Bytes, Problem> {
    let most = receiver.max_body_bytes;
    let announced =
        request.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|announced| announced > most as u64) {
        return Err(Problem::TooLarge { most });
    }
    timeout(receiver.body_timeout, collect(payload, most, room)).await.unwrap_or(Err(Problem::TooSlow))
}

async fn collect(payload: Payload, most: usize, room: &mut RoomTaken) -> Result<Bytes, Problem> {
    let mut payload = std::pin::pin!(payload);
    let mut body = Body::default();
    while let Some(chunk) = std::future::poll_fn(|cx| payload.as_mut().poll_next(cx)).await {
        let Ok(chunk) = chunk else { return Err(Problem::Unreadable) };
        if body.len() + chunk.len() > most {
            return Err(Problem::TooLarge { most });
        }
        if !room.grow(chunk.len()) {
            return Err(Problem::NoRoom);
        }
        body.push(chunk);
    }
    Ok(body.freeze())
}

/// A body from chunks. Most bodies arrive as one chunk, which is not copied.
#[derive(Default)]
struct Body {
    first: Bytes,
    rest: BytesMut,
}

impl Body {
    fn push(&mut self, chunk: Bytes) {
        if self.first.is_empty() && self.rest.is_empty() {
            self.first = chunk;
        } else {
            if self.rest.is_empty() {
                self.rest.extend_from_slice(&std::mem::take(&mut self.first));
            }
            self.rest.extend_from_slice(&chunk);
        }
    }

    fn len(&self) -> usize {
        self.first.len() + self.rest.len()
    }

    fn freeze(self) -> Bytes {
        if self.rest.is_empty() { self.first } else { self.rest.freeze() }
    }
}
