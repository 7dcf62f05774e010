//! The operator's mail about dead letters and refused changes.

use askama::Template;

use super::{
    clean::{self, Clean},
    page::Page,
    shown::{Count, micros, rest},
};
use crate::outbox::notice::GivenUp;

#[derive(Template)]
#[template(path = "mail/given_up.txt")]
struct Mail {
    failures: Vec<Failure>,
    total: Count,
    /// Failures that are not in the mail.
    rest: Count,
    /// The first dead letter that waits for the operator, if there is one.
    delivery: Option<i64>,
    /// Whether the database refuses a change, which is tried again automatically.
    refused: bool,
}

struct Failure {
    inbox_id: i64,
    /// The user or group of a refused change; empty for a delivery.
    entity: Clean,
    since: Clean,
    reason: Clean,
    detail: Clean,
}

pub(super) fn page(given_up: &[GivenUp], total: usize) -> Page {
    let failure = |one: &GivenUp| Failure {
        inbox_id: one.inbox_id,
        entity: one.entity.as_deref().map(|entity| clean::name(entity, 100)).unwrap_or_default(),
        since: micros(one.at),
        reason: clean::name(&one.reason, 40),
        detail: clean::detail(&one.detail, 300),
    };
    Page::of(&Mail {
        failures: given_up.iter().map(failure).collect(),
        total: Count(total),
        rest: rest(total, given_up.len()),
        delivery: given_up.iter().find(|one| !one.is_retried()).map(|one| one.inbox_id),
        refused: given_up.iter().any(GivenUp::is_retried),
    })
}
