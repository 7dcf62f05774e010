//! Erases the personal data of a person who has left. The proof that the person left remains.
//!
//! Stored bodies are rewritten to the same fact without the person: id, state, times and role slugs remain. The content
//! digests of these facts change in the same transaction. So a replay gives the same tombstone, `rebuild` finds no
//! difference, and a late event is still late. The audit trail contains commitments to the names, so its chain remains
//! valid (lesson 42).

mod recipients;
mod rewrite;
mod search;

use std::collections::BTreeSet;

use serde_json::json;

use self::{
    rewrite::rewrite,
    search::{look, names},
};
use crate::{
    apply::{
        ApplyError,
        consequences::Consequences,
        users::{Derivation, again},
    },
    audit::{self, Actor, AuditEntry, kinds, row_entries::ChangeCause},
    db::{Conn, Database, DbError},
    decide::{DEFAULT_TENANT, Rules, access::Access, guard::Extent, tenant},
    feed, inbox,
    operator::{explain::examined, manual_roles::OperatorAt},
    outbox,
    tables::{
        directory_moves, manual_grants, mappings, refused, scim_resources,
        user_lookup::{self, LookupError},
        users,
    },
};

#[derive(Debug, thiserror::Error)]
pub enum EraseError {
    #[error("{tenant} has no user {user}: give an id from `rosterd users list --tenant {tenant}`")]
    Unknown { tenant: String, user: String },
    #[error("{tenant} has several users {user}: give an id from `rosterd users list --tenant {tenant}`")]
    Several { tenant: String, user: String },
    #[error(
        "{user} is not deprovisioned: the directory still contains this person. Remove the person there, wait for the event, then run the command again"
    )]
    StillThere { user: String },
    #[error(
        "delivery {inbox_id} about {user} waits to be applied: try again when `rosterd serve` has applied it"
    )]
    Waits { user: String, inbox_id: i64 },
    #[error("{0}")]
    Lookup(#[from] LookupError),
    #[error("{0}")]
    Database(#[from] DbError),
    #[error("{0}")]
    Apply(#[from] ApplyError),
}

impl From<diesel::result::Error> for EraseError {
    fn from(error: diesel::result::Error) -> Self {
        Self::Database(error.into())
    }
}

/// The result of an erasure.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Erased {
    /// All ids of this person at the broker.
    pub user_ids: Vec<String>,
    pub deliveries: usize,
    pub entries: usize,
    pub notices: usize,
    /// Records of the change feed.
    pub changes: usize,
    /// Deliveries that name the person, by id or address, in the data of somebody else, or that cannot be read.
    pub left: Vec<i64>,
    /// Deliveries that contain the person's full name. It may be the name of another person.
    pub unclear: Vec<i64>,
}

/// Deliveries searched by one statement.
const PAGE: i64 = 20_000;

pub fn erase(
    database: &Database,
    rules: &Rules,
    tenant: &str,
    user: &str,
    by: OperatorAt<'_>,
) -> Result<Erased, EraseError> {
    // A search of the whole log takes long. Most of it happens before the serialized transaction, and the rest inside
    // it.
    let (ids, names, newest) = database.read::<_, EraseError>(|conn| {
        let ids = person(conn, tenant, user)?;
        let names = names(conn, tenant, &ids)?;
        Ok((ids, names, inbox::erase::newest(conn)?))
    })?;
    let mut found = BTreeSet::new();
    for after in (0..newest).step_by(PAGE as usize) {
        database.read::<_, EraseError>(|conn| {
            look(conn, &names, (after, newest.min(after + PAGE)), &mut found)
        })?;
    }
    database.write_serialized(|conn| {
        if person(conn, tenant, user)? != ids || names != search::names(conn, tenant, &ids)? {
            // A user's person or address has changed since.
            return Err(EraseError::Several { tenant: tenant.to_owned(), user: user.to_owned() });
        }
        look(conn, &names, (newest, i64::MAX), &mut found)?;
        let mapping = mappings::in_force(conn).map_err(ApplyError::from)?;
        let rules = Rules { mapping: mapping.into(), ..rules.clone() };
        expect_gone(conn, &rules, tenant, user, &ids)?;
        let found: Vec<i64> = std::mem::take(&mut found).into_iter().collect();
        if let Some(inbox_id) = inbox::erase::waiting(conn, &found)?.first() {
            return Err(EraseError::Waits { user: user.to_owned(), inbox_id: *inbox_id });
        }
        users::begin_erasure(conn, tenant, &ids)?;
        let mut erased = rewrite(conn, tenant, &ids, &names, &found)?;
        for person_id in user_lookup::persons(conn, tenant, &ids)? {
            manual_grants::revoke_all(conn, tenant, &person_id)?;
        }
        erased.user_ids = ids.iter().cloned().collect();
        let mut subjects = recipients::remove(conn, tenant, &names.keys)?;
        subjects.extend(ids.iter().cloned());
        erased.entries = audit::stored_entries::erase(conn, tenant, &subjects)?;
        erased.notices = outbox::erase(conn, tenant, &erased.user_ids, &found)?;
        erased.changes = feed::erase::erase(conn, tenant, &erased.user_ids)?;
        for (former, ids) in former_tenants(conn, tenant, &ids)? {
            erased.changes += feed::erase::erase(conn, &former, &ids)?;
            erased.entries += audit::stored_entries::erase(conn, &former, &ids)?;
            erased.notices += outbox::erase(conn, &former, &ids, &found)?;
        }
        refused::erase(conn, &erased.user_ids)?;
        scim_resources::erase(conn, &erased.user_ids)?;
        // An erasure causes no notices.
        let (cause, extent) = (ChangeCause::Erasure, Extent::Operator);
        let derivation = Derivation { rules: &rules, cause, now: by.now, extent };
        let mut consequences = Consequences::default();
        again(conn, ids.clone(), &derivation, &mut consequences)?;
        let change = json!({
            "deliveries": erased.deliveries, "entries": erased.entries, "notices": erased.notices, "changes": erased.changes,
        });
        let entry = |id| AuditEntry::new(tenant, kinds::USER_ERASED, id, &change, Actor::operator(by.name));
        consequences.notices.clear();
        consequences.entries.extend(subjects.iter().map(entry));
        consequences.write(conn, by.now)?;
        Ok(erased)
    })
}

/// All ids of the person.
fn person(conn: &mut Conn, tenant: &str, user: &str) -> Result<BTreeSet<String>, EraseError> {
    let named = user_lookup::named(conn, tenant, user)?;
    let persons = user_lookup::persons(conn, tenant, &named)?;
    match (persons.len(), persons.first()) {
        (1, Some(person_id)) => Ok(user_lookup::of_person(conn, tenant, person_id)?),
        (0, _) => Err(EraseError::Unknown { tenant: tenant.to_owned(), user: user.to_owned() }),
        _ => Err(EraseError::Several { tenant: tenant.to_owned(), user: user.to_owned() }),
    }
}

/// Tenants to which directories of the person belonged before a move, with the ids that have no row there now. The
/// audit trail of such a tenant names the person, too.
fn former_tenants(
    conn: &mut Conn,
    tenant: &str,
    ids: &BTreeSet<String>,
) -> Result<Vec<(String, Vec<String>)>, DbError> {
    let keys = |tenant_id: &str| ids.iter().map(|id| (tenant_id.to_owned(), id.clone())).collect::<Vec<_>>();
    let current = users::current(conn, &keys(tenant))?;
    let directories: BTreeSet<&str> = current.iter().map(|row| row.directory_id.as_str()).collect();
    let directories: Vec<&str> = directories.into_iter().collect();
    let mut former = Vec::new();
    for organization in directory_moves::former_owners(conn, &directories)? {
        let former_tenant = match organization.as_str() {
            "" => DEFAULT_TENANT.to_owned(),
            organization => tenant::of_organization(organization).into_owned(),
        };
        if former_tenant != tenant {
            let there = users::current(conn, &keys(&former_tenant))?;
            let gone = ids.iter().filter(|id| !there.iter().any(|row| row.id == **id));
            former.push((former_tenant, gone.cloned().collect()));
        }
    }
    Ok(former)
}

/// Fails if the person has access by the directory's latest facts or in the tables. An erasure removes attributes, so a
/// rule may match differently after it. It must not give access again.
fn expect_gone(
    conn: &mut Conn,
    rules: &Rules,
    tenant: &str,
    user: &str,
    ids: &BTreeSet<String>,
) -> Result<(), EraseError> {
    let still_there = || Err(EraseError::StillThere { user: user.to_owned() });
    let examined = examined(conn, rules, ids)?;
    if examined.iter().any(|user| user.tenant_id == tenant && user.access == Access::Active) {
        return still_there();
    }
    if user_lookup::any_active(conn, tenant, ids)? {
        return still_there();
    }
    Ok(())
}
