//! Derives the rows of users from the latest facts: loads the current rows and all facts that count, decides (pure),
//! writes the rows that differ.

use std::collections::{BTreeSet, HashMap};

use super::{
    causes,
    consequences::Consequences,
    groups::groups,
    guard,
    load::{self, rows, touched},
    load_context::context,
    namesakes::{Together, together},
    protected_roles::{self, SettledHolders},
    recompute,
};
use crate::{
    audit::{self, row_entries::ChangeCause},
    db::{DbError, Serialized},
    decide::{
        Rules,
        context::Context,
        fact::EntityKind,
        guard::Extent,
        newest_fact::Homes,
        privileges,
        state::StateSlice,
        users::{self, UserChange, UserOutcome, UserRow},
    },
    outbox::{self, Notice},
    runtime::clock::Timestamp,
    tables::{self, manual_grants},
};

/// The rules, cause, time and extent of a derivation.
#[derive(Clone, Copy, Debug)]
pub struct Derivation<'a> {
    /// The mapping, the guard and the policies in force.
    pub rules: &'a Rules,
    /// Named in the audit entries.
    pub cause: ChangeCause<'a>,
    /// The time of the transaction.
    pub now: Timestamp,
    /// The guard uses it.
    pub extent: Extent,
}

/// Brings the rows of touched groups and users up to date. Adds notices about people who lose access, and about gained
/// and lost privileged roles, to the consequences.
pub fn people(
    conn: &mut Serialized<'_>,
    state: &mut StateSlice,
    homes: &Homes,
    derivation: &Derivation<'_>,
    consequences: &mut Consequences,
) -> Result<(), DbError> {
    groups(conn, state, homes, derivation, consequences)?;
    let ids = touched(state, EntityKind::User);
    let mut settled = users(conn, state, homes, &ids, derivation, consequences)?;
    let (mut retained, mut ended) =
        (std::mem::take(&mut settled.retained), std::mem::take(&mut settled.ended));
    let mut restated = std::mem::take(&mut settled.restated);
    // A new holder of a protected role changes the rows of users outside the batch, and these changes may lead to
    // others.
    while !settled.others.is_empty() {
        let ids = settled.others;
        let (mut state, homes) = loaded(conn, &ids, derivation.rules)?;
        let derivation = Derivation { cause: ChangeCause::RetentionEnded, ..*derivation };
        settled = users(conn, &mut state, &homes, &ids, &derivation, consequences)?;
        retained.append(&mut settled.retained);
        ended.append(&mut settled.ended);
        restated.append(&mut settled.restated);
    }
    consequences.notices.extend(protected_roles::notices(conn, &retained)?);
    retained.append(&mut restated);
    consequences.entries.extend(protected_roles::entries(conn, &retained, &ended)?);
    Ok(())
}

/// Derives these users again, from stored facts.
pub fn again(
    conn: &mut Serialized<'_>,
    ids: BTreeSet<String>,
    derivation: &Derivation<'_>,
    consequences: &mut Consequences,
) -> Result<(), DbError> {
    let (mut state, homes) = loaded(conn, &ids, derivation.rules)?;
    state.touched.entities.extend(ids.into_iter().map(|id| (EntityKind::User, id)));
    people(conn, &mut state, &homes, derivation, consequences)
}

fn loaded(
    conn: &mut Serialized<'_>,
    ids: &BTreeSet<String>,
    rules: &Rules,
) -> Result<(StateSlice, Homes), DbError> {
    let state = load::entities(conn, "", ids.clone())?;
    let homes = recompute::homes(conn, &state, rules)?;
    Ok((state, homes))
}

fn users(
    conn: &mut Serialized<'_>,
    state: &mut StateSlice,
    homes: &Homes,
    ids: &BTreeSet<String>,
    derivation: &Derivation<'_>,
    consequences: &mut Consequences,
) -> Result<SettledHolders, DbError> {
    let rules = derivation.rules;

    // 1. Load: the current rows, the users who must be derived together with these, and everything that counts for
    // them.
    let Together { ids, current, homes, separate } = together(conn, state, ids, homes, rules)?;
    let homes = &*homes;
    let mut context = context(conn, state, (&ids, &current), (homes, separate), rules)?;

    // 2. Decide. Protected roles and the guard record their own decisions. Both may prevent a loss.
    let settled = protected_roles::settle(conn, state, &ids, &current, &mut context)?;
    let mut derived = outcome(state, &ids, &current, &context);
    context.held_states = guard::weigh(conn, state, (&current, &derived), derivation, consequences)?;
    if !context.held_states.is_empty() {
        derived = outcome(state, &ids, &current, &context);
    }
    let UserOutcome { changes, leavers } = derived;

    // 3. Write.
    hand_over(conn, &current, &changes)?;
    let row = |tenant_id: &str, id: &str| rows(&current, id).iter().find(|row| row.tenant_id == tenant_id);
    let written = changes.iter().filter_map(|change| match change {
        UserChange::Put { user, .. } => Some(user.user_id.as_str()),
        UserChange::Remove { user_id, .. } => Some(user_id.as_str()),
        // It has an audit entry, if it changes anything.
        UserChange::Restate(_) => None,
    });
    causes::note(conn, state, EntityKind::User, written, derivation.cause);
    tables::users::apply(conn, &changes, row)?;
    manual_grants::follow(conn, &context.followed)?;

    // 4. Collect the consequences.
    let entries = audit::row_entries::users(conn, state, &current, &changes, derivation.cause)?;
    consequences.entries.extend(entries);
    let privileged = privileges::changes(state, homes, rules, &current, &changes);
    consequences.notices.extend(leavers.into_iter().map(Notice::Deprovisioned));
    consequences.notices.extend(privileged.into_iter().map(Notice::Privileged));
    Ok(settled)
}

fn outcome(
    state: &StateSlice,
    ids: &BTreeSet<String>,
    current: &HashMap<String, Vec<UserRow>>,
    context: &Context<'_>,
) -> UserOutcome {
    let mut whole = UserOutcome::default();
    for id in ids {
        let UserOutcome { changes, leavers } = users::derive(state, id, rows(current, id), context);
        whole.changes.extend(changes);
        whole.leavers.extend(leavers);
    }
    whole
}

/// Keeps unsent notices with their person. When an id has a new bearer, they stay with the former one. When the
/// person's key changed, they take the new key.
fn hand_over(
    conn: &mut Serialized<'_>,
    current: &HashMap<String, Vec<UserRow>>,
    changes: &[UserChange],
) -> Result<(), DbError> {
    let (mut former, mut renamed) = (Vec::new(), Vec::new());
    for change in changes {
        let (UserChange::Put { user, .. } | UserChange::Restate(user)) = change else { continue };
        let row = rows(current, &user.user_id).iter().find(|row| row.tenant_id == user.tenant_id);
        let Some(row) = row.filter(|row| row.person_id != user.person_id) else { continue };
        let (tenant_id, user_id) = (row.tenant_id.as_str(), row.id.as_str());
        match user.succeeds {
            true => former.push((tenant_id, user_id, row.person_id.as_str())),
            false => renamed.push((tenant_id, user_id, user.person_id.as_str())),
        }
    }
    outbox::hand_over(conn, &former)?;
    Ok(outbox::rename(conn, &renamed)?)
}
