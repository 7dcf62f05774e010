//! The attached list of a mail that does not name all people.

use askama::Template;
use serde_json::Value;

use super::{
    Attachment, CSV, Digest,
    clean::{self, Clean},
    first_sync::FirstSyncOver,
    leavers::because,
    shown::{Count, time},
};
use crate::{
    outbox::{hold_notice::HoldNotice, notice::MappingNotice},
    text::csv::{head_for_people, line_for_people},
};

/// The largest list. Many servers refuse larger mails.
pub const MOST_BYTES: usize = 2 << 20;

const LIST_END: &str = include_str!("../../../templates/mail/list-end.txt");

/// The sentence about the attached list; empty without a list.
#[derive(Template)]
#[template(path = "mail/attached-list.txt")]
pub(super) struct AttachedList {
    /// People in the list.
    listed: Count,
    total: Count,
}

impl AttachedList {
    pub(super) fn new(listed: usize, total: usize) -> Self {
        Self { listed: Count(listed), total: Count(total) }
    }
}

/// All leavers, if the mail does not name all.
pub(super) fn leavers(digest: &Digest) -> Option<Attachment> {
    let row = |leaver: &super::NamedLeaver| {
        vec![
            text(leaver.name.as_deref(), 80),
            text(leaver.email.as_deref(), 254),
            text(Some(&leaver.user_id), 64),
            time(leaver.since).into_text(),
            because(leaver).to_string(),
            format!("inbox {}", leaver.inbox_id),
        ]
    };
    file(&["name", "email", "user_id", "since", "because", "reference"], digest.listed.iter().map(row))
}

/// All people in a hold.
pub(super) fn held(held: &HoldNotice) -> Option<Attachment> {
    let rows = held.listed.iter().map(|one| {
        let lost = if one.roles.is_empty() { "access".to_owned() } else { roles(&one.roles) };
        vec![
            text(one.name.as_deref(), 80),
            text(one.email.as_deref(), 254),
            text(Some(&one.user_id), 64),
            lost,
            format!("hold {}", held.hold_id),
        ]
    });
    file(&["name", "email", "user_id", "would_lose", "reference"], rows)
}

/// All people who hold privileged roles after a first synchronization.
pub(super) fn first_sync(over: &[FirstSyncOver]) -> Option<Attachment> {
    let rows = over.iter().flat_map(|one| one.listed.iter().map(move |person| (one, person)));
    let row = |(one, person): (&FirstSyncOver, &super::PrivilegedPerson)| {
        vec![
            text(person.name.as_deref(), 80),
            text(person.email.as_deref(), 254),
            text(Some(&person.user_id), 64),
            roles(&person.roles),
            text(Some(&one.directory_id), 64),
        ]
    };
    file(&["name", "email", "user_id", "privileged_roles", "directory_id"], rows.map(row))
}

/// All people whose privileged roles new role rules change.
pub(super) fn mapping(mappings: &[MappingNotice]) -> Option<Attachment> {
    let rows = mappings.iter().flat_map(|one| one.listed.iter().map(|person| (one.version, person)));
    let row = |(version, person): (i64, &crate::outbox::notice::Privileged)| {
        vec![
            text(person.name.as_deref(), 80),
            text(person.email.as_deref(), 254),
            text(Some(&person.user_id), 64),
            roles(&person.gains),
            roles(&person.loses),
            format!("role rules {version}"),
        ]
    };
    file(&["name", "email", "user_id", "gains", "loses", "reference"], rows.map(row))
}

/// `None` without rows.
fn file(head: &[&str], rows: impl Iterator<Item = Vec<String>>) -> Option<Attachment> {
    let mut rows = rows.peekable();
    rows.peek()?;
    let mut csv = head_for_people(head);
    for cells in rows {
        let row = line_for_people(&cells.into_iter().map(Value::from).collect::<Vec<_>>());
        if csv.len() + row.len() > MOST_BYTES {
            csv.push_str(&line_for_people(&[Value::from(LIST_END.trim())]));
            break;
        }
        csv.push_str(&row);
    }
    Some(Attachment { file_name: "people.csv", content_type: CSV, text: csv })
}

/// Dots are not separated: a file has no links, and a reader must find an id in it.
fn text(text: Option<&str>, most: usize) -> String {
    text.map(|text| clean::line(text, most)).map(Clean::into_text).unwrap_or_default()
}

fn roles(slugs: &[String]) -> String {
    slugs.iter().map(|slug| text(Some(slug), 60)).collect::<Vec<_>>().join(", ")
}
