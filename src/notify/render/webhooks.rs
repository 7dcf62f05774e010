//! The operator's mail about webhooks that no longer arrive, or arrive again.

use askama::Template;

use super::{clean::Clean, page::Page, shown::micros};
use crate::outbox::notice::WebhooksAway;

#[derive(Template)]
#[template(path = "mail/webhooks.txt")]
struct Mail {
    spans: Vec<Span>,
    are_back: bool,
}

struct Span {
    since: Clean,
    back_at: Option<Clean>,
}

pub(super) fn page(away: &[WebhooksAway]) -> Page {
    let span = |one: &WebhooksAway| Span { since: micros(one.since), back_at: one.back_at.map(micros) };
    Page::of(&Mail {
        spans: away.iter().map(span).collect(),
        are_back: away.last().is_some_and(|one| one.back_at.is_some()),
    })
}
