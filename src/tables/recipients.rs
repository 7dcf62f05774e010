//! Table `recipients`: the addresses that operators added to the recipients of a tenant's mails. No event changes it.

use std::collections::BTreeSet;

use diesel::{ExpressionMethods, OptionalExtension, QueryDsl, QueryResult, Queryable, RunQueryDsl};

use crate::{
    db::{Conn, Serialized, schema::recipients},
    decide::email_key::email_key,
    runtime::clock::Timestamp,
};

/// A row of the table.
#[derive(Clone, Debug, PartialEq, Eq, Queryable)]
pub struct AddedRecipient {
    /// The tenant.
    pub tenant_id: String,
    /// The address with its ASCII letters in lower case.
    pub address_key: String,
    /// The address as it was written.
    pub address: String,
    /// The name for the audit trail.
    pub id: String,
    /// The operator who added it.
    pub added_by: String,
    added_at: i64,
}

impl AddedRecipient {
    /// A row for this address.
    pub fn new(tenant_id: &str, address: &str, by: &str, now: Timestamp) -> Self {
        Self {
            tenant_id: tenant_id.to_owned(),
            address_key: email_key(address),
            address: address.to_owned(),
            id: format!("recipient_{:016x}", rand::random::<u64>()),
            added_by: by.to_owned(),
            added_at: now.micros(),
        }
    }

    /// When it was added.
    pub fn added_at(&self) -> Timestamp {
        Timestamp::from_micros(self.added_at)
    }
}

/// The rows of a tenant, or of all tenants, in order.
pub fn list(conn: &mut Conn, tenant_id: Option<&str>) -> QueryResult<Vec<AddedRecipient>> {
    let ordered = recipients::table.order((recipients::tenant_id, recipients::address_key));
    match tenant_id {
        Some(tenant_id) => ordered.filter(recipients::tenant_id.eq(tenant_id)).load(conn),
        None => ordered.load(conn),
    }
}

/// Adds a row. False if the tenant has this address already.
pub fn add(conn: &mut Serialized<'_>, row: &AddedRecipient) -> QueryResult<bool> {
    if find(conn, &row.tenant_id, &row.address_key)?.is_some() {
        return Ok(false);
    }
    diesel::insert_into(recipients::table)
        .values((
            recipients::tenant_id.eq(&row.tenant_id),
            recipients::address_key.eq(&row.address_key),
            recipients::address.eq(&row.address),
            recipients::id.eq(&row.id),
            recipients::added_by.eq(&row.added_by),
            recipients::added_at.eq(row.added_at),
        ))
        .execute(&mut **conn)?;
    Ok(true)
}

/// Removes an address, in any case of its letters, and returns its row.
pub fn remove(
    conn: &mut Serialized<'_>,
    tenant_id: &str,
    address: &str,
) -> QueryResult<Option<AddedRecipient>> {
    let key = email_key(address);
    let found = find(conn, tenant_id, &key)?;
    diesel::delete(recipients::table.find((tenant_id, &key))).execute(&mut **conn)?;
    Ok(found)
}

/// Removes the addresses of a person whose data is erased.
pub fn erase(conn: &mut Serialized<'_>, tenant_id: &str, keys: &BTreeSet<String>) -> QueryResult<()> {
    let of_person = recipients::table
        .filter(recipients::tenant_id.eq(tenant_id))
        .filter(recipients::address_key.eq_any(keys));
    diesel::delete(of_person).execute(&mut **conn)?;
    Ok(())
}

fn find(conn: &mut Conn, tenant_id: &str, key: &str) -> QueryResult<Option<AddedRecipient>> {
    recipients::table.find((tenant_id, key)).first(conn).optional()
}
