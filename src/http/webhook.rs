//! `POST /webhooks/{source}`: bounded bytes → verify → keep → 200; nothing else.

use std::{sync::Arc, time::Duration};

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::CONTENT_LENGTH,
    web::{Bytes, BytesMut, Data, Payload},
};
use futures_core::Stream;
use tokio::time::{Instant, timeout};

use super::problem::Problem;
use crate::{
    broker::{Secret, Source, VerifyError},
    clock::Clock,
    inbox::{
        Delivery, Kept,
        appender::{Appender, NotKept},
    },
    metrics::{Metrics, Outcome, Reason},
    telemetry::Sparse,
};

/// A sender that stops in the middle of its body is not waited for longer.
const BODY_PATIENCE: Duration = Duration::from_secs(10);

/// What the receiver needs, shared by all requests.
pub struct Receiver {
    pub appender: Appender,
    pub clock: Clock,
    pub secrets: Vec<Secret>,
    pub tolerance_ms: i64,
    pub max_body_bytes: usize,
    pub commit_timeout: Duration,
    pub metrics: Arc<Metrics>,
    pub refusals: Sparse,
}

pub(super) async fn receive(
    source: Source,
    request: HttpRequest,
    payload: Payload,
    receiver: Data<Receiver>,
) -> Result<HttpResponse, Problem> {
    let kept = accept(source, &request, payload, &receiver)
        .await
        .inspect_err(|problem| count_refused(&receiver, problem))?;
    let status = match kept {
        Kept::Accepted { .. } => "accepted",
        Kept::Duplicate => "duplicate",
    };
    receiver.metrics.deliveries.get_or_create(&Outcome { outcome: status }).inc();
    Ok(HttpResponse::Ok().content_type("application/json").body(match kept {
        Kept::Accepted { .. } => r#"{"status":"accepted"}"#,
        Kept::Duplicate => r#"{"status":"duplicate"}"#,
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
) -> Result<Kept, Problem> {
    let body = read(request, payload, receiver.max_body_bytes).await?;
    let begun = Instant::now();
    let now = receiver.clock.now();
    source
        .verify(signature(request, source)?, &body, &receiver.secrets, receiver.tolerance_ms, now)
        .map_err(Problem::Signature)?;
    let delivery = Delivery::new(source, body, now);
    let (key, kind) = (delivery.label.key.clone(), delivery.label.kind.clone());
    let kept = timeout(receiver.commit_timeout, receiver.appender.keep(delivery))
        .await
        .unwrap_or(Err(NotKept::Overloaded))
        .map_err(Problem::NotKept)?;
    receiver.metrics.answer_seconds.observe(begun.elapsed().as_secs_f64());
    tracing::debug!(event.id = %key, event.kind = %kind, outcome = ?kept, "delivery kept");
    Ok(kept)
}

/// One header line; several would leave open which of them was signed.
fn signature(request: &HttpRequest, source: Source) -> Result<Option<&[u8]>, Problem> {
    let mut lines = request.headers().get_all(source.signature_header());
    let first = lines.next().map(actix_web::http::header::HeaderValue::as_bytes);
    match lines.next() {
        None => Ok(first),
        Some(_) => Err(Problem::Signature(VerifyError::MalformedHeader("it was sent more than once"))),
    }
}

/// At most `most` bytes; one that announces more is refused before it is read.
async fn read(request: &HttpRequest, payload: Payload, most: usize) -> Result<Bytes, Problem> {
    let announced =
        request.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|announced| announced > most as u64) {
        return Err(Problem::TooLarge { most });
    }
    timeout(BODY_PATIENCE, collect(payload, most)).await.unwrap_or(Err(Problem::TooSlow))
}

async fn collect(payload: Payload, most: usize) -> Result<Bytes, Problem> {
    let mut payload = std::pin::pin!(payload);
    let mut body = Body::default();
    while let Some(chunk) = std::future::poll_fn(|cx| payload.as_mut().poll_next(cx)).await {
        let Ok(chunk) = chunk else { return Err(Problem::Unreadable) };
        body.push(chunk);
        if body.len() > most {
            return Err(Problem::TooLarge { most });
        }
    }
    Ok(body.freeze())
}

/// Nearly every event comes in one piece, which is then used as it is.
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
