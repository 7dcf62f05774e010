//! Users: from latest facts to the row the host sees, and to the news that somebody lost access.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    access::{Access, AccessCause, access},
    bearers::{CurrentBearer, bearer_of},
    context::{Context, HeldState},
    last_profile::{self, LastProfile},
    newest_fact::{Homes, NewestFact, newest_facts},
    protected_roles::RoleLoss,
    roles::{self, Because},
    rule_input::{KnownUser, attributes, facts, said},
    state::StateSlice,
};
use crate::{
    decide::fact::{self, EntityKind},
    runtime::clock::Timestamp,
};

/// As much of a row as a decision needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShownUser {
    pub tenant_id: String,
    pub id: String,
    pub person_id: String,
    pub directory_id: String,
    pub idp_id: Option<String>,
    pub email: Option<String>,
    pub username: Option<String>,
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    pub name: Option<String>,
    pub job_title: Option<String>,
    pub active: bool,
    pub access_epoch: i64,
    pub deprovisioned_at: Option<Timestamp>,
    pub role_slugs: Vec<String>,
    /// JSON, as the row keeps it.
    pub custom_attributes: String,
    pub digest: i64,
    /// The roles shown.
    pub held: BTreeSet<String>,
}

/// The access part of a row: all that changes when only the directory around a user does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserAccess {
    pub tenant_id: String,
    pub user_id: String,
    pub person_id: String,
    pub access: Access,
    /// Roles taken away and roles that hold now; the latter empty for the inactive.
    pub lost: BTreeSet<String>,
    pub held: BTreeMap<String, Because>,
    /// Roles shown that nothing grants any more and that are left as they are ([`super::context::HeldState`]).
    pub staying: BTreeSet<String>,
    /// The latest fact about whoever bore the id before: what was said of memberships until then is not theirs.
    pub former: Option<(Timestamp, String)>,
    /// Whoever is shown under this id is another person, who is gone.
    pub succeeds: bool,
    /// Access shrank or changed: the host must look again (`access_epoch`).
    pub changed: bool,
}

#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "nearly all are the largest")]
pub enum UserChange {
    /// A new row, or new content.
    Put {
        seat: UserAccess,
        directory_id: String,
        digest: i64,
        content: fact::User,
    },
    Restate(UserAccess),
    /// The directory turned out to belong to another tenant.
    Remove {
        tenant_id: String,
        user_id: String,
        roles: Vec<String>,
    },
}

/// Somebody who was shown as active and is not any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaver {
    pub tenant_id: String,
    pub user_id: String,
    pub person_id: String,
    pub directory_id: String,
    pub name: Option<String>,
    pub email: Option<String>,
    pub since: Timestamp,
    pub cause: AccessCause,
    /// Somebody else bears the id now.
    pub succeeded: bool,
    /// The broker's fact about the person: `inactive`, `suspended`, `deleted`; absent when it is not at hand.
    pub state: Option<String>,
    pub inbox_id: i64,
    /// Found by comparison with the broker's lists: the event was missed.
    pub found: bool,
}

#[derive(Debug, Default, PartialEq)]
pub struct UserOutcome {
    pub changes: Vec<UserChange>,
    pub leavers: Vec<Leaver>,
}

impl UserAccess {
    pub fn former_at(&self) -> Option<i64> {
        Some(self.former.as_ref()?.0.micros())
    }

    pub fn former_event(&self) -> Option<&str> {
        Some(self.former.as_ref()?.1.as_str())
    }
}

impl ShownUser {
    /// Whether another person is shown than bears the id now.
    pub fn is_former(&self, now: &CurrentBearer) -> bool {
        !now.is(self.idp_id.as_deref(), self.email.as_deref())
    }

    /// `profile` is the one that a deletion may lack ([`last_profile::last`]).
    fn shows(&self, newest: &NewestFact<'_>, profile: Option<LastProfile>) -> bool {
        (self.tenant_id.as_str(), self.directory_id.as_str(), self.digest)
            == (newest.tenant_id(), newest.directory_id, last_profile::digest(newest.fact.digest, profile))
    }
}

/// Deliveries whose content `derive` will need and which are not at hand.
pub fn wanted(state: &StateSlice, id: &str, shown: &[ShownUser], homes: &Homes) -> Vec<i64> {
    newest_facts(state, EntityKind::User, id, homes)
        .into_iter()
        .map(|newest| (last_profile::last(state, id, &newest), newest))
        .filter(|(profile, newest)| !shown.iter().any(|row| row.shows(newest, *profile)))
        .flat_map(|(profile, newest)| {
            profile.map(|profile| profile.inbox_id).into_iter().chain([newest.fact.inbox_id])
        })
        .filter(|inbox_id| state.content_of(EntityKind::User, *inbox_id).is_none())
        .collect()
}

/// `shown` are the rows of this id, in any tenant.
pub fn derive(state: &StateSlice, id: &str, shown: &[ShownUser], context: &Context<'_>) -> UserOutcome {
    let mut outcome = UserOutcome::default();
    let newest_facts = newest_facts(state, EntityKind::User, id, context.homes);
    for row in
        shown.iter().filter(|row| !newest_facts.iter().any(|newest| newest.tenant_id() == row.tenant_id))
    {
        outcome.changes.push(UserChange::Remove {
            tenant_id: row.tenant_id.clone(),
            user_id: row.id.clone(),
            roles: row.held.iter().cloned().collect(),
        });
    }
    for newest in newest_facts {
        let Some(said) = said(state, &newest, shown) else { continue };
        let now = bearer_of(state, id, newest.tenant_id());
        let profile = last_profile::last(state, id, &newest);
        let content = said.content.map(|content| last_profile::filled(state, content, profile, &now));
        let seat = seat(id, &newest, &said, now, context);
        let row = said.row;
        outcome.leavers.extend(leaver(&seat, &newest, row, content.as_ref()));
        outcome.changes.push(match content {
            Some(content) if row.is_none_or(|row| !row.shows(&newest, profile)) => UserChange::Put {
                seat,
                directory_id: newest.directory_id.to_owned(),
                digest: last_profile::digest(newest.fact.digest, profile),
                content,
            },
            _ => UserChange::Restate(seat),
        });
    }
    outcome
}

fn seat(
    id: &str,
    newest: &NewestFact<'_>,
    said: &KnownUser<'_>,
    now: CurrentBearer,
    context: &Context<'_>,
) -> UserAccess {
    let tenant_id = newest.tenant_id();
    let person_id = said.person(id, newest, &context.apart);
    let succeeds = said.row.is_some_and(|row| row.is_former(&now));
    let access = access(newest.fact, &newest.home.place);
    let attributes = attributes(said, context);
    let facts = facts(id, tenant_id, said, attributes.as_ref(), context);
    let derived = roles::derive(context.mapping.of(tenant_id), facts, context.manual(tenant_id, &person_id));
    let access = match access {
        Access::Active if derived.shut_out => Access::Inactive(newest.fact.version.at, AccessCause::Mapping),
        access => access,
    };
    let (access, held) = match context.kept(tenant_id, id) {
        Some(kept) => (Access::Active, keeping(derived.held, kept)),
        None if access.is_active() => (access, derived.held),
        None => (access, BTreeMap::new()),
    };
    let (access, staying) = match (said.row, context.stay(tenant_id, id)) {
        (Some(row), Some(stay)) if !succeeds => stayed(row, stay, access, &held),
        _ => (access, BTreeSet::new()),
    };
    let holds = |role: &String| held.contains_key(role) || staying.contains(role);
    let lost =
        said.row.map(|row| row.held.iter().filter(|role| !holds(role)).cloned().collect::<BTreeSet<_>>());
    let gains = |row: &ShownUser| held.keys().any(|role| !row.held.contains(role));
    let loses = lost.as_ref().is_some_and(|lost| !lost.is_empty());
    UserAccess {
        access,
        changed: succeeds
            || said.row.is_some_and(|row| row.active != access.is_active() || loses || gains(row)),
        former: now.since,
        succeeds,
        lost: lost.unwrap_or_default(),
        held,
        staying,
        person_id,
        user_id: id.to_owned(),
        tenant_id: tenant_id.to_owned(),
    }
}

/// Access is kept with the role, and with access whatever else the facts grant.
fn keeping(
    mut held: BTreeMap<String, Because>,
    kept: &BTreeMap<String, RoleLoss>,
) -> BTreeMap<String, Because> {
    for (role, loss) in kept {
        held.entry(role.clone()).or_insert_with(|| Because::Kept(loss.clone()));
    }
    held
}

/// Nobody comes in by it: access stays only where it is shown.
fn stayed(
    row: &ShownUser,
    stay: &HeldState,
    access: Access,
    held: &BTreeMap<String, Because>,
) -> (Access, BTreeSet<String>) {
    let access = if stay.access && row.active { Access::Active } else { access };
    let left = row.held.iter().filter(|role| stay.roles.contains(*role) && !held.contains_key(*role));
    let staying = if access.is_active() { left.cloned().collect() } else { BTreeSet::new() };
    (access, staying)
}

fn leaver(
    seat: &UserAccess,
    newest: &NewestFact<'_>,
    row: Option<&ShownUser>,
    content: Option<&fact::User>,
) -> Option<Leaver> {
    let row = row.filter(|row| row.active)?;
    if seat.succeeds {
        return Some(succeeded(seat, newest, row));
    }
    let Access::Inactive(since, cause) = seat.access else { return None };
    Some(Leaver {
        tenant_id: seat.tenant_id.clone(),
        user_id: seat.user_id.clone(),
        person_id: seat.person_id.clone(),
        directory_id: newest.directory_id.to_owned(),
        name: content.and_then(|content| content.name.clone()).or_else(|| row.name.clone()),
        email: content.and_then(|content| content.email.clone()).or_else(|| row.email.clone()),
        since,
        cause,
        succeeded: false,
        state: content.map(|content| content.state.clone()),
        inbox_id: newest.fact.inbox_id,
        found: newest.fact.version.is_from_list(),
    })
}

/// Whoever is shown under an id that somebody else has now. They left with the first fact about the other at the latest.
fn succeeded(seat: &UserAccess, newest: &NewestFact<'_>, row: &ShownUser) -> Leaver {
    Leaver {
        tenant_id: seat.tenant_id.clone(),
        user_id: seat.user_id.clone(),
        person_id: row.person_id.clone(),
        directory_id: row.directory_id.clone(),
        name: row.name.clone(),
        email: row.email.clone(),
        since: newest.fact.version.at,
        cause: AccessCause::Person,
        succeeded: true,
        state: None,
        inbox_id: newest.fact.inbox_id,
        found: newest.fact.version.is_from_list(),
    }
}
