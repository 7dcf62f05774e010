//! The access review of a tenant: who has what and why, and who left when.

use std::collections::HashMap;

use serde::Serialize;
use serde_json::Value;

use super::receipt::{Receipt, receipts};
use crate::{
    clock::Timestamp,
    db::{Conn, DbError},
    tables::host::{HostTable, TENANTS, USER_ROLES, USERS},
};

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    pub tenant_id: String,
    pub tenant_name: Option<String>,
    pub made_at: String,
    /// Of those who left; `None`: all on record.
    pub since: Option<String>,
    pub holds: Vec<Holds>,
    pub left: Vec<Receipt>,
}

/// A role that somebody has, and why; or somebody with access and no role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Holds {
    pub user_id: String,
    pub name: Option<String>,
    pub email: Option<String>,
    pub role: Option<String>,
    pub because: Option<String>,
    pub since: Option<String>,
}

struct Person {
    name: Option<String>,
    email: Option<String>,
    active: bool,
}

/// From one snapshot, so that both parts speak of the same instant.
pub fn report(
    conn: &mut Conn,
    tenant_id: &str,
    since: Option<Timestamp>,
    now: Timestamp,
) -> Result<Report, DbError> {
    let mut people: Vec<(String, Person)> = Vec::new();
    for row in named(conn, USERS, tenant_id)? {
        let text = |column: &str| row.get(column).and_then(Value::as_str).map(str::to_owned);
        let active = text("status").as_deref() == Some("active");
        people.push((
            text("id").unwrap_or_default(),
            Person { name: text("name"), email: text("email"), active },
        ));
    }
    let mut roles: HashMap<String, Vec<[Option<String>; 3]>> = HashMap::new();
    for row in named(conn, USER_ROLES, tenant_id)? {
        let text = |column: &str| row.get(column).and_then(Value::as_str).map(str::to_owned);
        let granted = [text("role_slug"), text("granted_by"), text("granted_at")];
        roles.entry(text("user_id").unwrap_or_default()).or_default().push(granted);
    }
    let mut holds = Vec::new();
    for (user_id, person) in people.iter().filter(|(_, person)| person.active) {
        let granted = roles.remove(user_id).unwrap_or_else(|| vec![[None, None, None]]);
        holds.extend(granted.into_iter().map(|[role, because, since]| Holds {
            user_id: user_id.clone(),
            name: person.name.clone(),
            email: person.email.clone(),
            role,
            because,
            since,
        }));
    }
    let people: HashMap<&str, &Person> = people.iter().map(|(id, person)| (id.as_str(), person)).collect();
    let mut left = receipts(conn, tenant_id, None, since)?;
    for receipt in &mut left {
        if let Some(person) = people.get(receipt.user_id.as_str()) {
            (receipt.name, receipt.email) = (person.name.clone(), person.email.clone());
        }
    }
    let tenant = named(conn, TENANTS, tenant_id)?;
    let tenant_name = tenant.first().and_then(|row| row.get("name")?.as_str().map(str::to_owned));
    Ok(Report {
        tenant_id: tenant_id.to_owned(),
        tenant_name,
        made_at: now.to_string(),
        since: since.map(|at| at.to_string()),
        holds,
        left,
    })
}

fn named(
    conn: &mut Conn,
    table: HostTable,
    tenant_id: &str,
) -> Result<Vec<HashMap<&'static str, Value>>, DbError> {
    let rows = table.rows(conn, Some(tenant_id))?;
    Ok(rows.into_iter().map(|row| table.names().zip(row).collect()).collect())
}
