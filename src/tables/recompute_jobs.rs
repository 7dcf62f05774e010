//! Table `recompute_jobs`: directories or groups whose people must be derived again, in steps.

use diesel::{ExpressionMethods, OptionalExtension, QueryDsl, QueryResult, RunQueryDsl};

use crate::{
    db::{Conn, Serialized, bulk::Rows, on_each, schema::recompute_jobs},
    runtime::clock::Timestamp,
};

/// The ranks: a lower one comes first, so leavers never wait for roles of others (promise 5).
const DIRECTORY: i64 = 0;
const GROUP: i64 = 1;
/// The rank of jobs after a new mapping. Deleted directories come first.
pub const MAPPING: i64 = 2;

/// A recompute, and the start of its next step.
pub struct RecomputeJob {
    /// The directory whose people are recomputed.
    pub directory_id: String,
    /// If set, only the members of this group.
    pub group_id: Option<String>,
    /// The next step begins after this (id, kind).
    pub after: (String, i16),
    /// The cause is a new mapping.
    pub mapped: bool,
    /// A lower rank comes first.
    pub rank: i16,
}

/// Requests a recompute of everybody in these directories. A recompute that is under way starts again, because people
/// that it has visited may have changed since.
pub fn request(conn: &mut Serialized<'_>, directory_ids: &[String]) -> QueryResult<()> {
    enter(conn, &everybody(directory_ids), DIRECTORY)
}

/// Requests a recompute of everybody in these directories after a new mapping.
pub fn request_mapped(conn: &mut Serialized<'_>, directory_ids: &[String]) -> QueryResult<()> {
    enter(conn, &everybody(directory_ids), MAPPING)
}

/// Requests a recompute of the members of these groups, as (directory, group).
pub fn request_members(conn: &mut Serialized<'_>, groups: &[(&str, &str)]) -> QueryResult<()> {
    enter(conn, groups, GROUP)
}

fn everybody(directory_ids: &[String]) -> Vec<(&str, &str)> {
    directory_ids.iter().map(|id| (id.as_str(), "")).collect()
}

fn enter(conn: &mut Conn, groups: &[(&str, &str)], rank: i64) -> QueryResult<()> {
    Rows::of(groups)
        .text("directory_id", |(directory_id, _)| directory_id)
        .text("group_id", |(_, id)| id)
        .integer("rank", |_| rank)
        .execute(
            conn,
            "INSERT INTO recompute_jobs (directory_id, group_id, id_after, kind_after, rank) \
             SELECT r.directory_id, r.group_id, '', -1, r.rank FROM {rows} WHERE true \
             ON CONFLICT (directory_id, group_id) DO UPDATE SET id_after = '', kind_after = -1, \
             rank = CASE WHEN excluded.rank < recompute_jobs.rank THEN excluded.rank ELSE recompute_jobs.rank END",
        )?;
    Ok(())
}

/// Requests a recompute of everybody in all deleted directories.
pub fn request_deleted(conn: &mut Serialized<'_>) -> QueryResult<()> {
    let sql = "INSERT INTO recompute_jobs (directory_id, group_id, id_after, kind_after, rank) \
         SELECT DISTINCT d.id, '', '', -1, 0 FROM directories d WHERE d.deleted_at IS NOT NULL \
         ON CONFLICT (directory_id, group_id) DO UPDATE SET id_after = '', kind_after = -1";
    on_each!(&mut **conn, |c| diesel::sql_query(sql).execute(c))?;
    Ok(())
}

/// The next job. A job with a failed step comes after all others, whatever its rank.
pub fn next(conn: &mut Conn) -> QueryResult<Option<RecomputeJob>> {
    let row: Option<(String, String, String, i16, i16, i64)> = recompute_jobs::table
        .order((
            recompute_jobs::failed_at,
            recompute_jobs::rank,
            recompute_jobs::directory_id,
            recompute_jobs::group_id,
        ))
        .first(conn)
        .optional()?;
    Ok(row.map(|(directory_id, group_id, id, kind, rank, _)| {
        let group_id = (!group_id.is_empty()).then_some(group_id);
        RecomputeJob { directory_id, group_id, after: (id, kind), mapped: i64::from(rank) == MAPPING, rank }
    }))
}

impl RecomputeJob {
    fn key(&self) -> (&str, &str) {
        (&self.directory_id, self.group_id.as_deref().unwrap_or_default())
    }

    /// Records where the next step begins.
    pub fn advance(&self, conn: &mut Serialized<'_>, after: (&str, i16)) -> QueryResult<()> {
        diesel::update(recompute_jobs::table.find(self.key()))
            .set((recompute_jobs::id_after.eq(after.0), recompute_jobs::kind_after.eq(after.1)))
            .execute(&mut **conn)?;
        Ok(())
    }

    /// Moves it behind all others after a failure.
    pub fn failed(&self, conn: &mut Serialized<'_>, now: Timestamp) -> QueryResult<()> {
        diesel::update(recompute_jobs::table.find(self.key()))
            .set(recompute_jobs::failed_at.eq(now.micros()))
            .execute(&mut **conn)?;
        Ok(())
    }

    /// Removes it.
    pub fn finish(&self, conn: &mut Serialized<'_>) -> QueryResult<()> {
        diesel::delete(recompute_jobs::table.find(self.key())).execute(&mut **conn)?;
        Ok(())
    }
}

/// Everybody in this directory is derived again already. Jobs of its groups stay: members may be in other directories.
pub fn forget(conn: &mut Serialized<'_>, directory_id: &str) -> QueryResult<()> {
    diesel::delete(recompute_jobs::table.find((directory_id, ""))).execute(&mut **conn)?;
    Ok(())
}

/// The number of waiting jobs.
pub fn count(conn: &mut Conn) -> QueryResult<i64> {
    recompute_jobs::table.count().get_result(conn)
}

#[cfg(test)]
mod tests {
    use super::{next, request, request_mapped, request_members};
    use crate::outbox::testing::each_database;

    #[test]
    fn promise_5_a_directory_that_is_gone_waits_for_nobodys_roles() {
        each_database(|database| {
            let first = database.write_serialized::<_, crate::db::DbError>(|conn| {
                request_mapped(conn, &["a".into()])?;
                request_members(conn, &[("b", "g")])?;
                request(conn, &["z".into()])?;
                Ok(next(conn)?.unwrap().directory_id)
            });

            assert_eq!(first.unwrap(), "z");
        });
    }
}
