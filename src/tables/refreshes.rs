//! Table `refreshes`: directories whose people are to be derived again, step by step.

use diesel::{ExpressionMethods, OptionalExtension, QueryDsl, QueryResult, RunQueryDsl};

use crate::db::{Conn, bulk::Rows, on_each, schema::refreshes};

/// Where the next step of a refresh begins: after this (id, kind).
pub struct Refresh {
    pub directory_id: String,
    pub after: (String, i16),
}

/// One that is under way begins again: what it has already visited may have changed once more.
pub fn request(conn: &mut Conn, directory_ids: &[String]) -> QueryResult<()> {
    Rows::of(directory_ids).text("directory_id", String::as_str).execute(
        conn,
        "INSERT INTO refreshes (directory_id, id_after, kind_after) SELECT r.directory_id, '', -1 FROM {rows} \
         WHERE true ON CONFLICT (directory_id) DO UPDATE SET id_after = '', kind_after = -1",
    )?;
    Ok(())
}

/// Everybody in a directory that is shown as deleted.
pub fn request_deleted(conn: &mut Conn) -> QueryResult<()> {
    let sql = "INSERT INTO refreshes (directory_id, id_after, kind_after) \
         SELECT DISTINCT d.id, '', -1 FROM directories d WHERE d.deleted_at IS NOT NULL \
         ON CONFLICT (directory_id) DO UPDATE SET id_after = '', kind_after = -1";
    on_each!(conn, |c| diesel::sql_query(sql).execute(c))?;
    Ok(())
}

pub fn next(conn: &mut Conn) -> QueryResult<Option<Refresh>> {
    let row: Option<(String, String, i16)> =
        refreshes::table.order(refreshes::directory_id).first(conn).optional()?;
    Ok(row.map(|(directory_id, id, kind)| Refresh { directory_id, after: (id, kind) }))
}

pub fn advance(conn: &mut Conn, directory_id: &str, after: (&str, i16)) -> QueryResult<()> {
    diesel::update(refreshes::table.find(directory_id))
        .set((refreshes::id_after.eq(after.0), refreshes::kind_after.eq(after.1)))
        .execute(conn)?;
    Ok(())
}

pub fn finish(conn: &mut Conn, directory_id: &str) -> QueryResult<()> {
    diesel::delete(refreshes::table.find(directory_id)).execute(conn)?;
    Ok(())
}

/// How many directories wait.
pub fn count(conn: &mut Conn) -> QueryResult<i64> {
    refreshes::table.count().get_result(conn)
}
