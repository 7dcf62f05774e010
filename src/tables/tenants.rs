//! Table `tenants`.

use diesel::{QueryDsl, QueryResult, RunQueryDsl};

use crate::{
    db::{Conn, bulk::Rows, schema::tenants},
    decide::directories::TenantRow,
};

pub fn upsert(conn: &mut Conn, rows: &[TenantRow]) -> QueryResult<()> {
    Rows::of(rows)
        .text("id", |row| &row.id)
        .optional_text("name", |row| row.name.as_deref())
        .time("created_at", |row| row.created_at)
        .time("updated_at", |row| row.updated_at)
        .time("deleted_at", |row| row.deleted_at)
        .execute(
            conn,
            "INSERT INTO tenants (id, name, created_at, updated_at, deleted_at) \
             SELECT r.id, r.name, r.created_at, r.updated_at, r.deleted_at FROM {rows} WHERE true \
             ON CONFLICT (id) DO UPDATE SET name = excluded.name, created_at = excluded.created_at, \
             updated_at = excluded.updated_at, deleted_at = excluded.deleted_at",
        )?;
    Ok(())
}

/// Tenants that only a lost claim had shown.
pub fn remove(conn: &mut Conn, ids: &[String]) -> QueryResult<()> {
    Rows::of(ids)
        .text("id", String::as_str)
        .execute(conn, "DELETE FROM tenants WHERE id IN (SELECT r.id FROM {rows})")?;
    Ok(())
}

pub fn ids(conn: &mut Conn) -> QueryResult<Vec<String>> {
    tenants::table.order(tenants::id).select(tenants::id).load(conn)
}
