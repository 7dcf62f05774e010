//! `endpoints test`: one signed webhook that is about no record.

use std::{process::ExitCode, time::Duration};

use secrecy::ExposeSecret;
use serde_json::json;

use super::{Failure, Format, List};
use crate::{
    endpoints::{EndpointLimits, answer::Outcome, message, secret::new_id, sign, stored::Endpoint},
    runtime::clock::Timestamp,
    worker::endpoint_sender::post::{Poster, Signed},
};

pub(super) fn run(
    endpoint: &Endpoint,
    limits: EndpointLimits,
    now: Timestamp,
    format: Format,
) -> Result<ExitCode, Failure> {
    let (id, seconds) = (format!("{}_test_{}", endpoint.id, new_id()), now.micros() / 1_000_000);
    let body = message::body("endpoint.test", &now.to_string(), &json!({"endpoint_id": endpoint.id}));
    let signature = sign::signature(endpoint.secrets(now), &id, seconds, body.as_bytes())
        .ok_or("the secret cannot be read; make a new one with `rosterd endpoints rotate`")?;
    let poster = Poster::new(Duration::from_secs(limits.timeout_seconds))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let signed = Signed { id, seconds, signature, body };
    let answered =
        runtime.block_on(poster.post(endpoint.url.expose_secret(), endpoint.allow_private, signed));
    let is_delivered = answered.outcome == Outcome::Delivered;
    let duration_ms = u64::try_from(answered.duration.as_millis()).unwrap_or(u64::MAX);
    let row = vec![is_delivered.into(), answered.text.into(), duration_ms.into()];
    List { columns: vec!["delivered", "outcome", "duration_ms"], rows: vec![row] }.print(format)?;
    Ok(if is_delivered { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
