//! The mail about people who lost access, and about deleted directories.

use askama::Template;

use super::{
    TenantNames,
    clean::{self, Clean},
    csv::AttachedList,
    page::Page,
    shown::{Count, Named, Organization, Person, micros, rest, time, title},
};
use crate::config::Product;
use crate::{outbox::notice::DirectoryNotice, runtime::clock::Timestamp};

/// The leavers of one tenant in one window.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Digest {
    pub tenant_id: String,
    pub tenant_name: Option<String>,
    /// The leavers that the mail lists.
    pub leavers: Vec<NamedLeaver>,
    /// The number of all leavers.
    pub total: usize,
    /// Directories that were deleted.
    pub gone: Vec<DirectoryNotice>,
    /// The leavers for the attached file, if the mail does not list all; at most as many as the file may have.
    pub listed: Vec<NamedLeaver>,
}

/// A leaver with the values for the mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedLeaver {
    pub user_id: String,
    pub name: Option<String>,
    pub email: Option<String>,
    /// When the access ended, by the broker's clock.
    pub since: Timestamp,
    pub because: LeaverReason,
    pub directory: Option<String>,
    pub inbox_id: i64,
    /// Whether reconcile found the loss, because its event did not arrive.
    pub found: bool,
}

/// Why a person lost access.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LeaverReason {
    /// The latest facts about the person end the access.
    Person {
        state: Option<String>,
    },
    DirectoryDeleted,
    OrganizationDeleted,
    /// The mapping requires a role for access and grants none.
    NoRole,
    /// An operator moved the directory to another organization.
    DirectoryMoved,
}

#[derive(Template)]
#[template(path = "mail/leavers.txt")]
struct Mail {
    organization: Organization,
    reference: Clean,
    /// The name of the only person, or the number of people.
    who: String,
    total: Count,
    gone: Vec<Gone>,
    people: Vec<Left>,
    /// People who are not named.
    rest: Count,
    list: AttachedList,
    /// Which remedies the mail names: activate the people, connect the directory, grant a role.
    reactivate: bool,
    reconnect: bool,
    needs_role: bool,
    moved: bool,
}

impl Mail {
    fn access_retained(&self) -> bool {
        self.gone.iter().any(|directory| directory.access_retained)
    }
}

struct Gone {
    title: Clean,
    name: Named,
    since: Clean,
    access_retained: bool,
    inbox_id: i64,
}

struct Left {
    person: Person,
    since: Clean,
    because: Because,
    inbox_id: i64,
}

#[derive(Template)]
#[template(path = "mail/because.txt")]
pub(super) struct Because {
    cause: Cause,
    directory: Named,
    /// The time of an event that did not arrive, if reconcile found the loss.
    missed: Option<Clean>,
}

enum Cause {
    DirectoryDeleted,
    OrganizationDeleted,
    NoRole,
    DirectoryMoved,
    Inactive,
    Suspended,
    Deleted,
    /// Another state, as the broker names it.
    State(Clean),
    Unknown,
}

pub(super) fn page(product: &Product, digest: &Digest) -> Page {
    let Digest { tenant_id, tenant_name, leavers, total, gone, listed } = digest;
    let tenant = TenantNames { id: tenant_id.clone(), name: tenant_name.clone(), ..TenantNames::default() };
    let organization = tenant.shown(product);
    let people: Vec<Left> = leavers.iter().map(left).collect();
    let who = match people.as_slice() {
        [only] if *total == 1 => only.person.title.to_string(),
        _ => Count(*total).of("person", "people"),
    };
    let first = leavers.first().map(|one| one.inbox_id).or(gone.first().map(|one| one.inbox_id));
    let any = |because: fn(&LeaverReason) -> bool| leavers.iter().any(|leaver| because(&leaver.because));
    let needs_role = any(|reason| *reason == LeaverReason::NoRole);
    let moved = any(|reason| *reason == LeaverReason::DirectoryMoved);
    let reconnect = !gone.is_empty()
        || any(|reason| matches!(reason, LeaverReason::DirectoryDeleted | LeaverReason::OrganizationDeleted));
    Page::of(&Mail {
        reference: organization.reference(first.map(|inbox_id| format!("inbox {inbox_id}"))),
        organization,
        who,
        total: Count(*total),
        rest: rest(*total, people.len()),
        people,
        gone: gone.iter().map(deleted).collect(),
        list: AttachedList::new(listed.len(), *total),
        reactivate: any(|reason| matches!(reason, LeaverReason::Person { .. }))
            || (!reconnect && !needs_role && !moved),
        reconnect,
        needs_role,
        moved,
    })
}

fn deleted(directory: &DirectoryNotice) -> Gone {
    Gone {
        title: title(directory.name.as_deref(), &directory.id),
        name: Named::new(directory.name.as_deref()),
        since: micros(directory.since),
        access_retained: directory.access_retained,
        inbox_id: directory.inbox_id,
    }
}

fn left(leaver: &NamedLeaver) -> Left {
    Left {
        person: Person::new(leaver.name.as_deref(), leaver.email.as_deref()),
        since: time(leaver.since),
        because: because(leaver),
        inbox_id: leaver.inbox_id,
    }
}

pub(super) fn because(leaver: &NamedLeaver) -> Because {
    let cause = match &leaver.because {
        LeaverReason::DirectoryDeleted => Cause::DirectoryDeleted,
        LeaverReason::OrganizationDeleted => Cause::OrganizationDeleted,
        LeaverReason::NoRole => Cause::NoRole,
        LeaverReason::DirectoryMoved => Cause::DirectoryMoved,
        LeaverReason::Person { state } => match state.as_deref() {
            Some("inactive") => Cause::Inactive,
            Some("suspended") => Cause::Suspended,
            Some("deleted") => Cause::Deleted,
            Some(state) => Cause::State(clean::name(state, 40)),
            None => Cause::Unknown,
        },
    };
    let missed = leaver.found.then(|| time(leaver.since));
    Because { cause, directory: Named::new(leaver.directory.as_deref()), missed }
}
