//! Table `heard`: when a directory was last heard of, by this service's clock, so that one that falls silent is noticed.

use std::collections::BTreeSet;

use diesel::{
    ExpressionMethods, QueryDsl, QueryResult, QueryableByName, RunQueryDsl, sql_query,
    sql_types::{BigInt, Text},
};

use crate::{
    db::{Conn, bulk::Rows, on_each, schema::directory_activity},
    runtime::clock::Timestamp,
};

/// A time that is not older than this is left as it is: busy directories write once an hour.
const COARSE_SECONDS: i64 = 3_600;

/// They spoke. Costs a look at each key, and a write for those that have been quiet for an hour.
pub fn note(conn: &mut Conn, directory_ids: &BTreeSet<&str>, now: Timestamp) -> QueryResult<()> {
    let ids: Vec<&str> = directory_ids.iter().copied().collect();
    Rows::of(&ids)
        .text("directory_id", |id| id)
        .integer("now", |_| now.micros())
        .integer("old", |_| now.plus_seconds(-COARSE_SECONDS).micros())
        .execute(
            conn,
            "INSERT INTO directory_activity (directory_id, heard_at, told_at) \
             SELECT r.directory_id, r.now, NULL FROM {rows} \
             WHERE NOT EXISTS (SELECT 1 FROM directory_activity h WHERE h.directory_id = r.directory_id \
             AND h.heard_at > r.old AND h.told_at IS NULL) \
             ON CONFLICT (directory_id) DO UPDATE SET heard_at = excluded.heard_at, told_at = NULL",
        )?;
    Ok(())
}

/// A directory that has said nothing for too long.
#[derive(Debug, PartialEq, Eq, QueryableByName)]
pub struct Silent {
    /// The owner of the directory.
    #[diesel(sql_type = Text)]
    pub tenant_id: String,
    /// The directory.
    #[diesel(sql_type = Text)]
    pub directory_id: String,
    /// When something last came from it; microseconds, exact to about an hour.
    #[diesel(sql_type = BigInt)]
    pub heard_at: i64,
}

/// Connected directories that have not been heard of since, whose silence is not told yet, and that were not compared with the
/// broker's lists since: a directory that was asked is not silent.
pub fn silent_since(conn: &mut Conn, since: Timestamp) -> QueryResult<Vec<Silent>> {
    let sql = format!(
        "SELECT d.tenant_id, h.directory_id, h.heard_at FROM directory_activity h JOIN directories d ON d.id = h.directory_id \
         WHERE h.heard_at <= {since} AND h.told_at IS NULL AND d.state = 'active' \
         AND NOT EXISTS (SELECT 1 FROM comparisons c WHERE c.directory_id = h.directory_id AND c.complete \
         AND c.checked_at > {since}) ORDER BY d.tenant_id, d.id",
        since = since.micros()
    );
    on_each!(conn, |c| sql_query(&sql).load(c))
}

/// Told once, until it speaks again. False for one that another process was faster with.
pub fn tell(conn: &mut Conn, silent: &Silent, now: Timestamp) -> QueryResult<bool> {
    let untold = directory_activity::table
        .find(&silent.directory_id)
        .filter(directory_activity::heard_at.eq(silent.heard_at))
        .filter(directory_activity::told_at.is_null());
    Ok(diesel::update(untold).set(directory_activity::told_at.eq(now.micros())).execute(conn)? > 0)
}

/// Those that have not spoken since their silence was to be told.
pub fn silent_among(conn: &mut Conn, directory_ids: &[String]) -> QueryResult<BTreeSet<String>> {
    let found: Vec<String> = directory_activity::table
        .filter(directory_activity::directory_id.eq_any(directory_ids))
        .filter(directory_activity::told_at.is_not_null())
        .select(directory_activity::directory_id)
        .load(conn)?;
    Ok(found.into_iter().collect())
}
