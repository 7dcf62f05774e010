//! For the operator: directories that were moved to another organization.

use askama::Template;

use super::{
    clean::{self, Clean},
    page::Page,
    shown::{Count, micros, rest},
};
use crate::outbox::notice::DirectoryMoved;

#[derive(Template)]
#[template(path = "mail/moved.txt")]
struct Mail {
    directories: Vec<Moved>,
    total: Count,
    /// Directories that are not in the mail.
    rest: Count,
}

struct Moved {
    id: Clean,
    from: Clean,
    to: Clean,
    people: Count,
    without_access: Count,
    by: Clean,
    reason: Clean,
    at: Clean,
    inbox_id: i64,
}

pub(super) fn page(moved: &[DirectoryMoved], total: usize) -> Page {
    Page::of(&Mail {
        directories: moved.iter().map(directory).collect(),
        total: Count(total),
        rest: rest(total, moved.len()),
    })
}

fn directory(one: &DirectoryMoved) -> Moved {
    Moved {
        id: clean::name(&one.directory_id, 64),
        from: clean::name(&one.from, 64),
        to: clean::name(&one.to, 64),
        people: Count(one.people),
        without_access: Count(one.without_access),
        by: clean::name(&one.by, 64),
        reason: clean::name(&one.reason, 200),
        at: micros(one.at),
        inbox_id: one.inbox_id,
    }
}
