//! Roles given by hand: apart from what is derived, untouched by any event, shown while the person has access.

use std::collections::BTreeSet;

use serde_json::json;

use crate::{
    apply::{ApplyError, guard::Turn, people::again},
    audit::{self, Actor, Entry, kinds, people::Cause},
    clock::Timestamp,
    db::{Conn, Database, DbError},
    decide::{Rules, guard::Extent, roles::Manual},
    outbox,
    tables::{
        lookup::{self, LookupError},
        manual_grants::{self, Whose},
        mappings::{self, InForceError},
        protected_seats, role_list,
    },
};

#[derive(Debug, thiserror::Error)]
pub enum ByHandError {
    #[error("{tenant} has no user {user}: give an id, as `rosterd users list --tenant {tenant}` shows them")]
    UnknownUser { tenant: String, user: String },
    #[error(
        "{tenant} has several users {user}: give an id, as `rosterd users list --tenant {tenant}` shows them"
    )]
    Several { tenant: String, user: String },
    #[error("{tenant} has no role {role}; there is {known}. Declare it in the mapping first")]
    UnknownRole { tenant: String, role: String, known: String },
    #[error("{user} was not given {role} by hand; `rosterd explain` tells why they hold it")]
    NotGiven { user: String, role: String },
    #[error(
        "nobody of {tenant} keeps {role} as its last holder: `rosterd roles list --tenant {tenant}` shows the roles, `rosterd explain` who holds them"
    )]
    NobodyKeeps { tenant: String, role: String },
    #[error("{0}")]
    Lookup(#[from] LookupError),
    #[error("{0}")]
    Database(#[from] DbError),
    #[error("{0}")]
    Mapping(#[from] InForceError),
    #[error("{0}")]
    Apply(#[from] ApplyError),
}

impl From<diesel::result::Error> for ByHandError {
    fn from(error: diesel::result::Error) -> Self {
        Self::Database(error.into())
    }
}

/// Whom it is about: a user by id or address, and so the person behind.
#[derive(Clone, Copy, Debug)]
pub struct Whom<'a> {
    pub tenant: &'a str,
    pub user: &'a str,
}

/// Who does it, and when.
#[derive(Clone, Copy, Debug)]
pub struct By<'a> {
    pub name: &'a str,
    pub now: Timestamp,
}

pub fn grant(
    database: &Database,
    rules: &Rules,
    whom: Whom<'_>,
    grant: &Manual,
    now: Timestamp,
) -> Result<(), ByHandError> {
    let entry = (kinds::ROLE_GIVEN, grant.role.as_str(), Some(grant.reason.as_str()));
    change(database, rules, whom, By { name: &grant.by, now }, entry, |conn, whose| {
        let known = role_list::of(conn, whom.tenant)?;
        if !known.contains(&grant.role) {
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            return Err(ByHandError::UnknownRole {
                tenant: whom.tenant.to_owned(),
                role: grant.role.clone(),
                known,
            });
        }
        Ok(manual_grants::grant(conn, whose, grant)?)
    })
}

pub fn revoke(
    database: &Database,
    rules: &Rules,
    whom: Whom<'_>,
    role: &str,
    by: By<'_>,
) -> Result<(), ByHandError> {
    change(database, rules, whom, by, (kinds::ROLE_TAKEN, role, None), |conn, whose| {
        match manual_grants::revoke(conn, whom.tenant, &whose.person_id, role)? {
            true => Ok(()),
            false => Err(ByHandError::NotGiven { user: whom.user.to_owned(), role: role.to_owned() }),
        }
    })
}

/// Lets the loss of a protected role come true, for everybody who lost it so far: also for the last holder.
pub fn release(
    database: &Database,
    rules: &Rules,
    tenant: &str,
    role: &str,
    By { name, now }: By<'_>,
) -> Result<Vec<String>, ByHandError> {
    database.write_in_turn(|conn| {
        let rules = Rules { mapping: mappings::in_force(conn)?.into(), ..rules.clone() };
        let released = protected_seats::release(conn, tenant, role)?;
        if released.is_empty() {
            return Err(ByHandError::NobodyKeeps { tenant: tenant.to_owned(), role: role.to_owned() });
        }
        let entry = Entry::new(tenant, kinds::ROLE_RELEASED, role, &json!({}), Actor::operator(name));
        audit::record(conn, &[entry], now)?;
        let (ids, turn) = (released.iter().cloned().collect(), Turn::of(now, Extent::ByHand));
        let notices = again(conn, ids, &rules, Cause::Operator(name), turn)?;
        outbox::enqueue(conn, &notices, now)?;
        Ok(released)
    })
}

/// The change and what follows from it for all the person's users, in one transaction.
fn change(
    database: &Database,
    rules: &Rules,
    whom: Whom<'_>,
    By { name, now }: By<'_>,
    (kind, role, reason): (&'static str, &str, Option<&str>),
    change: impl FnOnce(&mut Conn, &Whose) -> Result<(), ByHandError>,
) -> Result<(), ByHandError> {
    database.write_in_turn(|conn| {
        let mapping = mappings::in_force(conn)?;
        let rules = Rules { mapping: mapping.into(), ..rules.clone() };
        let (tenant, user) = (whom.tenant.to_owned(), whom.user.to_owned());
        let named = lookup::named(conn, whom.tenant, whom.user)?;
        let persons: BTreeSet<String> = lookup::persons(conn, whom.tenant, &named)?;
        let person_id = match persons.len() {
            0 => return Err(ByHandError::UnknownUser { tenant, user }),
            1 => persons.first().cloned().unwrap_or_default(),
            _ => return Err(ByHandError::Several { tenant, user }),
        };
        let user_id = named.first().cloned().unwrap_or_default();
        let whose = Whose { tenant_id: tenant.clone(), user_id, person_id };
        change(conn, &whose)?;
        // By the user, whose entries an erasure looks for; the reason may be personal.
        for user_id in &named {
            let entry = Entry::new(whom.tenant, kind, user_id, &json!({"role": role}), Actor::operator(name));
            let entry = match reason {
                Some(reason) => entry.with_personal(&json!({"reason": reason})),
                None => entry,
            };
            audit::record(conn, &[entry], now)?;
        }
        let ids = lookup::of_person(conn, whom.tenant, &whose.person_id)?;
        let notices = again(conn, ids, &rules, Cause::Operator(name), Turn::of(now, Extent::ByHand))?;
        outbox::enqueue(conn, &notices, now)?;
        let relisted = role_list::settle(conn, &rules.mapping, &BTreeSet::from([tenant]))?;
        let entries = audit::roles::entries(&relisted, |_| Actor::operator(name));
        Ok(audit::record(conn, &entries, now)?)
    })
}
