//! Writes the claims, latest facts, memberships and role mentions that a batch has changed.

use std::collections::BTreeSet;

use crate::{
    db::{DbError, Serialized},
    decide::state::StateSlice,
    feed::watch,
    tables::{
        claims, facts,
        group_members::{self, MEMBERS},
        memberships::{self, NewMembership},
        roles,
    },
};

/// Names the memberships that these facts may change, before any of them is written.
fn begin_memberships(conn: &mut Serialized<'_>, state: &StateSlice) -> Result<(), DbError> {
    let touched = &state.touched;
    let pairs =
        touched.memberships.keys().map(|(group_id, user_id, _)| (group_id.as_str(), user_id.as_str()));
    let mut pairs: Vec<(&str, &str)> = pairs.collect();
    pairs.sort_unstable();
    pairs.dedup();
    group_members::begin_pairs(conn, &pairs)?;
    let emptied = touched.emptied.iter().map(|(group_id, _)| group_members::of_group(group_id));
    Ok(watch::begin(conn, &MEMBERS, emptied)?)
}

/// Returns the tenants in which a role is named for the first time.
pub(super) fn write_facts(
    conn: &mut Serialized<'_>,
    state: &StateSlice,
) -> Result<BTreeSet<String>, DbError> {
    let touched = &state.touched;
    let changed: Vec<_> = touched.claims.iter().filter_map(|id| state.claim(*id)).collect();
    begin_memberships(conn, state)?;
    claims::update(conn, &changed)?;

    // In the order of the keys: neighbours share the path through the index.
    let mut changed_facts: Vec<_> = touched
        .facts
        .iter()
        .filter_map(|((kind, id), claim_id)| {
            let fact = state.facts(*kind, id).iter().find(|fact| fact.claim_id == *claim_id)?;
            Some((id.as_str(), *kind, fact))
        })
        .collect();
    changed_facts.sort_unstable_by_key(|(id, kind, fact)| (*id, *kind, fact.claim_id));
    facts::upsert(conn, &changed_facts)?;

    let mut newest: Vec<_> = touched
        .memberships
        .iter()
        .map(|((_, _, claim_id), (membership, inbox_id))| NewMembership {
            membership,
            claim_id: *claim_id,
            inbox_id: *inbox_id,
        })
        .collect();
    newest.sort_unstable_by_key(|new| (&new.membership.group_id, &new.membership.user_id, new.claim_id));
    memberships::upsert(conn, &newest)?;

    let mentions: Vec<_> = touched.mentions.iter().collect();
    let naming = roles::mention(conn, &mentions)?;
    Ok(naming.iter().filter_map(|claim_id| state.claim(*claim_id)?.tenant_id.clone()).collect())
}
