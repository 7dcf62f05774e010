//! The mail about directories whose first synchronization is over: the people who hold privileged roles.

use askama::Template;

use super::{
    TenantNames,
    clean::{self, Clean},
    csv::AttachedList,
    page::Page,
    shown::{Count, Organization, Person, Roles, micros, rest, title},
};
use crate::config::Product;

/// A directory whose first synchronization is over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FirstSyncOver {
    /// The directory.
    pub directory_id: String,
    /// The end of the first synchronization; microseconds.
    pub ended_at: i64,
    /// The first people who hold privileged roles.
    pub people: Vec<PrivilegedPerson>,
    /// The number of all of them.
    pub total: usize,
    /// The people for the attached file, if the mail does not name all.
    pub listed: Vec<PrivilegedPerson>,
}

/// A person with privileged roles.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PrivilegedPerson {
    /// The broker's id.
    pub user_id: String,
    /// The display name.
    pub name: Option<String>,
    /// The address.
    pub email: Option<String>,
    /// The privileged roles.
    pub roles: Vec<String>,
}

#[derive(Template)]
#[template(path = "mail/first_sync.txt")]
struct Mail {
    organization: Organization,
    reference: Clean,
    directories: Vec<Directory>,
    people: Vec<Holder>,
    total: Count,
    /// People who are not named.
    rest: Count,
    list: AttachedList,
}

struct Directory {
    title: Clean,
    ended_at: Clean,
    total: Count,
    id: Clean,
}

struct Holder {
    person: Person,
    roles: Roles,
    user_id: Clean,
}

pub(super) fn page(product: &Product, tenant: &TenantNames, over: &[FirstSyncOver]) -> Page {
    let organization = tenant.shown(product);
    let directory = |one: &FirstSyncOver| Directory {
        title: title(tenant.directories.get(&one.directory_id).map(String::as_str), &one.directory_id),
        ended_at: micros(one.ended_at),
        total: Count(one.total),
        id: clean::name(&one.directory_id, 64),
    };
    let holder = |one: &PrivilegedPerson| Holder {
        person: Person::new(one.name.as_deref(), one.email.as_deref()),
        roles: Roles::new(&one.roles),
        user_id: clean::name(&one.user_id, 64),
    };
    let people: Vec<Holder> = over.iter().flat_map(|one| &one.people).map(holder).collect();
    let total = over.iter().map(|one| one.total).sum();
    Page::of(&Mail {
        reference: organization.reference(over.first().map(|one| one.directory_id.clone())),
        organization,
        directories: over.iter().map(directory).collect(),
        rest: rest(total, people.len()),
        people,
        total: Count(total),
        list: AttachedList::new(over.iter().map(|one| one.listed.len()).sum(), total),
    })
}
