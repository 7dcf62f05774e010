//! Gains and losses of privileged roles, from the rows before and after a change. The file is pure.
//!
//! A person who loses access is reported as a leaver and not for each role.

use std::collections::{BTreeSet, HashMap};

use super::{
    newest_fact::{Homes, NewestFact, newest_facts},
    ownership::connected_at,
    roles::Because,
    state::StateSlice,
    users::{UserAccess, UserChange, UserRow},
};
use crate::{
    decide::{Rules, fact::EntityKind},
    runtime::clock::Timestamp,
};

/// A privileged role that a user gained or lost.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PrivilegeChange {
    /// The tenant.
    pub tenant_id: String,
    /// The broker's id.
    pub user_id: String,
    /// The person; the same through all ids of the person.
    pub person_id: String,
    /// The directory.
    pub directory_id: String,
    /// The display name.
    pub name: Option<String>,
    /// The address.
    pub email: Option<String>,
    /// The role's slug.
    pub role: String,
    /// False for a loss.
    pub granted: bool,
    /// The text of `user_roles.granted_by`; `None` for a loss.
    pub because: Option<String>,
    /// The broker's time of the batch's fact; `None` if something else than a fact about the user changed the role.
    pub fact: Option<Timestamp>,
    /// The end of the directory's first synchronization, which begins with its first fact. `None` for a manual grant.
    pub first_sync_ends: Option<Timestamp>,
    /// The delivery of the latest fact about the user.
    pub inbox_id: i64,
}

/// The changes of privileged roles between the rows in `current` and the new ones.
pub fn changes(
    state: &StateSlice,
    homes: &Homes,
    rules: &Rules,
    current: &HashMap<String, Vec<UserRow>>,
    changes: &[UserChange],
) -> Vec<PrivilegeChange> {
    let mut found = Vec::new();
    for change in changes {
        let (UserChange::Put { user, .. } | UserChange::Restate(user)) = change else { continue };
        let policy = rules.mapping.of(&user.tenant_id);
        if !user.access.is_active() {
            continue;
        }
        let row =
            current.get(&user.user_id).into_iter().flatten().find(|row| row.tenant_id == user.tenant_id);
        let nothing = BTreeSet::new();
        let before = row.filter(|row| row.active).map_or(&nothing, |row| &row.held);
        let gained = user.held.iter().filter(|(role, _)| !before.contains(*role));
        let gained = gained.map(|(role, because)| (role, Some(because)));
        let lost = user.lost.iter().map(|role| (role, None));
        let mut privileged = gained.chain(lost).filter(|(role, _)| policy.is_privileged(role)).peekable();
        if privileged.peek().is_none() {
            continue;
        }
        let newest_facts = newest_facts(state, EntityKind::User, &user.user_id, homes);
        let Some(newest) = newest_facts.iter().find(|newest| newest.tenant_id() == user.tenant_id) else {
            continue;
        };
        let found_here = privileged.map(|(role, because)| {
            let change = one(state, newest, change, user, row, role, because);
            let hours = i64::from(rules.first_sync_hours);
            let first_sync_ends = change.first_sync_ends.map(|begun| begun.plus_seconds(hours * 3_600));
            PrivilegeChange { first_sync_ends, ..change }
        });
        found.extend(found_here);
    }
    found
}

fn one(
    state: &StateSlice,
    newest: &NewestFact<'_>,
    change: &UserChange,
    user: &UserAccess,
    row: Option<&UserRow>,
    role: &str,
    because: Option<&Because>,
) -> PrivilegeChange {
    let content = match change {
        UserChange::Put { content, .. } => Some(content),
        UserChange::Restate(_) | UserChange::Remove { .. } => None,
    };
    let manual_grants = matches!(because, Some(Because::Manual(_)));
    let connected = connected_at(state, newest.directory_id);
    PrivilegeChange {
        tenant_id: user.tenant_id.clone(),
        user_id: user.user_id.clone(),
        person_id: user.person_id.clone(),
        directory_id: newest.directory_id.to_owned(),
        name: content.map_or_else(
            || row.and_then(|row| row.profile.name.clone()),
            |content| content.profile.name.clone(),
        ),
        email: content.map_or_else(
            || row.and_then(|row| row.profile.email.clone()),
            |content| content.profile.email.clone(),
        ),
        role: role.to_owned(),
        granted: because.is_some(),
        because: because.map(ToString::to_string),
        fact: fact(state, &user.user_id, newest),
        first_sync_ends: connected.filter(|_| !manual_grants),
        inbox_id: newest.fact.inbox_id,
    }
}

/// The time of the batch's newest fact about the user.
fn fact(state: &StateSlice, user_id: &str, newest: &NewestFact<'_>) -> Option<Timestamp> {
    let fact = ((EntityKind::User, user_id.to_owned()), newest.fact.claim_id);
    let changed_at = state.touched.facts.contains(&fact).then_some(newest.fact.version.at);
    let memberships = state.touched.memberships.iter().filter(|((_, user, _), _)| user == user_id);
    memberships.map(|(_, (membership, _))| membership.version.at).chain(changed_at).max()
}
