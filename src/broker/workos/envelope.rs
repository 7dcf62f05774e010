//! The outside of an event: as much as must be known to keep it (broker.md 1.1).

use std::borrow::Cow;

use serde::Deserialize;

use super::json::{id, parsed};
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

/// A body of an array, a list answer, a text: whatever is no object with id and event is not understood, and kept.
pub(in crate::broker) fn label(body: &[u8]) -> Label {
    let Ok(text) = std::str::from_utf8(body) else {
        return Label::not_understood(body, "the body is not UTF-8");
    };
    let Ok(envelope) = parsed::<Envelope<'_>>(text) else {
        return Label::not_understood(body, "the body is not a JSON object with the texts id and event");
    };
    let (Ok(key), Ok(kind)) = (id(&envelope.id, "id"), id(&envelope.event, "event")) else {
        return Label::not_understood(body, "id or event is empty, longer than 255 bytes or holds a NUL");
    };
    let disposition = if HANDLED.contains(&kind.as_str()) { Disposition::Apply } else { Disposition::Ignore };
    Label { key, kind, disposition }
}
