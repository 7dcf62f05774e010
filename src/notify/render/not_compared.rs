//! For the operator: directories that were not compared with the broker's lists for long, or were compared again.

use askama::Template;

use super::{
    clean::{self, Clean},
    page::Page,
    shown::{Count, micros, rest},
};
use crate::outbox::notice::NotCompared;

/// The named ones, those that are late first, and how many there are of both.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LateAndOver {
    pub named: Vec<NotCompared>,
    pub late: usize,
    pub over: usize,
}

#[derive(Template)]
#[template(path = "mail/not_compared.txt")]
struct Mail {
    directories: Vec<Directory>,
    hours: Count,
    late: Count,
    over: Count,
    /// Directories that are not in the mail.
    rest: Count,
}

struct Directory {
    id: Clean,
    since: Clean,
    /// Empty where it is unknown.
    reason: Clean,
    again_at: Option<Clean>,
}

pub(super) fn page(all: &LateAndOver) -> Page {
    let LateAndOver { named, late, over } = all;
    Page::of(&Mail {
        hours: Count(named.first().map_or(0, |one| one.hours as usize)),
        directories: named.iter().map(directory).collect(),
        late: Count(*late),
        over: Count(*over),
        rest: rest(late + over, named.len()),
    })
}

fn directory(one: &NotCompared) -> Directory {
    Directory {
        id: clean::name(&one.directory_id, 64),
        since: micros(one.since),
        reason: one.reason.as_deref().map(|reason| clean::detail(reason, 160)).unwrap_or_default(),
        again_at: one.again_at.map(micros),
    }
}
