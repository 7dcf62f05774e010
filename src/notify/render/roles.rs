//! The mails about privileged roles and about last holders of protected roles.

use std::collections::BTreeSet;

use askama::Template;

use super::{
    TenantNames,
    clean::{self, Clean},
    page::Page,
    shown::{Count, Named, Organization, Person, micros, rest, role},
};
use crate::config::Product;
use crate::outbox::notice::{LastHolder, Privilege};

#[derive(Template)]
#[template(path = "mail/privileges.txt")]
struct PrivilegesMail {
    organization: Organization,
    reference: Clean,
    changes: Vec<Change>,
    total: Count,
    /// Changes that are not in the mail.
    rest: Count,
}

struct Change {
    person: Person,
    role: Clean,
    granted: bool,
    since: Clean,
    /// The rule and the fact; empty for a loss.
    because: Clean,
    directory: Named,
    inbox_id: i64,
}

impl PrivilegesMail {
    /// The only change of the mail, if there is one only.
    fn single(&self) -> Option<&Change> {
        self.changes.first().filter(|_| self.total == Count(1))
    }
}

pub(super) fn privileges(
    product: &Product,
    tenant: &TenantNames,
    changes: &[Privilege],
    total: usize,
) -> Page {
    let organization = tenant.shown(product);
    let shown = |change: &Privilege| Change {
        person: Person::new(change.name.as_deref(), change.email.as_deref()),
        role: role(&change.role),
        granted: change.granted,
        since: micros(change.since),
        because: change.because.as_deref().map(|because| clean::name(because, 200)).unwrap_or_default(),
        directory: tenant.directory(&change.directory_id),
        inbox_id: change.inbox_id,
    };
    Page::of(&PrivilegesMail {
        reference: organization.reference(changes.first().map(|one| format!("inbox {}", one.inbox_id))),
        organization,
        changes: changes.iter().map(shown).collect(),
        total: Count(total),
        rest: rest(total, changes.len()),
    })
}

#[derive(Template)]
#[template(path = "mail/retained.txt")]
struct RetainedMail {
    organization: Organization,
    reference: Clean,
    people: Vec<Holder>,
    roles: Count,
    /// The number of people. A person may retain several roles.
    holders: Count,
}

struct Holder {
    person: Person,
    role: Clean,
    /// Whether the loss would also end the person's access.
    access: bool,
    since: Clean,
    directory: Named,
    inbox_id: i64,
}

pub(super) fn last_holders(product: &Product, tenant: &TenantNames, last_holders: &[LastHolder]) -> Page {
    let organization = tenant.shown(product);
    let shown = |holder: &LastHolder| Holder {
        person: Person::new(holder.name.as_deref(), holder.email.as_deref()),
        role: role(&holder.role),
        access: holder.access,
        since: micros(holder.since),
        directory: tenant.directory(&holder.directory_id),
        inbox_id: holder.inbox_id,
    };
    Page::of(&RetainedMail {
        reference: organization.reference(last_holders.first().map(|one| format!("inbox {}", one.inbox_id))),
        organization,
        people: last_holders.iter().map(shown).collect(),
        roles: Count(last_holders.len()),
        holders: Count(last_holders.iter().map(|one| &one.user_id).collect::<BTreeSet<_>>().len()),
    })
}
