//! Derives the rows of directories and tenants from the latest facts: loads the current rows, decides (pure), writes
//! the rows that differ.

use std::{
    borrow::Cow,
    collections::{BTreeSet, HashMap},
};

use crate::{
    db::{DbError, Serialized},
    decide::{
        DEFAULT_TENANT, Rules, Tenancy,
        directories::{DELETED, DirectoryRow, UNKNOWN, directory_row, tenant_row},
        fact::EntityKind,
        newest_fact::{Home, Homes},
        ownership::{Ownership, directory_fact, organization_fact, owner, place, tenant_fact},
        state::StateSlice,
        tenant,
    },
    outbox::{Notice, notice},
    runtime::clock::Timestamp,
    tables::{self, Key, claims},
};

use super::load;

/// The directories of a batch after its claims are settled.
pub struct SettledDirectories {
    /// The home of every directory.
    pub homes: Homes,
    /// Directories that must be recomputed because their tenant, deletion or provider changed.
    pub changed: BTreeSet<String>,
    /// Tenants whose row may have changed.
    pub tenants: Vec<String>,
    pub notices: Vec<Notice>,
}

/// Brings the rows of directories and tenants up to date.
pub fn directories(
    conn: &mut Serialized<'_>,
    state: &mut StateSlice,
    rules: &Rules,
    before: &HashMap<String, Ownership>,
    left: &BTreeSet<String>,
) -> Result<SettledDirectories, DbError> {
    let after: HashMap<String, Ownership> =
        state.directories().map(|id| (id.clone(), place(state, id, rules))).collect();
    let touched = touched_directories(state, before, &after);
    let candidates: Vec<Key> = state
        .directories()
        .flat_map(|id| {
            let named = state.organizations_of(id).into_iter().map(tenant::of_organization);
            let tenants: BTreeSet<Cow<'_, str>> = named.chain([DEFAULT_TENANT.into()]).collect();
            tenants.into_iter().map(|tenant| (tenant.into_owned(), id.clone())).collect::<Vec<_>>()
        })
        .collect();
    let current = tables::directories::providers(conn, &candidates)?;

    let wanted = touched
        .iter()
        .filter_map(|id| directory_fact(state, id))
        .filter(|fact| state.content(EntityKind::Directory, fact).is_none())
        .map(|fact| fact.inbox_id)
        .collect();
    load::contents(conn, state, &wanted)?;

    let rows: Vec<_> = touched.iter().filter_map(|id| directory_row(state, id, rules)).collect();
    let misplaced: Vec<Key> = current
        .keys()
        .filter(|(tenant, id)| {
            touched.contains(id)
                && after.get(id).is_some_and(|place| place.tenant_id != *tenant || !place.revealed)
        })
        .cloned()
        .collect();
    let notices = passages(&tables::directories::states(conn, &rows)?, &rows, state, &after);
    tables::directories::upsert(conn, &rows)?;
    tables::directories::remove(conn, &misplaced)?;
    let tenants = tenants(conn, state, rules, &touched, left)?;

    let by_id: HashMap<&str, &DirectoryRow> = rows.iter().map(|row| (row.id.as_str(), row)).collect();
    let mut changed = BTreeSet::new();
    let mut homes = Homes::new();
    for (id, place) in after {
        let was = current.get(&(place.tenant_id.clone(), id.clone())).cloned().flatten();
        let provider = match by_id.get(id.as_str()) {
            Some(row) => row.provider.clone(),
            // No fact that still counts has named the provider.
            None if !place.revealed => None,
            None => was.clone(),
        };
        let outcome = |place: &Ownership| (place.tenant_id.clone(), place.gone_since, place.dismissed_since);
        let moved = before.get(&id).is_some_and(|before| outcome(before) != outcome(&place));
        // A directory that is new in this batch has no people outside this batch.
        let known = state.claims_of(&id).any(|claim| !claim.fresh);
        if known && (moved || was != provider) {
            changed.insert(id.clone());
        }
        homes.insert(id, Home { place, provider });
    }
    Ok(SettledDirectories { homes, changed, tenants, notices })
}

/// Notices about directories that appear for the first time by a fact of their own, and about directories that are
/// deleted now.
fn passages(
    was: &HashMap<Key, String>,
    rows: &[DirectoryRow],
    state: &StateSlice,
    after: &HashMap<String, Ownership>,
) -> Vec<Notice> {
    let passage = |row: &DirectoryRow| {
        let before = was.get(&(row.tenant_id.clone(), row.id.clone())).map(String::as_str);
        let (own, place) = (directory_fact(state, &row.id), after.get(&row.id)?);
        let unknown = matches!(before, None | Some(UNKNOWN));
        let directory = |since: Timestamp, inbox_id: Option<i64>| notice::DirectoryNotice {
            id: row.id.clone(),
            name: row.name.clone(),
            provider: row.provider.clone(),
            since: since.micros(),
            inbox_id: inbox_id.unwrap_or_default(),
            access_retained: place.dismissed_since.is_none(),
        };
        let tenant_id = row.tenant_id.clone();
        match (row.deleted_at, own) {
            (None, Some(fact)) if unknown && row.state != UNKNOWN => {
                let directory = directory(fact.version.at, Some(fact.inbox_id));
                Some(Notice::DirectoryConnected { tenant_id, directory })
            }
            (Some(since), _) if before.is_some_and(|before| before != DELETED) => {
                let ended = own
                    .filter(|fact| !fact.live)
                    .or_else(|| organization_fact(state, owner(state, &row.id)?));
                let directory = directory(since, ended.map(|fact| fact.inbox_id));
                Some(Notice::DirectoryDeleted { tenant_id, directory })
            }
            _ => None,
        }
    };
    rows.iter().filter_map(passage).collect()
}

/// Directories whose row may differ now.
fn touched_directories(
    state: &StateSlice,
    before: &HashMap<String, Ownership>,
    after: &HashMap<String, Ownership>,
) -> BTreeSet<String> {
    let with_facts =
        state.touched.entities.iter().filter(|(kind, _)| *kind == EntityKind::Directory).map(|(_, id)| id);
    let claimed =
        state.touched.claims.iter().filter_map(|id| state.claim(*id)).map(|claim| &claim.directory_id);
    let placed = after.iter().filter(|(id, place)| before.get(*id) != Some(place)).map(|(id, _)| id);
    with_facts.chain(claimed).chain(placed).cloned().collect()
}

fn tenants(
    conn: &mut Serialized<'_>,
    state: &mut StateSlice,
    rules: &Rules,
    directories: &BTreeSet<String>,
    left: &BTreeSet<String>,
) -> Result<Vec<String>, DbError> {
    let with_facts = state
        .touched
        .entities
        .iter()
        .filter(|(kind, _)| *kind == EntityKind::Organization)
        .map(|(_, id)| tenant::of_organization(id).into_owned());
    let mut ids: BTreeSet<String> = match rules.tenancy {
        Tenancy::Multi => with_facts.collect(),
        Tenancy::Single => BTreeSet::new(),
    };
    ids.extend(directories.iter().map(|id| place(state, id, rules).tenant_id));
    ids.extend(left.iter().cloned());
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    // The slice has no facts yet about a tenant that a directory has left.
    let organizations: Vec<&str> = left.iter().filter_map(|id| tenant::organization(id)).collect();
    for (kind, id, latest) in tables::facts::on(conn, &organizations)? {
        if state.facts(kind, &id).is_empty() {
            state.insert_fact(kind, id, latest);
        }
    }
    let wanted = ids
        .iter()
        .filter_map(|id| tenant_fact(state, id))
        .filter(|fact| state.content(EntityKind::Organization, fact).is_none())
        .map(|fact| fact.inbox_id)
        .collect();
    load::contents(conn, state, &wanted)?;
    let with_directories: BTreeSet<String> =
        claims::tenants_with_directories(conn, &ids.iter().map(String::as_str).collect::<Vec<_>>())?
            .into_iter()
            .collect();
    let (mut rows, mut gone) = (Vec::new(), Vec::new());
    for id in ids {
        match tenant_row(state, &id, rules, with_directories.contains(&id)) {
            Some(row) => rows.push(row),
            None => gone.push(id),
        }
    }
    tables::tenants::upsert(conn, &rows)?;
    tables::tenants::remove(conn, &gone)?;
    Ok(rows.into_iter().map(|row| row.id).chain(gone).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::{
        state::NO_CLAIM,
        testing::{connected, latest},
    };

    /// The delivery that the notice about a deletion cites, if there is a notice. The directory's fact is delivery 7, the
    /// organization's is delivery 9; `before` is the state of the row.
    fn cited(directory_is_live: bool, organization_is_live: bool, before: Option<&str>) -> Option<i64> {
        let (mut state, _) = connected();
        state.insert_fact(EntityKind::Directory, "d".to_owned(), latest(1, 7, directory_is_live));
        let organization = latest(NO_CLAIM, 9, organization_is_live);
        state.insert_fact(EntityKind::Organization, "org_1".to_owned(), organization);
        let rules = Rules::default();
        let rows = [directory_row(&state, "d", &rules).unwrap()];
        let after = HashMap::from([("d".to_owned(), place(&state, "d", &rules))]);
        let was = before.map(|before| (("org_1".to_owned(), "d".to_owned()), before.to_owned()));

        match passages(&was.into_iter().collect(), &rows, &state, &after).as_slice() {
            [] => None,
            [Notice::DirectoryDeleted { directory, .. }] => Some(directory.inbox_id),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_deletion_is_a_notice_once_and_only_of_a_directory_that_was_shown() {
        assert_eq!(cited(false, true, Some("active")), Some(7));
        assert_eq!(cited(false, true, Some(DELETED)), None, "it was deleted before");
        assert_eq!(cited(false, true, None), None, "nobody has seen it");
    }

    #[test]
    fn a_deletion_cites_the_fact_of_the_directory_or_of_its_organization() {
        assert_eq!(cited(false, true, Some("active")), Some(7));
        assert_eq!(cited(true, false, Some("active")), Some(9));
        assert_eq!(cited(false, false, Some("active")), Some(7));
    }
}
