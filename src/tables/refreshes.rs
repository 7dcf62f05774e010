//! Table `refreshes`: directories whose people are to be derived again, step by step, or the members of one group.

use diesel::{ExpressionMethods, OptionalExtension, QueryDsl, QueryResult, RunQueryDsl};

use crate::db::{Conn, bulk::Rows, on_each, schema::refreshes};

/// Where the next step of a refresh begins: after this (id, kind).
pub struct Refresh {
    pub directory_id: String,
    /// Only its members.
    pub group_id: Option<String>,
    pub after: (String, i16),
}

/// Everybody in these directories. What is under way begins again: whoever was visited may have changed once more.
pub fn request(conn: &mut Conn, directory_ids: &[String]) -> QueryResult<()> {
    let all: Vec<(&str, &str)> = directory_ids.iter().map(|id| (id.as_str(), "")).collect();
    request_members(conn, &all)
}

/// The members of these groups, by (directory, group).
pub fn request_members(conn: &mut Conn, groups: &[(&str, &str)]) -> QueryResult<()> {
    Rows::of(groups)
        .text("directory_id", |(directory_id, _)| directory_id)
        .text("group_id", |(_, id)| id)
        .execute(
            conn,
            "INSERT INTO refreshes (directory_id, group_id, id_after, kind_after) \
         SELECT r.directory_id, r.group_id, '', -1 FROM {rows} WHERE true \
         ON CONFLICT (directory_id, group_id) DO UPDATE SET id_after = '', kind_after = -1",
        )?;
    Ok(())
}

/// Everybody in a directory that is shown as deleted.
pub fn request_deleted(conn: &mut Conn) -> QueryResult<()> {
    let sql = "INSERT INTO refreshes (directory_id, group_id, id_after, kind_after) \
         SELECT DISTINCT d.id, '', '', -1 FROM directories d WHERE d.deleted_at IS NOT NULL \
         ON CONFLICT (directory_id, group_id) DO UPDATE SET id_after = '', kind_after = -1";
    on_each!(conn, |c| diesel::sql_query(sql).execute(c))?;
    Ok(())
}

pub fn next(conn: &mut Conn) -> QueryResult<Option<Refresh>> {
    let row: Option<(String, String, String, i16)> =
        refreshes::table.order((refreshes::directory_id, refreshes::group_id)).first(conn).optional()?;
    Ok(row.map(|(directory_id, group_id, id, kind)| {
        let group_id = (!group_id.is_empty()).then_some(group_id);
        Refresh { directory_id, group_id, after: (id, kind) }
    }))
}

impl Refresh {
    fn key(&self) -> (&str, &str) {
        (&self.directory_id, self.group_id.as_deref().unwrap_or_default())
    }

    pub fn advance(&self, conn: &mut Conn, after: (&str, i16)) -> QueryResult<()> {
        diesel::update(refreshes::table.find(self.key()))
            .set((refreshes::id_after.eq(after.0), refreshes::kind_after.eq(after.1)))
            .execute(conn)?;
        Ok(())
    }

    pub fn finish(&self, conn: &mut Conn) -> QueryResult<()> {
        diesel::delete(refreshes::table.find(self.key())).execute(conn)?;
        Ok(())
    }
}

/// How many wait.
pub fn count(conn: &mut Conn) -> QueryResult<i64> {
    refreshes::table.count().get_result(conn)
}
