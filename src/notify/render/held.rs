//! The mail about a hold.

use askama::Template;

use super::{
    TenantNames,
    clean::{self, Clean},
    csv::AttachedList,
    page::Page,
    shown::{Count, Named, Organization, Person, Roles, rest, time},
};
use crate::config::Product;
use crate::outbox::hold_notice::{HeldPerson, HoldCause, HoldNotice, IfUndecided};

#[derive(Template)]
#[template(path = "mail/held.txt")]
struct Mail {
    organization: Organization,
    reference: Clean,
    hold_id: i64,
    directory: Named,
    since: Clean,
    cause: HoldCause,
    people_total: Count,
    /// Zero in the first mail about the hold.
    people_before: Count,
    removals: Count,
    losses: Count,
    active_before: Count,
    applied_before: Count,
    /// `None` without a time limit.
    deadline: Option<Deadline>,
    /// `None` without a page for decisions.
    decision_page: Option<Clean>,
    people: Vec<OnHold>,
    /// People who are not named.
    rest: Count,
    list: AttachedList,
}

struct Deadline {
    at: Clean,
    hours: Count,
}

struct OnHold {
    person: Person,
    /// Empty for a person who would lose access.
    roles: Roles,
    user_id: Clean,
}

pub(super) fn page(product: &Product, tenant: &TenantNames, held: &HoldNotice) -> Page {
    let organization = tenant.shown(product);
    let total = held.removals + held.privileged_losses;
    let deadline = match held.undecided {
        IfUndecided::Stay => None,
        IfUndecided::ApprovedAfterHours(hours) => Some(Deadline {
            at: time(held.since.plus_seconds(i64::from(hours) * 3_600)),
            hours: Count(hours as usize),
        }),
    };
    Page::of(&Mail {
        reference: organization.reference(Some(format!("hold {}", held.hold_id))),
        organization,
        hold_id: held.hold_id,
        directory: Named::new(held.directory.as_deref()),
        since: time(held.since),
        cause: held.cause,
        people_total: Count(total),
        people_before: Count(held.people_before),
        removals: Count(held.removals),
        losses: Count(held.privileged_losses),
        active_before: Count(held.active_before),
        applied_before: Count(held.applied_before),
        deadline,
        decision_page: product.decision_page(&tenant.id, held.hold_id).map(Clean::own),
        people: held.people.iter().map(on_hold).collect(),
        rest: rest(total, held.people.len()),
        list: AttachedList::new(held.listed.len(), total),
    })
}

fn on_hold(held: &HeldPerson) -> OnHold {
    OnHold {
        person: Person::new(held.name.as_deref(), held.email.as_deref()),
        roles: Roles::new(&held.roles),
        user_id: clean::name(&held.user_id, 64),
    }
}
