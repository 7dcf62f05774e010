//! The rows of directories and tenants. A deletion leaves the row and sets `deleted_at`.

use super::{
    Rules, Tenancy, bearers,
    ownership::{admissible, directory_fact, place, tenant_fact},
    state::{Content, StateSlice},
};
use crate::{decide::fact::EntityKind, runtime::clock::Timestamp};

/// The state of a directory that other events mention, while no event about the directory itself is known. The broker
/// does not define this state.
pub const UNKNOWN: &str = "unknown";
/// The state of a deleted directory. rosterd sets it.
pub const DELETED: &str = "deleted";

/// A row of `directories`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectoryRow {
    /// The owner.
    pub tenant_id: String,
    /// The broker's id.
    pub id: String,
    /// The display name.
    pub name: Option<String>,
    /// Column `type`: the kind of provider.
    pub provider: Option<String>,
    /// The broker's value, [`DELETED`] or [`UNKNOWN`].
    pub state: String,
    /// The broker's time.
    pub created_at: Option<Timestamp>,
    /// The broker's time.
    pub updated_at: Option<Timestamp>,
    /// The broker's time of the deletion.
    pub deleted_at: Option<Timestamp>,
}

/// A row of `tenants`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TenantRow {
    /// The tenant.
    pub id: String,
    /// The organization's name.
    pub name: Option<String>,
    /// The broker's time.
    pub created_at: Option<Timestamp>,
    /// The broker's time.
    pub updated_at: Option<Timestamp>,
    /// The broker's time of the deletion.
    pub deleted_at: Option<Timestamp>,
}

/// The directory's row; `None` while only removals mention the directory. A directory that only other events mention
/// has a row without name and provider, so every user's directory has a row.
pub fn directory_row(state: &StateSlice, id: &str, rules: &Rules) -> Option<DirectoryRow> {
    let place = place(state, id, rules);
    if !place.revealed {
        return None;
    }
    let content = directory_fact(state, id).and_then(|fact| state.content(EntityKind::Directory, fact));
    let (name, named_provider, fact_state, created_at, updated_at) = match content {
        Some(Content::Directory(d)) => {
            (d.name.clone(), d.provider.clone(), d.state.as_str(), Some(d.created_at), Some(d.updated_at))
        }
        _ => (None, None, UNKNOWN, None, None),
    };
    // Person ids depend on the provider. A removal may name a wrong one, so it counts only if no other fact exists.
    let named = admissible(state, state.facts(EntityKind::Directory, id)).flat_map(|fact| &fact.bearers);
    let provider = bearers::newest(named).map_or(named_provider, |newest| newest.idp_id.clone());
    Some(DirectoryRow {
        tenant_id: place.tenant_id,
        id: id.to_owned(),
        name,
        provider,
        state: if place.gone_since.is_some() { DELETED } else { fact_state }.to_owned(),
        created_at,
        updated_at,
        deleted_at: place.gone_since,
    })
}

/// The tenant's row; `None` while no fact but removals is known about the organization and its directories.
pub fn tenant_row(state: &StateSlice, id: &str, rules: &Rules, has_directory: bool) -> Option<TenantRow> {
    let fact = match rules.tenancy {
        Tenancy::Multi => tenant_fact(state, id),
        Tenancy::Single => None,
    };
    let revealed = has_directory || fact.is_some_and(|fact| fact.revealed_by.is_some());
    let content = fact.and_then(|fact| state.content(EntityKind::Organization, fact));
    let (name, created_at, updated_at) = match content {
        Some(Content::Organization(o)) => (Some(o.name.clone()), Some(o.created_at), Some(o.updated_at)),
        _ => (None, None, None),
    };
    let deleted_at = fact.filter(|fact| !fact.live).map(|fact| fact.version.at);
    revealed.then(|| TenantRow { id: id.to_owned(), name, created_at, updated_at, deleted_at })
}
