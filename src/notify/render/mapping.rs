//! The mail about a new role mapping.

use askama::Template;

use super::{
    TenantNames,
    clean::{self, Clean},
    csv::AttachedList,
    page::Page,
    shown::{Count, Organization, Person, Roles, micros, rest},
};
use crate::config::Product;
use crate::outbox::notice::{MappingNotice, Privileged};

#[derive(Template)]
#[template(path = "mail/mapping.txt")]
struct Mail {
    organization: Organization,
    reference: Clean,
    affected: Count,
    versions: Vec<Version>,
    /// People with privileged roles who are not named.
    rest: Count,
    list: AttachedList,
}

struct Version {
    number: i64,
    since: Clean,
    gain: Count,
    lose: Count,
    gain_access: Count,
    lose_access: Count,
    /// Only people whose privileged roles change are named.
    people: Vec<Changed>,
}

struct Changed {
    person: Person,
    gains: Roles,
    loses: Roles,
    user_id: Clean,
}

pub(super) fn page(product: &Product, tenant: &TenantNames, mappings: &[MappingNotice]) -> Page {
    let organization = tenant.shown(product);
    let sum = |number: fn(&MappingNotice) -> usize| mappings.iter().map(number).sum::<usize>();
    Page::of(&Mail {
        reference: organization.reference(mappings.last().map(|one| format!("role rules {}", one.version))),
        organization,
        affected: Count(sum(|one| one.users)),
        versions: mappings.iter().map(version).collect(),
        rest: rest(sum(|one| one.privileged_users), sum(|one| one.privileged.len())),
        list: AttachedList::new(sum(|one| one.listed.len()), sum(|one| one.privileged_users)),
    })
}

fn version(mapping: &MappingNotice) -> Version {
    Version {
        number: mapping.version,
        since: micros(mapping.at),
        gain: Count(mapping.gain),
        lose: Count(mapping.lose),
        gain_access: Count(mapping.gain_access),
        lose_access: Count(mapping.lose_access),
        people: mapping.privileged.iter().map(changed).collect(),
    }
}

fn changed(user: &Privileged) -> Changed {
    Changed {
        person: Person::new(user.name.as_deref(), user.email.as_deref()),
        gains: Roles::new(&user.gains),
        loses: Roles::new(&user.loses),
        user_id: clean::name(&user.user_id, 64),
    }
}
