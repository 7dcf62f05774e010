//! For the operator: the heads of the audit trail as a file.

use askama::Template;

use super::{
    Attachment,
    clean::Clean,
    page::Page,
    shown::{Count, day, time},
};
use crate::{
    audit::{daily_heads, stored_heads::StoredHead},
    runtime::clock::Timestamp,
};

/// The heads of all chains at one time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heads {
    pub at: Timestamp,
    pub heads: Vec<StoredHead>,
}

const JSON: &str = "application/json";
const FILE: &str = "audit-heads.json";

/// The highest number of heads in the file: about 5 MB. Many servers refuse larger mails.
const MOST: usize = 25_000;

#[derive(Template)]
#[template(path = "mail/audit_heads.txt")]
struct Mail {
    chains: Count,
    /// Chains in the file, if it does not have all.
    first: Option<Count>,
    at: Clean,
    day: Clean,
}

/// The mail, and the attached file.
pub(super) fn page(of: &Heads) -> (Page, Attachment) {
    let Heads { at, heads } = of;
    let attached = heads.get(..MOST).unwrap_or(heads);
    let page = Page::of(&Mail {
        chains: Count(heads.len()),
        first: (attached.len() < heads.len()).then_some(Count(attached.len())),
        at: time(*at),
        day: day(*at),
    });
    (page, Attachment { file_name: FILE, content_type: JSON, text: daily_heads::write(attached) })
}
