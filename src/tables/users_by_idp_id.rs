//! Table `users`: users who share an `idp_id` in a tenant.

use std::collections::BTreeSet;

use diesel::{QueryResult, QueryableByName, sql_types::Text};

use super::Key;
use crate::{
    db::{Conn, bulk::Rows},
    decide::namesakes::Place,
};

/// Those of these (tenant, `idp_id`) that a user of another directory has too.
pub fn elsewhere(conn: &mut Conn, places: &BTreeSet<Place>) -> QueryResult<BTreeSet<Key>> {
    let places: Vec<&Place> = places.iter().collect();
    let found: Vec<Bearing> = Rows::of(&places)
        .text("tenant_id", |place| &place.0.0)
        .text("idp_id", |place| &place.0.1)
        .text("directory_id", |place| &place.1)
        .load(
            conn,
            "SELECT r.tenant_id, r.idp_id AS named FROM {rows} WHERE EXISTS (SELECT 1 FROM users u \
             WHERE u.idp_id = r.idp_id AND u.tenant_id = r.tenant_id AND u.directory_id <> r.directory_id)",
        )?;
    Ok(found.into_iter().map(|row| (row.tenant_id, row.named)).collect())
}

/// Those of these (tenant, `idp_id`) with more than `most` users.
pub fn crowded(conn: &mut Conn, keys: &BTreeSet<Key>, most: usize) -> QueryResult<BTreeSet<Key>> {
    let keys: Vec<&Key> = keys.iter().collect();
    let limit = most.saturating_add(1);
    let found: Vec<Bearing> = Rows::of(&keys).text("tenant_id", |key| &key.0).text("idp_id", |key| &key.1).load(
        conn,
        &format!(
            "SELECT r.tenant_id, r.idp_id AS named FROM {{rows}} WHERE (SELECT COUNT(*) FROM (SELECT 1 FROM users u \
             WHERE u.idp_id = r.idp_id AND u.tenant_id = r.tenant_id LIMIT {limit}) found) > {most}"
        ),
    )?;
    Ok(found.into_iter().map(|row| (row.tenant_id, row.named)).collect())
}

/// The ids of all users with one of these (tenant, `idp_id`).
pub fn of_idp_ids(conn: &mut Conn, keys: &BTreeSet<Key>) -> QueryResult<BTreeSet<String>> {
    let keys: Vec<&Key> = keys.iter().collect();
    let found: Vec<Bearing> = Rows::of(&keys).text("tenant_id", |key| &key.0).text("idp_id", |key| &key.1).load(
        conn,
        "SELECT u.tenant_id, u.id AS named FROM {rows} JOIN users u ON u.idp_id = r.idp_id AND u.tenant_id = r.tenant_id",
    )?;
    Ok(found.into_iter().map(|row| row.named).collect())
}

#[derive(QueryableByName)]
struct Bearing {
    #[diesel(sql_type = Text)]
    tenant_id: String,
    #[diesel(sql_type = Text)]
    named: String,
}
