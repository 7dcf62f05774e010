//! The operator's mail about deliveries that wait for too long.

use askama::Template;

use super::{
    clean::Clean,
    page::Page,
    shown::{Count, micros},
};
use crate::outbox::notice::Waiting;

#[derive(Template)]
#[template(path = "mail/waiting.txt")]
struct Mail {
    deliveries: Count,
    since: Clean,
    /// The oldest delivery.
    inbox_id: i64,
}

pub(super) fn page(waiting: &Waiting) -> Page {
    Page::of(&Mail {
        deliveries: waiting.deliveries.into(),
        since: micros(waiting.since),
        inbox_id: waiting.inbox_id,
    })
}
