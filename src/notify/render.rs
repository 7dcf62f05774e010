//! Mails as subject, text and HTML; pure.
//!
//! The sentences are in `templates/mail/`, one file for each family (docs/mails.md). The code here computes the values:
//! counts, times, and names that are [`clean`]. `page` reads the output of a template, `text` and `layout` write it as plain
//! text and as HTML.

mod audit_heads;
mod claims_refused;
mod clean;
mod csv;
mod directories;
mod first_sync;
mod given_up;
mod held;
mod language;
mod layout;
mod leavers;
mod mapping;
mod moved;
mod not_compared;
pub(crate) mod page;
mod product;
mod report;
mod roles;
mod shown;
mod test_mail;
mod text;
mod waiting;
mod webhooks;

use std::collections::HashMap;

use crate::config::Product;
use crate::outbox::{
    hold_notice::HoldNotice,
    notice::{
        ClaimRefused, DirectoryMoved, DirectoryNotice, GivenUp, LastHolder, MappingNotice, Payload,
        Privilege, SilentDirectory, Waiting, WebhooksAway,
    },
};

pub use audit_heads::Heads;
pub use first_sync::{FirstSyncOver, PrivilegedPerson};
pub use leavers::{Digest, LeaverReason, NamedLeaver};
pub use not_compared::LateAndOver;
pub use report::Review;

use page::Page;

/// The content of one mail, by family.
#[derive(Clone, Debug, PartialEq)]
pub enum News {
    /// People who lost access, and deleted directories.
    Leavers(Digest),
    /// Directories that were connected.
    Connected(TenantNames, Vec<DirectoryNotice>),
    /// Directories that have sent nothing for a long time.
    Silent(TenantNames, Vec<SilentDirectory>),
    /// Directories whose first synchronization is over.
    FirstSync(TenantNames, Vec<FirstSyncOver>),
    /// The listed changes, and the number of all.
    Privileges(TenantNames, Vec<Privilege>, usize),
    /// Last holders who retain a role.
    Retained(TenantNames, Vec<LastHolder>),
    /// A hold.
    Held(TenantNames, HoldNotice),
    /// New role mappings.
    Mapping(TenantNames, Vec<MappingNotice>),
    /// A report of access.
    Report(TenantNames, Review),
    /// The listed dead letters and refused changes, and the number of all.
    GivenUp(Vec<GivenUp>, usize),
    /// The listed refused claims, and the number of all.
    ClaimsRefused(Vec<ClaimRefused>, usize),
    /// Directories that were moved to another organization.
    Moved(Vec<DirectoryMoved>, usize),
    /// Deliveries that wait for too long.
    Waiting(Waiting),
    /// Webhooks that no longer arrive, or arrive again.
    Webhooks(Vec<WebhooksAway>),
    NotCompared(LateAndOver),
    /// The heads of the audit trail.
    AuditHeads(Heads),
}

/// A tenant with the names of its directories.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TenantNames {
    pub id: String,
    pub name: Option<String>,
    /// The names of the directories in the mail, by id.
    pub directories: HashMap<String, String>,
}

/// A mail with its two forms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered {
    pub subject: String,
    pub text: String,
    pub html: String,
    /// The language of both forms.
    pub language: &'static str,
    /// The attached files.
    pub attachments: Vec<Attachment>,
    /// Whether somebody must decide soon.
    pub urgent: bool,
}

/// A file that is attached to a mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    pub file_name: &'static str,
    pub content_type: &'static str,
    pub text: String,
}

const CSV: &str = "text/csv; charset=utf-8";
const HTML: &str = "text/html; charset=utf-8";

/// Renders a mail about leavers.
pub fn render(product: &Product, digest: &Digest) -> Rendered {
    let page = leavers::page(product, digest);
    with(csv::leavers(digest), for_tenant(product, page))
}

/// Renders a test mail: the mail about these leavers, marked as a test.
pub fn test_mail(product: &Product, digest: &Digest) -> Rendered {
    for_tenant(product, test_mail::page(product, digest))
}

/// Renders a mail of any family.
pub fn news(product: &Product, news: &News) -> Rendered {
    let to_tenant = |page| for_tenant(product, page);
    match news {
        News::Leavers(digest) => render(product, digest),
        News::Connected(tenant, directories) => {
            to_tenant(directories::connected(product, tenant, directories))
        }
        News::Silent(tenant, silences) => to_tenant(directories::silent(product, tenant, silences)),
        News::FirstSync(tenant, over) => {
            with(csv::first_sync(over), to_tenant(first_sync::page(product, tenant, over)))
        }
        News::Privileges(tenant, changes, total) => {
            to_tenant(roles::privileges(product, tenant, changes, *total))
        }
        News::Retained(tenant, kept) => to_tenant(roles::last_holders(product, tenant, kept)),
        News::Mapping(tenant, mappings) => {
            with(csv::mapping(mappings), to_tenant(mapping::page(product, tenant, mappings)))
        }
        News::Held(tenant, held) => {
            let rendered = with(csv::held(held), to_tenant(held::page(product, tenant, held)));
            Rendered { urgent: true, ..rendered }
        }
        News::Report(tenant, review) => {
            let (page, attachments) = report::page(product, tenant, review);
            Rendered { attachments, ..to_tenant(page) }
        }
        News::GivenUp(given_up, total) => written(&given_up::page(given_up, *total)),
        News::ClaimsRefused(refused, total) => written(&claims_refused::page(refused, *total)),
        News::Moved(moved, total) => written(&moved::page(moved, *total)),
        News::Waiting(waiting) => written(&waiting::page(waiting)),
        News::Webhooks(away) => written(&webhooks::page(away)),
        News::NotCompared(all) => written(&not_compared::page(all)),
        News::AuditHeads(heads) => {
            let (page, file) = audit_heads::page(heads);
            with(Some(file), written(&page))
        }
    }
}

fn with(list: Option<Attachment>, rendered: Rendered) -> Rendered {
    Rendered { attachments: list.into_iter().collect(), ..rendered }
}

/// Mails to tenants have the look of the application. Mails to the operator do not.
fn for_tenant(product: &Product, page: Page) -> Rendered {
    let language = language::for_readers(product.language.as_deref());
    written(&Page { logo: product.shown_logo(), language, ..page })
}

fn written(page: &Page) -> Rendered {
    Rendered {
        subject: page.subject.clone(),
        text: text::write(page),
        html: layout::write(page),
        language: page.language,
        attachments: Vec::new(),
        urgent: false,
    }
}

/// The reason of a leaver notice. `gone` is whether the directory is deleted, if that is known.
pub fn reason(notice: &Payload, gone: Option<bool>) -> LeaverReason {
    use crate::outbox::{DIRECTORY, MAPPING, MOVED};
    match (notice.cause.as_str(), gone) {
        (DIRECTORY, Some(false)) => LeaverReason::OrganizationDeleted,
        (DIRECTORY, _) => LeaverReason::DirectoryDeleted,
        (MAPPING, _) => LeaverReason::NoRole,
        (MOVED, _) => LeaverReason::DirectoryMoved,
        _ => LeaverReason::Person { state: notice.state.clone() },
    }
}

#[cfg(test)]
mod hostile_tests;
#[cfg(test)]
mod kind_tests;
#[cfg(test)]
mod look_tests;
#[cfg(test)]
mod tests;
