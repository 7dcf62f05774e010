//! Table `tenants`: rows are never deleted, except if only a lost claim had created them.

use diesel::{QueryDsl, QueryResult, QueryableByName, RunQueryDsl, sql_query, sql_types::Text};

use super::host_tables::TENANTS;
use crate::{
    db::{
        Conn, Serialized,
        bulk::{Rows, Upsert},
        on_each,
        schema::tenants,
    },
    decide::directories::TenantRow,
    feed::watch,
};

/// Writes rows of tenants.
pub fn upsert(conn: &mut Serialized<'_>, rows: &[TenantRow]) -> QueryResult<()> {
    watch::begin(conn, &TENANTS, rows.iter().map(|row| vec![row.id.clone()]))?;
    Rows::of(rows)
        .text("id", |row| &row.id)
        .optional_text("name", |row| row.name.as_deref())
        .time("created_at", |row| row.created_at)
        .time("updated_at", |row| row.updated_at)
        .time("deleted_at", |row| row.deleted_at)
        .upsert(
            conn,
            &Upsert {
                table: "tenants",
                key: &["id"],
                set: &["name", "created_at", "updated_at", "deleted_at"],
                ..Upsert::PLAIN
            },
        )?;
    Ok(())
}

/// Deletes tenants that only a lost claim had created.
pub fn remove(conn: &mut Serialized<'_>, ids: &[String]) -> QueryResult<()> {
    watch::begin(conn, &TENANTS, ids.iter().map(|id| vec![id.clone()]))?;
    Rows::of(ids)
        .text("id", String::as_str)
        .execute(conn, "DELETE FROM tenants WHERE id IN (SELECT r.id FROM {rows})")?;
    Ok(())
}

/// The ids of all tenants, in order.
pub fn ids(conn: &mut Conn) -> QueryResult<Vec<String>> {
    tenants::table.order(tenants::id).select(tenants::id).load(conn)
}

/// The ids of tenants that are not deleted, sorted.
pub fn living(conn: &mut Conn) -> QueryResult<Vec<String>> {
    #[derive(QueryableByName)]
    struct Tenant {
        #[diesel(sql_type = Text)]
        id: String,
    }
    const LIVING: &str = "SELECT id FROM tenants WHERE deleted_at IS NULL ORDER BY id";
    let found: Vec<Tenant> = on_each!(conn, |c| sql_query(LIVING).load(c))?;
    Ok(found.into_iter().map(|tenant| tenant.id).collect())
}

/// Whether the tenant has a row here, or directories or users.
pub fn is_known(conn: &mut Conn, tenant_id: &str) -> QueryResult<bool> {
    #[derive(QueryableByName)]
    struct Known {
        #[diesel(sql_type = diesel::sql_types::Bool)]
        known: bool,
    }
    let found: Vec<Known> = Rows::of(&[tenant_id]).text("id", |id| id).load(
        conn,
        "SELECT EXISTS (SELECT 1 FROM tenants t WHERE t.id = r.id) \
         OR EXISTS (SELECT 1 FROM directories d WHERE d.tenant_id = r.id) \
         OR EXISTS (SELECT 1 FROM users u WHERE u.tenant_id = r.id) AS known FROM {rows}",
    )?;
    Ok(found.first().is_some_and(|found| found.known))
}

/// The ids of all tenants with their names, sorted by id.
pub fn named(conn: &mut Conn) -> QueryResult<Vec<(String, Option<String>)>> {
    #[derive(QueryableByName)]
    struct Named {
        #[diesel(sql_type = Text)]
        id: String,
        #[diesel(sql_type = diesel::sql_types::Nullable<Text>)]
        name: Option<String>,
    }
    const NAMED: &str = "SELECT id, name FROM tenants ORDER BY id";
    let found: Vec<Named> = on_each!(conn, |c| sql_query(NAMED).load(c))?;
    Ok(found.into_iter().map(|tenant| (tenant.id, tenant.name)).collect())
}
