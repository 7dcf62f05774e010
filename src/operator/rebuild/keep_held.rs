//! Copies the current rows of held people into the shadow before the comparison: a hold does not follow from the log.

use std::collections::{BTreeMap, BTreeSet};

use diesel::QueryResult;
use serde_json::Value;

use super::RebuildError;
use crate::{
    db::{Conn, Database, DbError, Serialized, bulk::Rows},
    decide::guard::{HeldEntry, LostAccess},
    tables::{
        held_users,
        host_tables::{USER_ROLES, USERS},
    },
};

const PAGE: i64 = 500;

pub(super) fn copy(conn: &mut Conn, shadow: &Database) -> Result<(), RebuildError> {
    let mut after = (String::new(), String::new());
    loop {
        let page = held_users::all_live(conn, &after, PAGE)?;
        let Some(last) = page.last() else { return Ok(()) };
        after = (last.tenant_id.clone(), last.user_id.clone());
        let tenants: BTreeSet<&str> = page.iter().map(|entry| entry.tenant_id.as_str()).collect();
        for tenant in tenants {
            let of_tenant: Vec<&HeldEntry> = page.iter().filter(|entry| entry.tenant_id == tenant).collect();
            copy_roles(conn, shadow, tenant, &of_tenant)?;
            shadow.write_serialized::<_, DbError>(|shadow| Ok(copy_access(shadow, &of_tenant)?))?;
        }
    }
}

fn copy_roles(
    conn: &mut Conn,
    shadow: &Database,
    tenant: &str,
    entries: &[&HeldEntry],
) -> Result<(), RebuildError> {
    let losses: BTreeMap<&str, &LostAccess> =
        entries.iter().map(|entry| (entry.user_id.as_str(), &entry.lost)).collect();
    let column = |row: &[Value], n: usize| row.get(n).and_then(Value::as_str).unwrap_or_default().to_owned();
    let held_states = |row: &Vec<Value>| match losses.get(column(row, 1).as_str()) {
        None => false,
        Some(LostAccess::Roles(roles)) => roles.contains(&column(row, 2)),
        Some(_) => true,
    };
    let rows: Vec<Vec<Value>> =
        USER_ROLES.whole_rows(conn, Some(tenant))?.into_iter().filter(held_states).collect();
    shadow.write_serialized::<_, DbError>(|shadow| Ok(USER_ROLES.put(shadow, &rows)?))?;
    Ok(())
}

/// Changes only users whom the log contains.
fn copy_access(shadow: &mut Serialized<'_>, entries: &[&HeldEntry]) -> QueryResult<()> {
    let access: Vec<&&HeldEntry> = entries.iter().filter(|entry| entry.lost.is_access()).collect();
    Rows::of(&access)
        .text("tenant_id", |entry| &entry.tenant_id)
        .text("id", |entry| &entry.user_id)
        .execute(
            shadow,
            &format!(
                "UPDATE {} SET status = 'active', deprovisioned_at = NULL FROM {{rows}} \
             WHERE users.tenant_id = r.tenant_id AND users.id = r.id",
                USERS.name
            ),
        )?;
    Ok(())
}
