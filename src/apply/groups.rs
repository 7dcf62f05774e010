//! Derives the rows of groups from the latest facts, and finds the members whose roles may change with their group.

use std::collections::{BTreeSet, HashMap};

use super::{
    causes,
    consequences::Consequences,
    load::{self, rows, touched},
    users::Derivation,
};
use crate::{
    audit,
    db::{DbError, Serialized},
    decide::{
        fact::EntityKind,
        groups::{self, GroupChange, GroupRow},
        newest_fact::Homes,
        state::StateSlice,
    },
    tables::{self, recompute_jobs},
};

/// Brings the rows of touched groups up to date.
pub fn groups(
    conn: &mut Serialized<'_>,
    state: &mut StateSlice,
    homes: &Homes,
    derivation: &Derivation<'_>,
    consequences: &mut Consequences,
) -> Result<(), DbError> {
    // 1. Load.
    let ids = touched(state, EntityKind::Group);
    let current = tables::groups::current(conn, &load::keys(state, EntityKind::Group, ids.iter()))?;
    let current = load::by_id(current, |row| &row.id);
    let wanted = ids.iter().flat_map(|id| groups::wanted(state, id, rows(&current, id), homes)).collect();
    load::contents(conn, state, &wanted)?;
    // 2. Decide.
    let changes: Vec<GroupChange> =
        ids.iter().flat_map(|id| groups::derive(state, id, rows(&current, id), homes)).collect();
    // 3. Write.
    let written = changes.iter().map(|change| match change {
        GroupChange::Put { group_id, .. } | GroupChange::Remove { group_id, .. } => group_id.as_str(),
    });
    causes::note(conn, state, EntityKind::Group, written, derivation.cause);
    let is_known =
        |tenant_id: &str, id: &str| rows(&current, id).iter().any(|row| row.tenant_id == tenant_id);
    tables::groups::apply(conn, &changes, is_known)?;
    if derivation.rules.mapping.uses_groups() {
        request_members(conn, state, &changes, &current)?;
    }
    consequences.entries.extend(audit::row_entries::groups(
        conn,
        state,
        &current,
        &changes,
        derivation.cause,
    )?);
    Ok(())
}

/// Requests a recomputation of the members of changed groups, in transactions of their own: a renamed group may map to
/// other roles (lesson 28), and may have many members.
fn request_members(
    conn: &mut Serialized<'_>,
    state: &StateSlice,
    changes: &[GroupChange],
    current: &HashMap<String, Vec<GroupRow>>,
) -> Result<(), DbError> {
    let mut affected: BTreeSet<(&str, &str)> =
        changes.iter().flat_map(|change| around_group(change, current)).collect();
    // A group that was deleted and created again has other members now, even if its row is equal.
    let emptied = state.touched.emptied.iter().filter_map(|(group_id, claim_id)| {
        Some((state.claim(*claim_id)?.directory_id.as_str(), group_id.as_str()))
    });
    affected.extend(emptied);
    Ok(recompute_jobs::request_members(conn, &affected.into_iter().collect::<Vec<_>>())?)
}

/// (directory, group) before and after the change.
fn around_group<'a>(
    change: &'a GroupChange,
    current: &'a HashMap<String, Vec<GroupRow>>,
) -> Vec<(&'a str, &'a str)> {
    let (id, now) = match change {
        GroupChange::Put { tenant_id, group_id, directory_id, content, .. } => {
            // A newer snapshot with the same name and directory changes nothing for the members.
            let same = |row: &GroupRow| {
                (&row.tenant_id, &row.directory_id, &row.name) == (tenant_id, directory_id, &content.name)
            };
            if rows(current, group_id).iter().any(same) {
                return Vec::new();
            }
            (group_id, Some(directory_id.as_str()))
        }
        GroupChange::Remove { group_id, .. } => (group_id, None),
    };
    let before = rows(current, id).iter().map(|row| row.directory_id.as_str());
    before.chain(now).map(|directory_id| (directory_id, id.as_str())).collect()
}
