//! The envelope of an event: the fields that are needed to store it (docs/broker-workos.md 1.1).

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::Value;

use super::{
    json::{id, parsed},
    lenient_json::mended,
};
use crate::broker::{Disposition, Label};

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    event: Cow<'a, str>,
}

/// Types whose facts change the tables. `dsync.token.*` and the legacy `dsync.deactivated` change nothing.
pub(super) const HANDLED: [&str; 13] = [
    "dsync.activated",
    "dsync.deleted",
    "dsync.user.created",
    "dsync.user.updated",
    "dsync.user.deleted",
    "dsync.group.created",
    "dsync.group.updated",
    "dsync.group.deleted",
    "dsync.group.user_added",
    "dsync.group.user_removed",
    "organization.created",
    "organization.updated",
    "organization.deleted",
];

/// The label of a body. A body that is not an object with id and event is stored as not understood.
pub(in crate::broker) fn label(body: &[u8]) -> Label {
    let envelope = std::str::from_utf8(body).ok().and_then(|text| parsed::<Envelope<'_>>(text).ok());
    let Some((event_id, event)) = envelope.map(|of| (of.id, of.event)).or_else(|| mended_envelope(body))
    else {
        return Label::not_understood(body, "the body is not a JSON object with the texts id and event");
    };
    let (Ok(key), Ok(kind)) = (id(&event_id, "id"), id(&event, "event")) else {
        return Label::not_understood(body, "id or event is empty, longer than 255 bytes or contains a NUL");
    };
    let disposition = if HANDLED.contains(&kind.as_str()) { Disposition::Apply } else { Disposition::Ignore };
    Label { key, kind, disposition }
}

/// The id and type of a body with bytes that are not UTF-8, or with a key that is there twice.
fn mended_envelope<'a>(body: &[u8]) -> Option<(Cow<'a, str>, Cow<'a, str>)> {
    let mut value = mended(body)?.value;
    let mut text = |field| match value.get_mut(field).map(Value::take) {
        Some(Value::String(text)) => Some(Cow::Owned(text)),
        _ => None,
    };
    Some((text("id")?, text("event")?))
}
