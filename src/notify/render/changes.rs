//! Roles that change: privileged ones granted and lost, protected ones kept, and another mapping.

use super::{Item, Page, TenantNames, clean, count, grouped, inbox, more, person, reference, time};
use crate::outbox::notice::{LastHolder, MappingNotice, Privilege, Privileged};

fn role(slug: &str) -> String {
    clean::name(slug, 60)
}

pub(super) fn privileges(tenant: &TenantNames, changes: &[Privilege], total: usize) -> Page {
    let item = |change: &Privilege| {
        let (title, subtitle) = person(change.name.as_deref(), change.email.as_deref());
        let directory = tenant.directory(&change.directory_id);
        let because = match &change.because {
            Some(because) => clean::name(because, 200),
            None => format!("nothing in {directory} grants it any more"),
        };
        let verb = if change.granted { "granted" } else { "lost" };
        Item {
            title,
            subtitle,
            terms: vec![
                ("Role", format!("{}, {verb}", role(&change.role))),
                ("Since", time(change.since)),
                ("Because", because),
                ("Reference", inbox(change.inbox_id)),
            ],
        }
    };
    let items: Vec<Item> = changes.iter().map(item).collect();
    let (subject, headline) = match (items.as_slice(), changes) {
        ([only], [change]) if total == 1 => {
            let (name, role) = (&only.title, role(&change.role));
            match change.granted {
                true => {
                    (format!("Privileged role granted: {name}, {role}"), format!("{name} now holds {role}"))
                }
                false => (
                    format!("Privileged role lost: {name}, {role}"),
                    format!("{name} no longer holds {role}"),
                ),
            }
        }
        _ => {
            let all = count(total, "change", "changes");
            (format!("Privileged roles: {all}"), format!("{all} of privileged roles"))
        }
    };
    let questions = changes
        .first()
        .map_or_else(String::new, |change| reference(change.inbox_id, Some((&tenant.id, &change.user_id))));
    Page {
        subject: format!("{subject} ({})", tenant.label()),
        headline,
        audience: tenant.audience(),
        more: more(total.saturating_sub(items.len()), items.len(), "change", "changes"),
        items,
        sections: vec![
            (
                "What happens next",
                "The change is made already. Roles follow the directory and the mapping of roles; nothing is needed from you."
                    .to_owned(),
            ),
            (
                "If this is wrong",
                "Put the person's groups, role or attributes right in the directory; the role follows within \
                 moments. One that was given by hand is taken back by whoever runs this service."
                    .to_owned(),
            ),
            ("Questions", questions),
        ],
    }
}

pub(super) fn kept(tenant: &TenantNames, kept: &[LastHolder]) -> Page {
    let item = |kept: &LastHolder| {
        let (title, subtitle) = person(kept.name.as_deref(), kept.email.as_deref());
        let directory = tenant.directory(&kept.directory_id);
        let ended = match kept.access {
            true => format!("{directory} ended their access, and nobody else holds this role"),
            false => format!("{directory} no longer gives them the role, and nobody else holds it"),
        };
        let keeps = if kept.access { "their access and the role" } else { "the role" };
        Item {
            title,
            subtitle,
            terms: vec![
                ("Role", role(&kept.role)),
                ("Keeps", keeps.to_owned()),
                ("Since", time(kept.since)),
                ("Because", ended),
                ("Reference", inbox(kept.inbox_id)),
            ],
        }
    };
    let items: Vec<Item> = kept.iter().map(item).collect();
    let (subject, headline) = match (items.as_slice(), kept) {
        ([only], [one]) => (
            format!("Last {} kept: {}", role(&one.role), only.title),
            format!("{} stays, as the last holder of {}", only.title, role(&one.role)),
        ),
        _ => {
            let all = count(items.len(), "person", "people");
            (format!("Last holders kept: {all}"), format!("{all} stay, as last holders of protected roles"))
        }
    };
    let questions = kept
        .first()
        .map_or_else(String::new, |one| reference(one.inbox_id, Some((&tenant.id, &one.user_id))));
    Page {
        subject: format!("{subject} ({})", tenant.label()),
        headline,
        audience: tenant.audience(),
        items,
        more: None,
        sections: vec![
            (
                "What happens next",
                "As soon as somebody else of your organization holds the role, what the directory says happens by \
                 itself. Until then they can sign in as before."
                    .to_owned(),
            ),
            (
                "What to do",
                "Give the role to somebody else in the directory. If the person must be out at once, whoever runs this \
                 service can take the role and the access away by hand."
                    .to_owned(),
            ),
            ("Questions", questions),
        ],
    }
}

pub(super) fn mapping(tenant: &TenantNames, mappings: &[MappingNotice]) -> Page {
    let mut items = Vec::new();
    let (mut users, mut privileged, mut named) = (0, 0, 0);
    for mapping in mappings {
        users += mapping.users;
        privileged += mapping.privileged_users;
        named += mapping.privileged.len();
        let mut terms = vec![("Since", time(mapping.at))];
        terms.push(("Because", "the operator of this service applied other rules for roles".to_owned()));
        let lines = [
            ("Gained", mapping.gain, "gains roles", "gain roles"),
            ("Lost", mapping.lose, "loses roles", "lose roles"),
            ("Let in", mapping.gain_access, "gets access", "get access"),
            ("Shut out", mapping.lose_access, "loses access", "lose access"),
        ];
        let lines = lines.into_iter().filter(|(_, number, ..)| *number > 0);
        terms.extend(lines.map(|(term, number, one, many)| {
            (term, count(number, &format!("person {one}"), &format!("people {many}")))
        }));
        terms.push(("Reference", format!("mapping {}", mapping.version)));
        items.push(Item { title: format!("Mapping {}", mapping.version), subtitle: None, terms });
        items.extend(mapping.privileged.iter().map(change));
    }
    Page {
        subject: format!("Roles mapped anew: {} concerned ({})", count(users, "person", "people"), tenant.label()),
        headline: format!("Other rules for roles change what {} may do", count(users, "person", "people")),
        audience: tenant.audience(),
        items,
        more: more(
            privileged.saturating_sub(named),
            named,
            "person with privileged roles",
            "people with privileged roles",
        ),
        sections: vec![
            (
                "What happens next",
                "The change is made for one person after another, which takes some minutes for thousands. Whoever \
                 loses all access by it is told of besides."
                    .to_owned(),
            ),
            (
                "If this is wrong",
                "The rules are kept by whoever runs this service, who can apply the former ones again.".to_owned(),
            ),
            (
                "Questions",
                format!(
                    "Give the reference to whoever runs this service: there, \"rosterd explain --tenant {} USER\" \
                     says of everybody which rule grants what, and \"rosterd audit log --tenant {}\" what was changed.",
                    tenant.argument(),
                    tenant.argument()
                ),
            ),
        ],
    }
}

/// Only those whose privileged roles change are named.
fn change(user: &Privileged) -> Item {
    let (title, subtitle) = person(user.name.as_deref(), user.email.as_deref());
    let roles = |roles: &[String]| {
        let shown: Vec<String> = roles.iter().take(10).map(|slug| role(slug)).collect();
        match roles.len().saturating_sub(shown.len()) {
            0 => shown.join(", "),
            rest => format!("{} and {} more", shown.join(", "), grouped(rest)),
        }
    };
    let mut terms = Vec::new();
    if !user.gains.is_empty() {
        terms.push(("Gains", roles(&user.gains)));
    }
    if !user.loses.is_empty() {
        terms.push(("Loses", roles(&user.loses)));
    }
    terms.push(("Reference", clean::name(&user.user_id, 64)));
    Item { title, subtitle, terms }
}
