//! Users: derives the rows of `users` and the leavers from the latest facts.

use std::collections::{BTreeMap, BTreeSet};

pub use super::user_change::{Leaver, UserAccess, UserChange, UserOutcome, UserRow};
use super::{
    access::{Access, AccessCause, access},
    bearers::{CurrentBearer, bearer_of},
    context::{Context, HeldState},
    last_profile,
    newest_fact::{Homes, NewestFact, newest_facts},
    protected_roles::RoleLoss,
    roles::{self, Because},
    rule_input::{KnownUser, attributes, facts, known_user},
    state::StateSlice,
};
use crate::decide::fact::{self, EntityKind};

/// Deliveries with content that [`derive()`] needs and that is not loaded.
pub fn wanted(state: &StateSlice, id: &str, current: &[UserRow], homes: &Homes) -> Vec<i64> {
    newest_facts(state, EntityKind::User, id, homes)
        .into_iter()
        .map(|newest| (last_profile::last(state, id, &newest), newest))
        .filter(|(profile, newest)| !current.iter().any(|row| row.shows(newest, *profile)))
        .flat_map(|(profile, newest)| {
            profile.map(|profile| profile.inbox_id).into_iter().chain([newest.fact.inbox_id])
        })
        .filter(|inbox_id| state.content_of(EntityKind::User, *inbox_id).is_none())
        .collect()
}

/// Derives the changes of a user id. `current` are the rows of this id, in any tenant.
pub fn derive(state: &StateSlice, id: &str, current: &[UserRow], context: &Context<'_>) -> UserOutcome {
    let mut outcome = UserOutcome::default();
    let newest_facts = newest_facts(state, EntityKind::User, id, context.homes);
    for row in
        current.iter().filter(|row| !newest_facts.iter().any(|newest| newest.tenant_id() == row.tenant_id))
    {
        outcome.changes.push(UserChange::Remove {
            tenant_id: row.tenant_id.clone(),
            user_id: row.id.clone(),
            roles: row.held.iter().cloned().collect(),
        });
    }
    for newest in newest_facts {
        let Some(known_user) = known_user(state, &newest, current) else { continue };
        let now = bearer_of(state, id, newest.tenant_id());
        let profile = last_profile::last(state, id, &newest);
        let content = known_user.content.map(|content| last_profile::filled(state, content, profile, &now));
        let user = user(id, &newest, &known_user, now, context);
        let row = known_user.row;
        outcome.leavers.extend(leaver(&user, &newest, row, content.as_ref()));
        outcome.changes.push(match content {
            Some(content) if row.is_none_or(|row| !row.shows(&newest, profile)) => UserChange::Put {
                user,
                directory_id: newest.directory_id.to_owned(),
                digest: last_profile::digest(newest.fact.digest, profile),
                content,
            },
            _ => UserChange::Restate(user),
        });
    }
    outcome
}

fn user(
    id: &str,
    newest: &NewestFact<'_>,
    known_user: &KnownUser<'_>,
    now: CurrentBearer,
    context: &Context<'_>,
) -> UserAccess {
    let tenant_id = newest.tenant_id();
    let person_id = known_user.person(id, newest, &context.separate);
    let succeeds = known_user.row.is_some_and(|row| row.is_former(&now));
    let access = access(newest.fact, &newest.home.place);
    let attributes = attributes(known_user, context);
    let facts = facts(id, tenant_id, known_user, attributes.as_ref(), context);
    let derived = roles::derive(context.mapping.of(tenant_id), facts, context.manual(tenant_id, &person_id));
    let access = match access {
        Access::Active if derived.shut_out => Access::Inactive(newest.fact.version.at, AccessCause::Mapping),
        access => access,
    };
    let (access, held) = match context.retained(tenant_id, id) {
        Some(retained) => (Access::Active, with_retained(derived.held, retained)),
        None if access.is_active() => (access, derived.held),
        None => (access, BTreeMap::new()),
    };
    let (access, held_back) = match (known_user.row, context.held_state(tenant_id, id)) {
        (Some(row), Some(held_state)) if !succeeds => by_hold(row, held_state, access, &held),
        _ => (access, BTreeSet::new()),
    };
    let holds = |role: &String| held.contains_key(role) || held_back.contains(role);
    let lost = known_user
        .row
        .map(|row| row.held.iter().filter(|role| !holds(role)).cloned().collect::<BTreeSet<_>>());
    let gains = |row: &UserRow| held.keys().any(|role| !row.held.contains(role));
    let loses = lost.as_ref().is_some_and(|lost| !lost.is_empty());
    UserAccess {
        access,
        changed: succeeds
            || known_user.row.is_some_and(|row| row.active != access.is_active() || loses || gains(row)),
        former: now.since,
        succeeds,
        lost: lost.unwrap_or_default(),
        held,
        held_back,
        person_id,
        user_id: id.to_owned(),
        tenant_id: tenant_id.to_owned(),
    }
}

/// A retained role keeps access, and with access all roles that the facts grant.
fn with_retained(
    mut held: BTreeMap<String, Because>,
    retained: &BTreeMap<String, RoleLoss>,
) -> BTreeMap<String, Because> {
    for (role, loss) in retained {
        held.entry(role.clone()).or_insert_with(|| Because::Retained(loss.clone()));
    }
    held
}

/// A hold gives nobody access: access remains only if the row has it.
fn by_hold(
    row: &UserRow,
    held_state: &HeldState,
    access: Access,
    held: &BTreeMap<String, Because>,
) -> (Access, BTreeSet<String>) {
    let access = if held_state.access && row.active { Access::Active } else { access };
    let left = row.held.iter().filter(|role| held_state.roles.contains(*role) && !held.contains_key(*role));
    let held_back = if access.is_active() { left.cloned().collect() } else { BTreeSet::new() };
    (access, held_back)
}

fn leaver(
    user: &UserAccess,
    newest: &NewestFact<'_>,
    row: Option<&UserRow>,
    content: Option<&fact::User>,
) -> Option<Leaver> {
    let row = row.filter(|row| row.active)?;
    if user.succeeds {
        return Some(succeeded(user, newest, row));
    }
    let Access::Inactive(since, cause) = user.access else { return None };
    Some(Leaver {
        tenant_id: user.tenant_id.clone(),
        user_id: user.user_id.clone(),
        person_id: user.person_id.clone(),
        directory_id: newest.directory_id.to_owned(),
        name: content.and_then(|content| content.profile.name.clone()).or_else(|| row.profile.name.clone()),
        email: content
            .and_then(|content| content.profile.email.clone())
            .or_else(|| row.profile.email.clone()),
        since,
        cause,
        succeeded: false,
        state: content.map(|content| content.state.clone()),
        inbox_id: newest.fact.inbox_id,
        found: newest.fact.version.is_from_list(),
    })
}

/// The former bearer of the id as a leaver. They left with the first fact about the new bearer at the latest.
fn succeeded(user: &UserAccess, newest: &NewestFact<'_>, row: &UserRow) -> Leaver {
    Leaver {
        tenant_id: user.tenant_id.clone(),
        user_id: user.user_id.clone(),
        person_id: row.person_id.clone(),
        directory_id: row.directory_id.clone(),
        name: row.profile.name.clone(),
        email: row.profile.email.clone(),
        since: newest.fact.version.at,
        cause: AccessCause::Person,
        succeeded: true,
        state: None,
        inbox_id: newest.fact.inbox_id,
        found: newest.fact.version.is_from_list(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        decide::{
            fact::Observation,
            fold_facts::fold,
            mapping::Mapping,
            testing::{self, connected, scope},
        },
        runtime::clock::Timestamp,
    };

    fn row(active: bool, roles: &[&str]) -> UserRow {
        UserRow { active, ..testing::row("org_1", "A", roles) }
    }

    #[test]
    fn a_hold_lets_access_stay_only_where_it_is_shown_and_roles_only_with_access() {
        let gone = Access::Inactive(Timestamp::default(), AccessCause::Person);
        let held_state = |access| HeldState { access, roles: BTreeSet::from(["admin".to_owned()]) };
        let admin = BTreeSet::from(["admin".to_owned()]);
        let none = BTreeMap::new();
        let current = row(true, &["admin", "member"]);

        assert_eq!(by_hold(&current, &held_state(true), gone, &none), (Access::Active, admin.clone()));
        assert_eq!(by_hold(&current, &held_state(false), gone, &none), (gone, BTreeSet::new()));
        assert_eq!(by_hold(&current, &held_state(false), Access::Active, &none), (Access::Active, admin));
        assert_eq!(by_hold(&row(false, &["admin"]), &held_state(true), gone, &none), (gone, BTreeSet::new()));
    }

    #[test]
    fn a_hold_keeps_nothing_for_another_person_with_the_same_id() {
        let (mut state, homes) = connected();
        fold(&mut state, 1, Observation::User { scope: scope(), fact: testing::active(1, "A") });
        fold(&mut state, 2, Observation::User { scope: scope(), fact: testing::active(2, "B") });
        let admin = BTreeSet::from(["admin".to_owned()]);
        let mapping = Mapping::built_in();
        let mut context = Context::new(&homes, &mapping);
        let held_state = HeldState { access: true, roles: admin.clone() };
        context.held_states.insert(("org_1".to_owned(), "u".to_owned()), held_state);
        let access_after = |idp_id: &str| {
            let current = [testing::row("org_1", idp_id, &["admin"])];
            match derive(&state, "u", &current, &context).changes.pop() {
                Some(UserChange::Put { user, .. } | UserChange::Restate(user)) => user,
                other => panic!("{other:?}"),
            }
        };

        let same = access_after("B");
        assert_eq!((same.succeeds, same.held_back, same.lost), (false, admin.clone(), BTreeSet::new()));
        let another = access_after("A");
        assert_eq!((another.succeeds, another.held_back, another.lost), (true, BTreeSet::new(), admin));
    }
}
