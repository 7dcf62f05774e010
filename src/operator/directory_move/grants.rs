//! Manual grants belong to the former tenant. They end for people who are in no other directory of that tenant.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::{MoveError, MovedPerson, people::Persons};
use crate::{
    audit::{Actor, AuditEntry, kinds},
    db::{Conn, Serialized},
    decide::Rules,
    tables::{
        manual_grants::{self, GrantOwner},
        roles, user_lookup,
    },
};

/// Ends the grants, adds them to the people, and returns the audit entries.
pub(super) fn end(
    conn: &mut Serialized<'_>,
    tenant_id: &str,
    directory_id: &str,
    persons: &Persons,
    people: &mut BTreeMap<String, MovedPerson>,
    by: &str,
) -> Result<Vec<AuditEntry>, MoveError> {
    let owner = |(person_id, users): (&String, &BTreeSet<String>)| {
        let user_id = users.first().cloned().unwrap_or_default();
        (
            GrantOwner { tenant_id: tenant_id.to_owned(), user_id, person_id: person_id.clone() },
            BTreeSet::new(),
        )
    };
    let owners: Vec<_> = persons.iter().map(owner).collect();
    let (granted, _) = manual_grants::of(conn, &owners)?;
    let granted: BTreeMap<_, _> = granted.into_iter().collect();
    let mut entries = Vec::new();
    for ((_, person_id), grants) in granted {
        let Some(users) = persons.get(&person_id) else { continue };
        // The application may keep a row alive by a foreign key. Such a row is no user of the tenant any more.
        let others = user_lookup::of_person(conn, tenant_id, &person_id)?;
        if !others.is_subset(users) {
            continue;
        }
        for grant in grants {
            manual_grants::revoke(conn, tenant_id, &person_id, &grant.role)?;
            for user_id in users {
                if let Some(person) = people.get_mut(user_id) {
                    person.manual_grants.insert(grant.role.clone());
                }
                let change = json!({"role": grant.role, "moved": directory_id});
                entries.push(AuditEntry::new(
                    tenant_id,
                    kinds::ROLE_REVOKED,
                    user_id,
                    &change,
                    Actor::operator(by),
                ));
            }
        }
    }
    Ok(entries)
}

/// Protected roles that people of the directory held, and that nobody in the tenant holds now.
pub(super) fn without_holder(
    conn: &mut Conn,
    rules: &Rules,
    tenant_id: &str,
    people: &BTreeMap<String, MovedPerson>,
) -> Result<BTreeSet<String>, MoveError> {
    let mut left = BTreeSet::new();
    for role in rules.mapping.of(tenant_id).protected() {
        let had = people.values().any(|person| person.had.contains(role));
        if had && !roles::is_held(conn, tenant_id, role)? {
            left.insert(role.to_owned());
        }
    }
    Ok(left)
}
