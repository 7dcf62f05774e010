//! From latest facts to the rows of users and groups: load what is shown and what else counts, derive (pure), write what
//! differs.

use std::collections::{BTreeSet, HashMap};

use super::{
    guard::{self, Derivation},
    load,
    namesakes::{Together, together},
    protected_roles, recompute,
};
use crate::{
    audit::{self, AuditEntry, people::ChangeCause},
    db::{Conn, DbError, Serialized},
    decide::{
        Rules,
        bearers::bearer_of,
        context::{Context, Groups},
        fact::EntityKind,
        groups::{self, GroupChange, ShownGroup},
        known_user,
        namesakes::Apart,
        newest::Homes,
        privileges,
        state::StateSlice,
        users::{self, ShownUser, UserChange, UserOutcome},
    },
    outbox::{self, Notice},
    tables::{
        self, Key,
        manual_grants::{self, GrantOwner},
        memberships, recompute_jobs, role_holders,
    },
};

/// Brings the rows of touched users and groups up to date, and returns what is to be told: who lost access, and who gained
/// or lost a privileged role.
pub fn people(
    conn: &mut Serialized<'_>,
    state: &mut StateSlice,
    homes: &Homes,
    rules: &Rules,
    cause: ChangeCause<'_>,
    derivation: Derivation,
) -> Result<Vec<Notice>, DbError> {
    let mut entries = groups(conn, state, homes, rules, cause)?;
    let ids = touched(state, EntityKind::User);
    let Together { ids, shown, homes, apart } = together(conn, state, &ids, homes, rules)?;
    let homes = &*homes;
    let mut context = context(conn, state, (&ids, &shown), (homes, apart), rules)?;
    let settled = protected_roles::settle(conn, state, &ids, &shown, &mut context)?;
    let mut derived = outcome(state, &ids, &shown, &context);
    let stays = guard::weigh(conn, &shown, &derived, rules, derivation)?;
    if !stays.is_empty() {
        context.stays = stays;
        derived = outcome(state, &ids, &shown, &context);
    }
    let UserOutcome { changes, leavers } = derived;
    hand_over(conn, &shown, &changes)?;
    let known = |tenant_id: &str, id: &str| rows(&shown, id).iter().any(|row| row.tenant_id == tenant_id);
    tables::users::apply(conn, &changes, known)?;
    manual_grants::follow(conn, &context.followed)?;
    entries.extend(audit::people::users(conn, state, &shown, &changes, cause)?);
    audit::record(conn, &entries, derivation.now)?;
    let privileged = privileges::changes(state, homes, &rules.mapping, &shown, &changes);
    let mut notices: Vec<Notice> = leavers.into_iter().map(Notice::Deprovisioned).collect();
    notices.extend(privileged.into_iter().map(Notice::Privileged));
    if !settled.others.is_empty() {
        notices.extend(again(conn, settled.others, rules, ChangeCause::AnotherHolds, derivation)?);
    }
    notices.extend(protected_roles::told(conn, &settled.kept)?);
    Ok(notices)
}

/// The same for users alone, whatever concerns them.
pub fn again(
    conn: &mut Serialized<'_>,
    ids: BTreeSet<String>,
    rules: &Rules,
    cause: ChangeCause<'_>,
    derivation: Derivation,
) -> Result<Vec<Notice>, DbError> {
    let mut state = load::entities(conn, "", ids.clone())?;
    let homes = recompute::homes(conn, &state, rules)?;
    state.touched.entities.extend(ids.into_iter().map(|id| (EntityKind::User, id)));
    people(conn, &mut state, &homes, rules, cause, derivation)
}

fn groups(
    conn: &mut Serialized<'_>,
    state: &mut StateSlice,
    homes: &Homes,
    rules: &Rules,
    cause: ChangeCause<'_>,
) -> Result<Vec<AuditEntry>, DbError> {
    let ids = touched(state, EntityKind::Group);
    let shown = tables::groups::shown(conn, &load::keys(state, EntityKind::Group, ids.iter()))?;
    let shown = load::by_id(shown, |row| &row.id);
    let wanted = ids.iter().flat_map(|id| groups::wanted(state, id, rows(&shown, id), homes)).collect();
    load::contents(conn, state, &wanted)?;
    let changes: Vec<GroupChange> =
        ids.iter().flat_map(|id| groups::derive(state, id, rows(&shown, id), homes)).collect();
    tables::groups::apply(conn, &changes)?;
    if rules.mapping.uses_groups() {
        // A renamed group may map to other roles (lesson 28), and may have many members.
        let mut concerned: BTreeSet<(&str, &str)> =
            changes.iter().flat_map(|change| around_group(change, &shown)).collect();
        // And one that was deleted in between has other members now, though its row is the same.
        let emptied = state.touched.emptied.iter().filter_map(|(group_id, claim_id)| {
            Some((state.claim(*claim_id)?.directory_id.as_str(), group_id.as_str()))
        });
        concerned.extend(emptied);
        recompute_jobs::request_members(conn, &concerned.into_iter().collect::<Vec<_>>())?;
    }
    Ok(audit::people::groups(conn, state, &shown, &changes, cause)?)
}

/// (directory, group), before and after.
fn around_group<'a>(
    change: &'a GroupChange,
    shown: &'a HashMap<String, Vec<ShownGroup>>,
) -> Vec<(&'a str, &'a str)> {
    let (id, now) = match change {
        GroupChange::Put { tenant_id, group_id, directory_id, content, .. } => {
            // A newer snapshot that says the same is nothing to its members.
            let same = |row: &ShownGroup| {
                (&row.tenant_id, &row.directory_id, &row.name) == (tenant_id, directory_id, &content.name)
            };
            if rows(shown, group_id).iter().any(same) {
                return Vec::new();
            }
            (group_id, Some(directory_id.as_str()))
        }
        GroupChange::Remove { group_id, .. } => (group_id, None),
    };
    let before = rows(shown, id).iter().map(|row| row.directory_id.as_str());
    before.chain(now).map(|directory_id| (directory_id, id.as_str())).collect()
}

fn outcome(
    state: &StateSlice,
    ids: &BTreeSet<String>,
    shown: &HashMap<String, Vec<ShownUser>>,
    context: &Context<'_>,
) -> UserOutcome {
    let mut whole = UserOutcome::default();
    for id in ids {
        let UserOutcome { changes, leavers } = users::derive(state, id, rows(shown, id), context);
        whole.changes.extend(changes);
        whole.leavers.extend(leavers);
    }
    whole
}

/// All that counts for the rows of these users, who are derived together.
pub fn context<'a>(
    conn: &mut Conn,
    state: &StateSlice,
    (ids, shown): (&BTreeSet<String>, &HashMap<String, Vec<ShownUser>>),
    (homes, apart): (&'a Homes, Apart),
    rules: &'a Rules,
) -> Result<Context<'a>, DbError> {
    let keys: Vec<Key> = load::keys(state, EntityKind::User, ids.iter());
    let mut groups = match rules.mapping.uses_groups() {
        true => memberships::groups_of(conn, &keys)?,
        false => Groups::new(),
    };
    for ((tenant_id, user_id), of_user) in &mut groups {
        // What was said of whoever bore the id before; `group_members` says it by the row.
        if let Some((at, event)) = bearer_of(state, user_id, tenant_id).since {
            of_user.retain(|group| (group.since, &group.event) > (at, &event));
        }
    }
    let whose = |id: &String| {
        let of = |known_user::Person { tenant_id, person_id, also }| {
            (GrantOwner { tenant_id, user_id: id.clone(), person_id }, also)
        };
        known_user::persons(state, id, rows(shown, id), homes, &apart).into_iter().map(of).collect::<Vec<_>>()
    };
    let (by_hand, followed) = manual_grants::of(conn, &ids.iter().flat_map(whose).collect::<Vec<_>>())?;
    let mut context = Context { apart, groups, by_hand, followed, ..Context::new(homes, &rules.mapping) };
    if rules.mapping.protects() {
        context.kept = role_holders::kept(&role_holders::of(conn, &keys)?);
    }
    Ok(context)
}

/// What waits to be told of whoever was shown under an id that is somebody else's now is still of them; and of whoever is
/// known as another person than before, it is of that person.
fn hand_over(
    conn: &mut Conn,
    shown: &HashMap<String, Vec<ShownUser>>,
    changes: &[UserChange],
) -> Result<(), DbError> {
    let (mut former, mut renamed) = (Vec::new(), Vec::new());
    for change in changes {
        let (UserChange::Put { seat, .. } | UserChange::Restate(seat)) = change else { continue };
        let row = rows(shown, &seat.user_id).iter().find(|row| row.tenant_id == seat.tenant_id);
        let Some(row) = row.filter(|row| row.person_id != seat.person_id) else { continue };
        let (tenant_id, user_id) = (row.tenant_id.as_str(), row.id.as_str());
        match seat.succeeds {
            true => former.push((tenant_id, user_id, row.person_id.as_str())),
            false => renamed.push((tenant_id, user_id, seat.person_id.as_str())),
        }
    }
    outbox::hand_over(conn, &former)?;
    Ok(outbox::rename(conn, &renamed)?)
}

fn touched(state: &StateSlice, kind: EntityKind) -> BTreeSet<String> {
    state.touched.entities.iter().filter(|(k, _)| *k == kind).map(|(_, id)| id.clone()).collect()
}

pub fn rows<'a, T>(map: &'a HashMap<String, Vec<T>>, id: &str) -> &'a [T] {
    map.get(id).map_or(&[], Vec::as_slice)
}
