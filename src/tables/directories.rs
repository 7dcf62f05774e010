//! Table `directories`: rows are never deleted, except from a tenant that a directory never belonged to.

use std::collections::HashMap;

use diesel::{
    QueryResult, QueryableByName, RunQueryDsl, sql_query,
    sql_types::{BigInt, Nullable, Text},
};

use super::{Key, host_tables::DIRECTORIES};
use crate::{
    db::{
        Conn, Serialized,
        bulk::{Rows, Upsert},
        on_each,
    },
    decide::directories::DirectoryRow,
    feed::watch,
};

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Text)]
    tenant_id: String,
    #[diesel(sql_type = Text)]
    id: String,
    #[diesel(sql_type = Nullable<Text>)]
    provider: Option<String>,
}

#[derive(QueryableByName)]
struct Counted {
    #[diesel(sql_type = Text)]
    tenant_id: String,
    #[diesel(sql_type = Text)]
    directory_id: String,
    #[diesel(sql_type = BigInt)]
    people: i64,
}

/// The number of people with access in each directory. A directory without an entry has none.
pub fn people(conn: &mut Conn) -> QueryResult<HashMap<Key, i64>> {
    let sql = "SELECT tenant_id, directory_id, COUNT(*) AS people FROM users WHERE status = 'active' \
               GROUP BY tenant_id, directory_id";
    let counted: Vec<Counted> = on_each!(conn, |c| sql_query(sql).load(c))?;
    Ok(counted.into_iter().map(|row| ((row.tenant_id, row.directory_id), row.people)).collect())
}

/// The kind of provider of each of these directories that has a row.
pub fn providers(conn: &mut Conn, keys: &[Key]) -> QueryResult<HashMap<Key, Option<String>>> {
    let current: Vec<Row> = Rows::of(keys).text("tenant_id", |key| &key.0).text("id", |key| &key.1).load(
        conn,
        "SELECT d.tenant_id, d.id, d.type AS provider FROM {rows} \
         JOIN directories d ON d.tenant_id = r.tenant_id AND d.id = r.id",
    )?;
    Ok(current.into_iter().map(|row| ((row.tenant_id, row.id), row.provider)).collect())
}

/// The display name of a directory.
pub fn name(conn: &mut Conn, key: &Key) -> QueryResult<Option<String>> {
    let current: Vec<Row> =
        Rows::of(std::slice::from_ref(key)).text("tenant_id", |key| &key.0).text("id", |key| &key.1).load(
            conn,
            "SELECT d.tenant_id, d.id, d.name AS provider FROM {rows} \
             JOIN directories d ON d.tenant_id = r.tenant_id AND d.id = r.id",
        )?;
    Ok(current.into_iter().find_map(|row| row.provider))
}

/// The state of each of these directories that has a row.
pub fn states(conn: &mut Conn, rows: &[DirectoryRow]) -> QueryResult<HashMap<Key, String>> {
    #[derive(QueryableByName)]
    struct State {
        #[diesel(sql_type = Text)]
        tenant_id: String,
        #[diesel(sql_type = Text)]
        id: String,
        #[diesel(sql_type = Text)]
        state: String,
    }
    let found: Vec<State> =
        Rows::of(rows).text("tenant_id", |row| &row.tenant_id).text("id", |row| &row.id).load(
            conn,
            "SELECT d.tenant_id, d.id, d.state FROM {rows} \
         JOIN directories d ON d.tenant_id = r.tenant_id AND d.id = r.id",
        )?;
    Ok(found.into_iter().map(|row| ((row.tenant_id, row.id), row.state)).collect())
}

/// Writes rows of directories.
pub fn upsert(conn: &mut Serialized<'_>, rows: &[DirectoryRow]) -> QueryResult<()> {
    watch::begin(conn, &DIRECTORIES, rows.iter().map(|row| vec![row.tenant_id.clone(), row.id.clone()]))?;
    Rows::of(rows)
        .text("tenant_id", |row| &row.tenant_id)
        .text("id", |row| &row.id)
        .optional_text("name", |row| row.name.as_deref())
        .optional_text("type", |row| row.provider.as_deref())
        .text("state", |row| &row.state)
        .time("created_at", |row| row.created_at)
        .time("updated_at", |row| row.updated_at)
        .time("deleted_at", |row| row.deleted_at)
        .upsert(
            conn,
            &Upsert {
                table: "directories",
                key: &["tenant_id", "id"],
                set: &["name", "type", "state", "created_at", "updated_at", "deleted_at"],
                ..Upsert::PLAIN
            },
        )?;
    Ok(())
}

/// Deletes rows of directories in tenants that they never belonged to.
pub fn remove(conn: &mut Serialized<'_>, keys: &[Key]) -> QueryResult<()> {
    watch::begin(conn, &DIRECTORIES, keys.iter().map(|key| vec![key.0.clone(), key.1.clone()]))?;
    Rows::of(keys).text("tenant_id", |key| &key.0).text("id", |key| &key.1).execute(
        conn,
        "DELETE FROM directories WHERE (tenant_id, id) IN (SELECT r.tenant_id, r.id FROM {rows})",
    )?;
    Ok(())
}
