//! Directories that come, and those that fall silent.

use super::{Item, Page, TenantNames, clean, count, inbox, reference, time};
use crate::outbox::notice::{DirectoryNotice, SilentDirectory};

pub(super) fn connected(tenant: &TenantNames, directories: &[DirectoryNotice]) -> Page {
    let items: Vec<Item> = directories.iter().map(|directory| item(directory, tenant)).collect();
    let (subject, headline) = match items.as_slice() {
        [only] => (
            format!("Directory connected: {}", only.title),
            format!("\"{}\" decides now who gets in", only.title),
        ),
        _ => {
            let all = count(items.len(), "directory", "directories");
            (format!("Directories connected: {}", items.len()), format!("{all} decide now who gets in"))
        }
    };
    Page {
        subject: format!("{subject} ({})", tenant.label()),
        headline,
        audience: tenant.audience(),
        items,
        more: None,
        sections: vec![
            (
                "What happens next",
                "Whoever is active in it gets access, with the groups and roles that it gives them. The first \
                 synchronization of a large directory takes some minutes; you are not told of its people one by one."
                    .to_owned(),
            ),
            (
                "If this is wrong",
                "If nobody of yours connected it, disconnect it at your identity provider and tell whoever runs \
                 this service at once: whoever controls it decides who gets in."
                    .to_owned(),
            ),
            ("Questions", reference(directories.first().map_or(0, |first| first.inbox_id), None)),
        ],
    }
}

fn item(directory: &DirectoryNotice, tenant: &TenantNames) -> Item {
    let name = directory.name.as_deref().map(|name| clean::name(name, 80)).filter(|name| !name.is_empty());
    let mut terms = vec![("Since", time(directory.since))];
    if let Some(provider) = &directory.provider {
        terms.push(("Provider", clean::name(provider, 60)));
    }
    terms.push(("Because", format!("it was connected at the identity provider of {}", tenant.label())));
    terms.push(("Reference", inbox(directory.inbox_id)));
    Item { title: name.unwrap_or_else(|| clean::name(&directory.id, 64)), subtitle: None, terms }
}

pub(super) fn silent(tenant: &TenantNames, silences: &[SilentDirectory]) -> Page {
    let title = |silence: &SilentDirectory| {
        let name = tenant.directories.get(&silence.directory_id).map(|name| clean::name(name, 80));
        name.filter(|name| !name.is_empty()).unwrap_or_else(|| clean::name(&silence.directory_id, 64))
    };
    let item = |silence: &SilentDirectory| Item {
        title: title(silence),
        subtitle: None,
        terms: vec![
            ("Last word", time(silence.heard_at)),
            (
                "Because",
                format!("nothing came for more than {}", count(silence.days as usize, "day", "days")),
            ),
            ("Reference", clean::name(&silence.directory_id, 64)),
        ],
    };
    let items: Vec<Item> = silences.iter().map(item).collect();
    let days = silences.first().map_or(0, |silence| silence.days) as usize;
    let days = count(days, "day", "days");
    let (subject, headline) = match items.as_slice() {
        [only] => (
            format!("Directory silent: {}", only.title),
            format!("Nothing has come from \"{}\" for more than {days}", only.title),
        ),
        _ => {
            let all = count(items.len(), "directory", "directories");
            (
                format!("Directories silent: {}", items.len()),
                format!("Nothing has come from {all} for more than {days}"),
            )
        }
    };
    Page {
        subject: format!("{subject} ({})", tenant.label()),
        headline,
        audience: tenant.audience(),
        items,
        more: None,
        sections: vec![
            (
                "What happens next",
                "Access stays as the directory last said. You are told once, until it speaks again.".to_owned(),
            ),
            (
                "What to do",
                "If people joined, left or changed since, look at your identity provider: is provisioning still on, \
                 and its token still valid? Until it works again, whoever leaves keeps access. If nothing changed \
                 there, all is well."
                    .to_owned(),
            ),
            (
                "Questions",
                format!(
                    "Give the reference to whoever runs this service: there, \"rosterd audit log --tenant {}\" shows \
                     what came last.",
                    tenant.argument()
                ),
            ),
        ],
    }
}
