//! Derives all people and groups of a moved directory again, page by page, in the transaction of the move.

use std::collections::{BTreeMap, BTreeSet};

use super::MoveError;
use crate::{
    apply::{
        consequences::Consequences,
        load, recompute,
        users::{Derivation, people},
    },
    audit::{Actor, AuditEntry, hold_entries, row_entries::ChangeCause},
    db::{Conn, DbError, Serialized},
    decide::{
        Rules,
        access::AccessCause,
        fact::EntityKind,
        guard::{Decision, Extent, HeldEntry},
        state::StateSlice,
        users::{Leaver, UserRow},
    },
    outbox::Notice,
    runtime::clock::Timestamp,
    tables::{self, Key, held_users},
};

/// Entities in one step. It bounds the memory.
const PAGE: usize = 500;

/// One person, before the move in the former tenant and after it in the new one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MovedPerson {
    pub name: Option<String>,
    pub email: Option<String>,
    pub had_access: bool,
    pub has_access: bool,
    /// The roles in the former tenant, and those in the new one.
    pub had: BTreeSet<String>,
    pub has: BTreeSet<String>,
    /// Manual grants of the former tenant that end.
    pub manual_grants: BTreeSet<String>,
}

impl MovedPerson {
    pub fn loses(&self) -> Vec<&str> {
        self.had.difference(&self.has).map(String::as_str).collect()
    }

    pub fn gains(&self) -> Vec<&str> {
        self.has.difference(&self.had).map(String::as_str).collect()
    }
}

/// The users of this directory, by their person in the former tenant.
pub(super) type Persons = BTreeMap<String, BTreeSet<String>>;

/// The directory that moves.
pub(super) struct Moving<'a> {
    pub(super) directory_id: &'a str,
    pub(super) claim_ids: Vec<i64>,
    pub(super) from_tenant: &'a str,
    pub(super) to_tenant: &'a str,
    pub(super) by: &'a str,
    pub(super) now: Timestamp,
}

impl Moving<'_> {
    /// Derives groups first, because roles depend on them. Returns the number of groups in the new tenant.
    pub(super) fn groups(&self, conn: &mut Serialized<'_>, rules: &Rules) -> Result<usize, MoveError> {
        let mut count = 0;
        self.each_page(conn, EntityKind::Group, |conn, ids| {
            self.derive(conn, rules, EntityKind::Group, ids)?.1.write(conn, self.now)?;
            count += tables::groups::current(conn, &keys(self.to_tenant, ids))?
                .iter()
                .filter(|row| row.directory_id == self.directory_id)
                .count();
            Ok(())
        })?;
        Ok(count)
    }

    pub(super) fn people(
        &self,
        conn: &mut Serialized<'_>,
        rules: &Rules,
    ) -> Result<(BTreeMap<String, MovedPerson>, Persons), MoveError> {
        let (mut moved, mut persons) = (BTreeMap::new(), Persons::new());
        self.each_page(conn, EntityKind::User, |conn, ids| {
            let here = |row: &UserRow| row.directory_id == self.directory_id;
            let mut before = current(conn, self.from_tenant, ids)?;
            before.retain(|_, row| here(row));
            let ended = end_holds(conn, &before)?;
            let (state, mut consequences) = self.derive(conn, rules, EntityKind::User, ids)?;
            consequences.entries.extend(ended.iter().map(|entry| self.overtaken(entry)));
            let remaining = current(conn, self.from_tenant, ids)?;
            let mut after = current(conn, self.to_tenant, ids)?;
            after.retain(|_, row| here(row));
            for row in before.values() {
                persons.entry(row.person_id.clone()).or_default().insert(row.id.clone());
                // If another directory of the former tenant has the user's row now, the usual notices report the
                // change.
                if row.active && remaining.get(&row.id).is_none_or(here) {
                    consequences.notices.push(Notice::Deprovisioned(self.leaver(row, &state)));
                }
            }
            consequences.write(conn, self.now)?;
            for id in ids {
                if before.contains_key(id) || after.contains_key(id) {
                    moved.insert(id.clone(), person(before.get(id), after.get(id)));
                }
            }
            Ok(())
        })?;
        Ok((moved, persons))
    }

    fn each_page(
        &self,
        conn: &mut Serialized<'_>,
        kind: EntityKind,
        mut visit: impl FnMut(&mut Serialized<'_>, &BTreeSet<String>) -> Result<(), MoveError>,
    ) -> Result<(), MoveError> {
        let mut after = (String::new(), -1);
        loop {
            let page = tables::facts::under(conn, &self.claim_ids, (&after.0, after.1), PAGE)?;
            let Some(last) = page.last().cloned() else { return Ok(()) };
            after = last;
            let of_kind = page.into_iter().filter(|(_, code)| tables::kind(*code) == kind);
            let ids: BTreeSet<String> = of_kind.map(|(id, _)| id).collect();
            if !ids.is_empty() {
                visit(conn, &ids)?;
            }
        }
    }

    /// The operator has decided, so the guard holds nothing.
    fn derive(
        &self,
        conn: &mut Serialized<'_>,
        rules: &Rules,
        kind: EntityKind,
        ids: &BTreeSet<String>,
    ) -> Result<(StateSlice, Consequences), MoveError> {
        let mut state = load::entities(conn, self.directory_id, ids.clone())?;
        let homes = recompute::homes(conn, &state, rules)?;
        state.touched.entities.extend(ids.iter().map(|id| (kind, id.clone())));
        let cause = ChangeCause::Operator(self.by);
        let derivation = Derivation { rules, cause, now: self.now, extent: Extent::Operator };
        let mut consequences = Consequences::default();
        people(conn, &mut state, &homes, &derivation, &mut consequences)?;
        Ok((state, consequences))
    }

    /// A rejected loss ends with the directory's time in the former tenant.
    fn overtaken(&self, entry: &HeldEntry) -> AuditEntry {
        hold_entries::overtaken(entry).entry(&entry.tenant_id, &entry.user_id, Actor::operator(self.by))
    }

    fn leaver(&self, row: &UserRow, state: &StateSlice) -> Leaver {
        let newest = state.facts(EntityKind::User, &row.id).iter().max_by(|a, b| a.version.cmp(&b.version));
        Leaver {
            tenant_id: row.tenant_id.clone(),
            user_id: row.id.clone(),
            person_id: row.person_id.clone(),
            directory_id: self.directory_id.to_owned(),
            name: row.profile.name.clone(),
            email: row.profile.email.clone(),
            since: self.now,
            cause: AccessCause::Moved,
            succeeded: false,
            state: None,
            inbox_id: newest.map_or(0, |fact| fact.inbox_id),
            found: false,
        }
    }
}

fn keys(tenant_id: &str, ids: &BTreeSet<String>) -> Vec<Key> {
    ids.iter().map(|id| (tenant_id.to_owned(), id.clone())).collect()
}

fn current(
    conn: &mut Conn,
    tenant_id: &str,
    ids: &BTreeSet<String>,
) -> Result<BTreeMap<String, UserRow>, DbError> {
    let rows = tables::users::current(conn, &keys(tenant_id, ids))?;
    Ok(rows.into_iter().map(|row| (row.id.clone(), row)).collect())
}

fn person(before: Option<&UserRow>, after: Option<&UserRow>) -> MovedPerson {
    let held = |row: Option<&UserRow>| row.map(|row| row.held.clone()).unwrap_or_default();
    let row = after.or(before);
    MovedPerson {
        name: row.and_then(|row| row.profile.name.clone()),
        email: row.and_then(|row| row.profile.email.clone()),
        had_access: before.is_some_and(|row| row.active),
        has_access: after.is_some_and(|row| row.active),
        had: held(before),
        has: held(after),
        manual_grants: BTreeSet::new(),
    }
}

/// A person in an undecided hold prevents the move. A rejected loss belongs to the former tenant, and ends.
fn end_holds(
    conn: &mut Serialized<'_>,
    before: &BTreeMap<String, UserRow>,
) -> Result<Vec<HeldEntry>, MoveError> {
    let keys: Vec<Key> = before.values().map(|row| (row.tenant_id.clone(), row.id.clone())).collect();
    let live = held_users::live(conn, &keys)?;
    for entry in &live {
        match entry.decision {
            Decision::Open => return Err(MoveError::Held(entry.hold_id)),
            Decision::Approved => return Err(MoveError::Releasing(entry.hold_id)),
            Decision::Rejected => {}
        }
    }
    held_users::end(conn, &live.iter().collect::<Vec<&HeldEntry>>(), held_users::ENDED)?;
    // These holds are decided, so their state remains.
    Ok(live)
}
