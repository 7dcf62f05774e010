//! The operator's mail about directories whose events name another organization than their owner.

use askama::Template;

use super::{
    clean::{self, Clean},
    page::Page,
    shown::{Count, micros, rest},
};
use crate::outbox::notice::ClaimRefused;

#[derive(Template)]
#[template(path = "mail/claims_refused.txt")]
struct Mail {
    directories: Vec<Claimed>,
    total: Count,
    /// Directories that are not in the mail.
    rest: Count,
}

struct Claimed {
    id: Clean,
    /// Empty if unknown.
    owner: Clean,
    organization: Clean,
    events: Count,
    /// Events that end somebody's access.
    leavers: Count,
    since: Clean,
    inbox_id: i64,
}

pub(super) fn page(refused: &[ClaimRefused], total: usize) -> Page {
    Page::of(&Mail {
        directories: refused.iter().map(claimed).collect(),
        total: Count(total),
        rest: rest(total, refused.len()),
    })
}

fn claimed(one: &ClaimRefused) -> Claimed {
    Claimed {
        id: clean::name(&one.directory_id, 64),
        owner: one.owner.as_deref().map(|owner| clean::name(owner, 64)).unwrap_or_default(),
        organization: clean::name(&one.organization_id, 64),
        events: one.events.into(),
        leavers: one.leavers.into(),
        since: micros(one.first_at),
        inbox_id: one.inbox_id,
    }
}
