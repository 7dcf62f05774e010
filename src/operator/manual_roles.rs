//! Manual grants. No event changes them. They are in the tables while the person has access.

use std::collections::BTreeSet;

use serde_json::json;

use crate::{
    apply::{
        ApplyError,
        consequences::Consequences,
        users::{Derivation, again},
    },
    audit::{self, Actor, AuditEntry, kinds, row_entries::ChangeCause},
    db::{Conn, Database, DbError, Serialized},
    decide::{Rules, guard::Extent, roles::Manual},
    runtime::clock::Timestamp,
    tables::{
        manual_grants::{self, GrantOwner},
        mappings::{self, InForceError},
        role_holders, role_list,
        user_lookup::{self, LookupError},
    },
};

#[derive(Debug, thiserror::Error)]
pub enum ManualRoleError {
    #[error("{tenant} has no user {user}: give an id from `rosterd users list --tenant {tenant}`")]
    UnknownUser { tenant: String, user: String },
    #[error("{tenant} has several users {user}: give an id from `rosterd users list --tenant {tenant}`")]
    Several { tenant: String, user: String },
    #[error("{tenant} has no role {role}; there is {known}. Declare it in the mapping first")]
    UnknownRole { tenant: String, role: String, known: String },
    #[error("{user} has no manual grant of {role}; `rosterd explain` shows why the user holds it")]
    NotGranted { user: String, role: String },
    #[error(
        "nobody in {tenant} retains {role} as its last holder: `rosterd roles list --tenant {tenant}` shows the roles, `rosterd explain` shows their holders"
    )]
    NobodyRetains { tenant: String, role: String },
    #[error("{0}")]
    Lookup(#[from] LookupError),
    #[error("{0}")]
    Database(#[from] DbError),
    #[error("{0}")]
    Mapping(#[from] InForceError),
    #[error("{0}")]
    Apply(#[from] ApplyError),
}

impl From<diesel::result::Error> for ManualRoleError {
    fn from(error: diesel::result::Error) -> Self {
        Self::Database(error.into())
    }
}

/// The person of a grant: a user by id or address.
#[derive(Clone, Copy, Debug)]
pub struct GrantTarget<'a> {
    pub tenant: &'a str,
    pub user: &'a str,
}

/// The operator, and the time.
#[derive(Clone, Copy, Debug)]
pub struct OperatorAt<'a> {
    pub name: &'a str,
    pub now: Timestamp,
}

/// The last holders whom a release would concern, by user id; nothing is written.
pub fn retaining(conn: &mut Conn, tenant: &str, role: &str) -> Result<Vec<String>, ManualRoleError> {
    let retaining = role_holders::retaining(conn, tenant, role)?;
    match retaining.is_empty() {
        true => Err(ManualRoleError::NobodyRetains { tenant: tenant.to_owned(), role: role.to_owned() }),
        false => Ok(retaining),
    }
}

pub fn grant(
    database: &Database,
    rules: &Rules,
    target: GrantTarget<'_>,
    grant: &Manual,
    now: Timestamp,
) -> Result<(), ManualRoleError> {
    let entry = (kinds::ROLE_GRANTED, grant.role.as_str(), grant.reason.as_str());
    change(database, rules, target, OperatorAt { name: &grant.by, now }, entry, |conn, owner| {
        let known = role_list::of(conn, target.tenant)?;
        if !known.contains(&grant.role) {
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            return Err(ManualRoleError::UnknownRole {
                tenant: target.tenant.to_owned(),
                role: grant.role.clone(),
                known,
            });
        }
        Ok(manual_grants::grant(conn, owner, grant)?)
    })
}

pub fn revoke(
    database: &Database,
    rules: &Rules,
    target: GrantTarget<'_>,
    role: &str,
    (by, reason): (OperatorAt<'_>, &str),
) -> Result<(), ManualRoleError> {
    change(database, rules, target, by, (kinds::ROLE_REVOKED, role, reason), |conn, owner| {
        match manual_grants::revoke(conn, target.tenant, &owner.person_id, role)? {
            true => Ok(()),
            false => Err(ManualRoleError::NotGranted { user: target.user.to_owned(), role: role.to_owned() }),
        }
    })
}

/// Applies the suspended loss of a protected role to everybody who has lost it so far, the last holder among them.
pub fn release(
    database: &Database,
    rules: &Rules,
    tenant: &str,
    role: &str,
    (OperatorAt { name, now }, reason): (OperatorAt<'_>, &str),
) -> Result<Vec<String>, ManualRoleError> {
    database.write_serialized(|conn| {
        let rules = Rules { mapping: mappings::in_force(conn)?.into(), ..rules.clone() };
        let released = role_holders::release(conn, tenant, role)?;
        if released.is_empty() {
            return Err(ManualRoleError::NobodyRetains { tenant: tenant.to_owned(), role: role.to_owned() });
        }
        let change = json!({"users": released, "reason": reason});
        let mut entries =
            vec![AuditEntry::new(tenant, kinds::ROLE_RELEASED, role, &change, Actor::operator(name))];
        entries.extend(released.iter().map(|user| {
            let change = json!({"role": role});
            AuditEntry::new(tenant, kinds::ROLE_RETENTION_ENDED, user, &change, Actor::operator(name))
        }));
        let mut consequences = Consequences { entries, ..Consequences::default() };
        let cause = ChangeCause::Operator(name);
        let derivation = Derivation { rules: &rules, cause, now, extent: Extent::Operator };
        again(conn, released.iter().cloned().collect(), &derivation, &mut consequences)?;
        consequences.write(conn, now)?;
        Ok(released)
    })
}

/// Makes the change, and derives all users of the person again, in one transaction.
fn change(
    database: &Database,
    rules: &Rules,
    target: GrantTarget<'_>,
    OperatorAt { name, now }: OperatorAt<'_>,
    (kind, role, reason): (&'static str, &str, &str),
    change: impl FnOnce(&mut Serialized<'_>, &GrantOwner) -> Result<(), ManualRoleError>,
) -> Result<(), ManualRoleError> {
    database.write_serialized(|conn| {
        let mapping = mappings::in_force(conn)?;
        let rules = Rules { mapping: mapping.into(), ..rules.clone() };
        let (tenant, user) = (target.tenant.to_owned(), target.user.to_owned());
        let named = user_lookup::named(conn, target.tenant, target.user)?;
        let persons: BTreeSet<String> = user_lookup::persons(conn, target.tenant, &named)?;
        let person_id = match persons.len() {
            0 => return Err(ManualRoleError::UnknownUser { tenant, user }),
            1 => persons.first().cloned().unwrap_or_default(),
            _ => return Err(ManualRoleError::Several { tenant, user }),
        };
        let user_id = named.first().cloned().unwrap_or_default();
        let owner = GrantOwner { tenant_id: tenant.clone(), user_id, person_id };
        change(conn, &owner)?;
        // The subject is the user, so that an erasure finds the entry. The reason may be personal.
        let entry = |user_id| {
            let entry =
                AuditEntry::new(target.tenant, kind, user_id, &json!({"role": role}), Actor::operator(name));
            entry.with_personal(&json!({"reason": reason}))
        };
        let mut consequences =
            Consequences { entries: named.iter().map(entry).collect(), ..Consequences::default() };
        let ids = user_lookup::of_person(conn, target.tenant, &owner.person_id)?;
        let (cause, extent) = (ChangeCause::Operator(name), Extent::Operator);
        again(conn, ids, &Derivation { rules: &rules, cause, now, extent }, &mut consequences)?;
        let relisted = role_list::settle(conn, &rules.mapping, &BTreeSet::from([tenant]))?;
        consequences.entries.extend(audit::role_list_entries::entries(&relisted, |_| Actor::operator(name)));
        Ok(consequences.write(conn, now)?)
    })
}
