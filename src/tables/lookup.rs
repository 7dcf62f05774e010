//! Users as operators name them, and the people behind.

use std::collections::BTreeSet;

use diesel::{QueryResult, QueryableByName, sql_types::Text};

use crate::db::{Conn, bulk::Rows};

#[derive(QueryableByName)]
struct Named {
    #[diesel(sql_type = Text)]
    text: String,
}

fn texts(conn: &mut Conn, keys: &[(&str, &str)], sql: &str) -> QueryResult<BTreeSet<String>> {
    let found: Vec<Named> =
        Rows::of(keys).text("tenant_id", |key| key.0).text("named", |key| key.1).load(conn, sql)?;
    Ok(found.into_iter().map(|row| row.text).collect())
}

/// The user of this id, or those of this address, whatever its case.
pub fn named(conn: &mut Conn, tenant_id: &str, user: &str) -> QueryResult<BTreeSet<String>> {
    let by_id =
        "SELECT u.id AS text FROM {rows} JOIN users u ON u.tenant_id = r.tenant_id AND u.id = r.named";
    let found = texts(conn, &[(tenant_id, user)], by_id)?;
    if !found.is_empty() {
        return Ok(found);
    }
    let by_address = "SELECT u.id AS text FROM {rows} \
         JOIN users u ON u.tenant_id = r.tenant_id AND lower(u.email) = lower(r.named)";
    texts(conn, &[(tenant_id, user)], by_address)
}

pub fn persons(conn: &mut Conn, tenant_id: &str, ids: &BTreeSet<String>) -> QueryResult<BTreeSet<String>> {
    let keys: Vec<(&str, &str)> = ids.iter().map(|id| (tenant_id, id.as_str())).collect();
    let sql =
        "SELECT u.person_id AS text FROM {rows} JOIN users u ON u.tenant_id = r.tenant_id AND u.id = r.named";
    texts(conn, &keys, sql)
}

pub fn of_person(conn: &mut Conn, tenant_id: &str, person_id: &str) -> QueryResult<BTreeSet<String>> {
    let sql =
        "SELECT u.id AS text FROM {rows} JOIN users u ON u.tenant_id = r.tenant_id AND u.person_id = r.named";
    texts(conn, &[(tenant_id, person_id)], sql)
}

/// Whether any of these users has access.
pub fn any_active(conn: &mut Conn, tenant_id: &str, ids: &BTreeSet<String>) -> QueryResult<bool> {
    let keys: Vec<(&str, &str)> = ids.iter().map(|id| (tenant_id, id.as_str())).collect();
    let sql = "SELECT u.id AS text FROM {rows} JOIN users u ON u.tenant_id = r.tenant_id AND u.id = r.named \
         WHERE u.status = 'active'";
    Ok(!texts(conn, &keys, sql)?.is_empty())
}
