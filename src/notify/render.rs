//! News as subject, text and HTML, all of one look; pure.
//!
//! The sentences are in `templates/mail/`, a file for each kind of mail (docs/mails.md). The code here chooses the values: counts,
//! times, and names that are [`clean`]. `page` reads what a template says, `text` and `layout` give it its two forms.

mod claims_refused;
mod clean;
mod csv;
mod directories;
mod given_up;
mod held;
mod layout;
mod leavers;
mod mapping;
mod not_compared;
pub(crate) mod page;
mod report;
mod roles;
mod shown;
mod text;
mod waiting;
mod webhooks;

use std::collections::HashMap;

use crate::outbox::{
    hold_notice::HoldNotice,
    notice::{
        ClaimRefused, DirectoryNotice, GivenUp, LastHolder, MappingNotice, Payload, Privilege,
        SilentDirectory, Waiting, WebhooksAway,
    },
};

pub use leavers::{Digest, LeaverReason, NamedLeaver};
pub use not_compared::LateAndOver;
pub use report::Review;

/// What one mail tells, to the administrators of one tenant, or to the operator.
#[derive(Clone, Debug, PartialEq)]
pub enum News {
    Leavers(Digest),
    Connected(TenantNames, Vec<DirectoryNotice>),
    Silent(TenantNames, Vec<SilentDirectory>),
    /// The named ones, and how many there are.
    Privileges(TenantNames, Vec<Privilege>, usize),
    Kept(TenantNames, Vec<LastHolder>),
    Held(TenantNames, HoldNotice),
    Mapping(TenantNames, Vec<MappingNotice>),
    Report(TenantNames, Review),
    GivenUp(Vec<GivenUp>, usize),
    ClaimsRefused(Vec<ClaimRefused>, usize),
    Waiting(Waiting),
    Webhooks(Vec<WebhooksAway>),
    NotCompared(LateAndOver),
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TenantNames {
    pub id: String,
    pub name: Option<String>,
    /// Names of the directories that are spoken of.
    pub directories: HashMap<String, String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered {
    pub subject: String,
    pub text: String,
    pub html: String,
    pub attachments: Vec<Attachment>,
    /// Somebody has to decide.
    pub urgent: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    pub file_name: &'static str,
    pub content_type: &'static str,
    pub text: String,
}

const CSV: &str = "text/csv; charset=utf-8";
const HTML: &str = "text/html; charset=utf-8";

pub fn render(digest: &Digest) -> Rendered {
    let page = leavers::page(digest);
    Rendered { attachments: csv::people(digest).into_iter().collect(), ..written(&page) }
}

pub fn news(news: &News) -> Rendered {
    match news {
        News::Leavers(digest) => render(digest),
        News::Connected(tenant, directories) => written(&directories::connected(tenant, directories)),
        News::Silent(tenant, silences) => written(&directories::silent(tenant, silences)),
        News::Privileges(tenant, changes, total) => written(&roles::privileges(tenant, changes, *total)),
        News::Kept(tenant, kept) => written(&roles::kept(tenant, kept)),
        News::Mapping(tenant, mappings) => written(&mapping::page(tenant, mappings)),
        News::Held(tenant, held) => Rendered { urgent: true, ..written(&held::page(tenant, held)) },
        News::Report(tenant, review) => report::rendered(tenant, review),
        News::GivenUp(given_up, total) => written(&given_up::page(given_up, *total)),
        News::ClaimsRefused(refused, total) => written(&claims_refused::page(refused, *total)),
        News::Waiting(waiting) => written(&waiting::page(waiting)),
        News::Webhooks(away) => written(&webhooks::page(away)),
        News::NotCompared(all) => written(&not_compared::page(all)),
    }
}

fn written(page: &page::Page) -> Rendered {
    Rendered {
        subject: page.subject.clone(),
        text: text::write(page),
        html: layout::write(page),
        attachments: Vec::new(),
        urgent: false,
    }
}

/// A cause in a [`Payload`], for a directory that is known to be gone or not.
pub fn reason(notice: &Payload, gone: Option<bool>) -> LeaverReason {
    use crate::outbox::{DIRECTORY, MAPPING};
    match (notice.cause.as_str(), gone) {
        (DIRECTORY, Some(false)) => LeaverReason::OrganizationDeleted,
        (DIRECTORY, _) => LeaverReason::DirectoryDeleted,
        (MAPPING, _) => LeaverReason::NoRole,
        _ => LeaverReason::Person { state: notice.state.clone() },
    }
}

#[cfg(test)]
mod kinds;
#[cfg(test)]
mod tests;
