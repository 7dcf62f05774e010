//! People who lost access, and the directories that took it with them.

use super::{Item, Page, TenantNames, clean, count, inbox, more, person, reference, the_directory, time};
use crate::{outbox::notice::DirectoryNotice, runtime::clock::Timestamp};

/// One tenant's leavers of a window.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Digest {
    pub tenant_id: String,
    pub tenant_name: Option<String>,
    /// Those who are named.
    pub leavers: Vec<NamedLeaver>,
    /// All of them.
    pub total: usize,
    /// Directories that were deleted.
    pub gone: Vec<DirectoryNotice>,
    /// For the attached list where not all are named: as many as it may hold.
    pub listed: Vec<NamedLeaver>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedLeaver {
    pub user_id: String,
    pub name: Option<String>,
    pub email: Option<String>,
    /// The broker's time.
    pub since: Timestamp,
    pub because: LeaverReason,
    pub directory: Option<String>,
    pub inbox_id: i64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LeaverReason {
    /// The directory's word on the person.
    Person {
        state: Option<String>,
    },
    DirectoryDeleted,
    OrganizationDeleted,
    /// The mapping lets nobody in to whom it grants no role.
    NoRole,
}

pub(super) fn page(digest: &Digest) -> Page {
    let tenant = TenantNames {
        id: digest.tenant_id.clone(),
        name: digest.tenant_name.clone(),
        ..TenantNames::default()
    };
    let people: Vec<Item> = digest.leavers.iter().map(item).collect();
    let who = match people.as_slice() {
        [only] if digest.total == 1 => only.title.clone(),
        _ => count(digest.total, "person", "people"),
    };
    let one = digest.total == 1;
    let access = format!("{who} no longer {} access", if one { "has" } else { "have" });
    let (subject, headline) = match (digest.gone.as_slice(), digest.total) {
        ([], _) => (format!("Access removed: {who} ({})", tenant.label()), access),
        (gone, total) => {
            let what = match gone {
                [only] => the_directory(only.name.as_deref()),
                _ => count(gone.len(), "directory", "directories"),
            };
            let was = if gone.len() == 1 { "was" } else { "were" };
            let bare = what.trim_start_matches("the directory ").trim_matches('"').to_owned();
            let subject = format!("Directory deleted: {bare}, {who} without access ({})", tenant.label());
            let what = capital(&what);
            match total {
                0 => (
                    format!("Directory deleted: {bare} ({})", tenant.label()),
                    format!("{what} {was} deleted"),
                ),
                _ => (subject, format!("{what} {was} deleted, and {access}")),
            }
        }
    };
    let rest = digest.total.saturating_sub(people.len());
    let mut unnamed = more(rest, people.len(), "person", "people");
    if let (Some(text), false) = (&mut unnamed, digest.listed.is_empty()) {
        let cut = digest.total.saturating_sub(digest.listed.len());
        text.push_str(&match cut {
            0 => " All are in the attached people.csv.".to_owned(),
            _ => format!(" The attached people.csv has the first {}.", super::grouped(digest.listed.len())),
        });
    }
    let next = match (digest.total, digest.gone.iter().any(|directory| directory.people_stay)) {
        (0, true) => {
            "Nothing is needed from you. Its groups are gone; its people keep their access as it was, as your policy for \
             deleted directories says."
        }
        (0, false) => "Nothing is needed from you. Nobody lost access by it.",
        _ => {
            "Nothing is needed from you. Access, roles and group memberships are withdrawn already; the record of \
             them is kept."
        }
    };
    Page {
        subject,
        headline,
        audience: tenant.audience(),
        items: digest.gone.iter().map(|directory| gone(directory, digest)).chain(people).collect(),
        more: unnamed,
        sections: vec![
            ("What happens next", next.to_owned()),
            ("If this is wrong", wrong(digest, if one { "this person" } else { "these people" })),
            ("Questions", questions(digest)),
        ],
    }
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

fn gone(directory: &DirectoryNotice, digest: &Digest) -> Item {
    let name = directory.name.as_deref().map(|name| clean::name(name, 80)).filter(|name| !name.is_empty());
    let people = match (directory.people_stay, digest.total) {
        (true, _) => "keep their access".to_owned(),
        (false, 0) => "nobody lost access".to_owned(),
        (false, total) => format!("{} lost access", super::grouped(total)),
    };
    Item {
        title: name.unwrap_or_else(|| clean::name(&directory.id, 64)),
        subtitle: None,
        terms: vec![
            ("Since", time(directory.since)),
            ("Because", "the directory, or its organization, was deleted".to_owned()),
            ("People", people),
            ("Reference", inbox(directory.inbox_id)),
        ],
    }
}

fn item(leaver: &NamedLeaver) -> Item {
    let (title, subtitle) = person(leaver.name.as_deref(), leaver.email.as_deref());
    Item {
        title,
        subtitle,
        terms: vec![
            ("Since", time(leaver.since.micros())),
            ("Because", because(leaver)),
            ("Reference", inbox(leaver.inbox_id)),
        ],
    }
}

pub(super) fn because(leaver: &NamedLeaver) -> String {
    let directory = the_directory(leaver.directory.as_deref());
    match &leaver.because {
        LeaverReason::DirectoryDeleted => format!("{directory} was deleted"),
        LeaverReason::OrganizationDeleted => "the organization was deleted".to_owned(),
        LeaverReason::NoRole => format!("nothing in {directory} grants a role any more"),
        LeaverReason::Person { state } => match state.as_deref() {
            Some("inactive") => format!("deactivated in {directory}"),
            Some(word @ ("suspended" | "deleted")) => format!("{word} in {directory}"),
            Some(word) => format!("\"{}\" in {directory}", clean::name(word, 40)),
            None => format!("no longer active in {directory}"),
        },
    }
}

fn wrong(digest: &Digest, them: &str) -> String {
    let person = digest.leavers.iter().any(|leaver| matches!(leaver.because, LeaverReason::Person { .. }));
    let mapped = digest.leavers.iter().any(|leaver| leaver.because == LeaverReason::NoRole);
    let gone = !digest.gone.is_empty()
        || digest.leavers.iter().any(|leaver| {
            matches!(leaver.because, LeaverReason::DirectoryDeleted | LeaverReason::OrganizationDeleted)
        });
    let mut sentences = Vec::new();
    if person || (!gone && !mapped) {
        sentences.push(format!(
            "Activate {them} again in the directory; it is the one that decides. Access, groups and roles come back \
             by themselves."
        ));
    }
    if gone {
        sentences.push(
            "If a directory was deleted by mistake, connect it again: its people get back what it then says of them."
                .to_owned(),
        );
    }
    if mapped {
        sentences.push(
            "Who has no role is not let in here: give back the group or role in the directory that grants one.".to_owned(),
        );
    }
    sentences.join(" ")
}

fn questions(digest: &Digest) -> String {
    match (digest.leavers.first(), digest.gone.first()) {
        (Some(leaver), _) => reference(leaver.inbox_id, Some((&digest.tenant_id, &leaver.user_id))),
        (None, Some(directory)) => reference(directory.inbox_id, None),
        (None, None) => reference(0, None).replace(" show 0\"", " show NUMBER\""),
    }
}
