//! The display names of tenants and directories, for notices, and whether they are deleted.

use std::collections::HashMap;

use diesel::{
    QueryResult, QueryableByName,
    sql_types::{Bool, Nullable, Text},
};

use crate::db::{Conn, bulk::Rows};

/// The display name of a tenant or a directory.
#[derive(Clone, Debug, PartialEq, Eq, QueryableByName)]
pub struct DisplayName {
    #[diesel(sql_type = Text)]
    id: String,
    /// The name; `None` until an event contains it.
    #[diesel(sql_type = Nullable<Text>)]
    pub name: Option<String>,
    /// Deleted at the broker.
    #[diesel(sql_type = Bool)]
    pub gone: bool,
}

/// The name of a tenant; `None` if there is no such tenant.
pub fn of_tenant(conn: &mut Conn, tenant_id: &str) -> QueryResult<Option<DisplayName>> {
    let found: Vec<DisplayName> = Rows::of(&[tenant_id]).text("id", |id| id).load(
        conn,
        "SELECT t.id, t.name, t.deleted_at IS NOT NULL AS gone FROM {rows} JOIN tenants t ON t.id = r.id",
    )?;
    Ok(found.into_iter().next())
}

/// The names of directories of a tenant, by id.
pub fn of_directories(
    conn: &mut Conn,
    tenant_id: &str,
    directory_ids: &[String],
) -> QueryResult<HashMap<String, DisplayName>> {
    let found: Vec<DisplayName> =
        Rows::of(directory_ids).text("tenant_id", |_| tenant_id).text("id", String::as_str).load(
            conn,
            "SELECT d.id, d.name, d.deleted_at IS NOT NULL AS gone FROM {rows} \
         JOIN directories d ON d.tenant_id = r.tenant_id AND d.id = r.id",
        )?;
    Ok(found.into_iter().map(|named| (named.id.clone(), named)).collect())
}
