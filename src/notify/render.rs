//! News as subject, text and HTML, all of one look; pure. Names come from strangers: see `clean` for what they may contain
//! and `html` for how they are written.

mod changes;
mod clean;
mod csv;
mod directories;
mod held;
mod html;
mod leavers;
mod operator;
mod report;
mod text;

use std::collections::HashMap;

use crate::{
    outbox::{
        hold_notice::HoldNotice,
        notice::{
            ClaimRefused, DirectoryNotice, GivenUp, LastHolder, MappingNotice, Payload, Privilege,
            SilentDirectory,
        },
    },
    runtime::clock::Timestamp,
};

pub use leavers::{Digest, LeaverReason, NamedLeaver};
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
        News::Privileges(tenant, changes, total) => written(&changes::privileges(tenant, changes, *total)),
        News::Kept(tenant, kept) => written(&changes::kept(tenant, kept)),
        News::Mapping(tenant, mappings) => written(&changes::mapping(tenant, mappings)),
        News::Held(tenant, held) => Rendered { urgent: true, ..written(&held::page(tenant, held)) },
        News::Report(tenant, review) => report::rendered(tenant, review),
        News::GivenUp(given_up, total) => written(&operator::given_up(given_up, *total)),
        News::ClaimsRefused(refused, total) => written(&operator::claims_refused(refused, *total)),
    }
}

fn written(page: &Page) -> Rendered {
    Rendered {
        subject: page.subject.clone(),
        text: text::write(page),
        html: html::write(page),
        attachments: Vec::new(),
        urgent: false,
    }
}

/// What both forms say, in clean words.
struct Page {
    subject: String,
    headline: String,
    /// `Organization`, and which.
    audience: (&'static str, String),
    items: Vec<Item>,
    more: Option<String>,
    /// Title and text, in the order of reading.
    sections: Vec<(&'static str, String)>,
}

struct Item {
    title: String,
    /// Their address.
    subtitle: Option<String>,
    terms: Vec<(&'static str, String)>,
}

impl TenantNames {
    fn id(&self) -> String {
        clean::name(&self.id, 64)
    }

    /// As a word of a command.
    fn argument(&self) -> &str {
        clean::argument(&self.id, TENANT)
    }

    /// As people call it.
    fn label(&self) -> String {
        let name = self.name.as_deref().map(|name| clean::name(name, 80));
        name.filter(|name| !name.is_empty()).unwrap_or_else(|| self.id())
    }

    fn audience(&self) -> (&'static str, String) {
        let (id, label) = (self.id(), self.label());
        ("Organization", if id == label { id } else { format!("{label} ({id})") })
    }

    /// `the directory "Acme Okta"`
    fn directory(&self, id: &str) -> String {
        the_directory(self.directories.get(id).map(String::as_str))
    }
}

fn the_directory(name: Option<&str>) -> String {
    let name = name.map(|name| clean::name(name, 80)).filter(|name| !name.is_empty());
    name.map_or_else(|| "the directory".to_owned(), |name| format!("the directory \"{name}\""))
}

/// In a command, for an id that is not plain.
const TENANT: &str = "TENANT";

/// A person's name, and the address where it does not stand for the name already.
fn person(name: Option<&str>, email: Option<&str>) -> (String, Option<String>) {
    // Many a directory gives the address for the name.
    let name = name.filter(|name| email.is_none_or(|email| !name.trim().eq_ignore_ascii_case(email.trim())));
    let name = name.map(|text| clean::name(text, 80)).filter(|text| !text.is_empty());
    let email = email.map(clean::email).filter(|text| !text.is_empty());
    let shown = name.as_ref().and(email.clone());
    (name.or(email).unwrap_or_else(|| "A person without a name".to_owned()), shown)
}

fn time(micros: i64) -> String {
    Timestamp::from_micros(micros).to_utc().format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

fn inbox(inbox_id: i64) -> String {
    format!("inbox {inbox_id}")
}

/// Where a number leads, for whoever runs the service.
fn reference(inbox_id: i64, person: Option<(&str, &str)>) -> String {
    let shows = format!(
        "Give the reference to whoever runs this service: there, \"rosterd inbox show {inbox_id}\" shows the message \
         that came from the directory"
    );
    match person {
        Some((tenant_id, user_id)) if !user_id.is_empty() => format!(
            "{shows}, and \"rosterd audit log --tenant {} --user {}\" everything that was done for this person.",
            clean::argument(tenant_id, TENANT),
            clean::argument(user_id, "USER")
        ),
        _ => format!("{shows}."),
    }
}

fn more(rest: usize, named: usize, one: &str, many: &str) -> Option<String> {
    (rest > 0).then(|| match named {
        0 => format!("{}, not named here.", count(rest, one, many)),
        _ => format!("And {}, not named here.", count(rest, &format!("more {one}"), &format!("more {many}"))),
    })
}

/// `1 person`, `49,950 people`.
fn count(number: usize, one: &str, many: &str) -> String {
    format!("{} {}", grouped(number), if number == 1 { one } else { many })
}

fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
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
