//! Bodies, bounded in size and time.

use std::{future::poll_fn, pin::pin};

use actix_web::{
    HttpRequest,
    http::header::CONTENT_LENGTH,
    web::{BytesMut, Payload},
};
use futures_core::Stream;
use serde_json::Value;
use tokio::time::timeout;

use super::ScimParts;
use crate::{inbox::bytes_in_flight::RoomTaken, scim::ScimError};

/// Reads a body as JSON, and takes room for it. Any content type is accepted: clients send several.
pub(super) async fn json(
    parts: &ScimParts,
    request: &HttpRequest,
    payload: Payload,
) -> Result<(Value, RoomTaken), ScimError> {
    let most = parts.max_body_bytes;
    let too_large =
        || ScimError::of(413, format!("the body is larger than {most} bytes (scim.max_body_bytes)"));
    let announced =
        request.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|announced| announced > most as u64) {
        return Err(too_large());
    }
    let mut room = parts.room.enter();
    let collected = timeout(parts.body_timeout, async {
        let mut payload = pin!(payload);
        let mut body = BytesMut::new();
        while let Some(chunk) = poll_fn(|cx| payload.as_mut().poll_next(cx)).await {
            let chunk = chunk.map_err(|error| {
                ScimError::syntax(format!("the body could not be read to its end: {error}"))
            })?;
            if body.len() + chunk.len() > most {
                return Err(too_large());
            }
            if !room.grow(chunk.len()) {
                return Err(ScimError::of(
                    503,
                    "too many bytes of requests are in flight; send the request again",
                ));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    })
    .await;
    let body = match collected {
        Ok(body) => body?,
        Err(_elapsed) => return Err(ScimError::of(408, "the body did not arrive in time")),
    };
    let value = serde_json::from_slice(&body)
        .map_err(|error| ScimError::syntax(format!("the body is not JSON: {error}")))?;
    Ok((value, room))
}
