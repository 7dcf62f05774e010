//! The mails about connected directories and silent directories.

use askama::Template;

use super::{
    TenantNames,
    clean::{self, Clean},
    page::Page,
    shown::{Count, Organization, micros, title},
};
use crate::config::Product;
use crate::outbox::notice::{DirectoryNotice, SilentDirectory};

#[derive(Template)]
#[template(path = "mail/connected.txt")]
struct ConnectedMail {
    organization: Organization,
    reference: Clean,
    directories: Vec<Connected>,
}

struct Connected {
    title: Clean,
    since: Clean,
    /// Empty if unknown.
    provider: Clean,
    inbox_id: i64,
}

pub(super) fn connected(product: &Product, tenant: &TenantNames, directories: &[DirectoryNotice]) -> Page {
    let organization = tenant.shown(product);
    let shown = |directory: &DirectoryNotice| Connected {
        title: title(directory.name.as_deref(), &directory.id),
        since: micros(directory.since),
        provider: directory.provider.as_deref().map(|name| clean::name(name, 60)).unwrap_or_default(),
        inbox_id: directory.inbox_id,
    };
    Page::of(&ConnectedMail {
        reference: organization.reference(directories.first().map(|one| format!("inbox {}", one.inbox_id))),
        organization,
        directories: directories.iter().map(shown).collect(),
    })
}

#[derive(Template)]
#[template(path = "mail/silent.txt")]
struct SilentMail {
    organization: Organization,
    reference: Clean,
    days: Count,
    directories: Vec<Silent>,
}

struct Silent {
    title: Clean,
    id: Clean,
    last: Clean,
    days: Count,
    /// Empty where nothing was compared.
    not_compared: Clean,
}

pub(super) fn silent(product: &Product, tenant: &TenantNames, silences: &[SilentDirectory]) -> Page {
    let organization = tenant.shown(product);
    let shown = |silence: &SilentDirectory| Silent {
        title: title(
            tenant.directories.get(&silence.directory_id).map(String::as_str),
            &silence.directory_id,
        ),
        id: clean::name(&silence.directory_id, 64),
        last: micros(silence.last_event_at),
        days: Count(silence.days as usize),
        not_compared: silence
            .not_compared
            .as_deref()
            .map(|reason| clean::detail(reason, 160))
            .unwrap_or_default(),
    };
    let directories: Vec<Silent> = silences.iter().map(shown).collect();
    Page::of(&SilentMail {
        reference: organization.reference(directories.first().map(|one| one.id.to_string())),
        organization,
        days: directories.first().map(|one| one.days).unwrap_or_default(),
        directories,
    })
}
