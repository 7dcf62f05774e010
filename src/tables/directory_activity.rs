//! Table `directory_activity`: the time of each directory's last event, by this machine's clock, so that a silent
//! directory is noticed.

use std::collections::BTreeSet;

use diesel::{
    ExpressionMethods, QueryDsl, QueryResult, QueryableByName, RunQueryDsl, sql_query,
    sql_types::{BigInt, Text},
};

use crate::{
    db::{Conn, bulk::Rows, on_each, schema::directory_activity},
    runtime::clock::Timestamp,
};

/// A younger time is not updated, so a busy directory writes once an hour.
const COARSE_SECONDS: i64 = 3_600;

/// Records that events of these directories arrived. It reads each key, and writes only times older than an hour.
pub fn note(conn: &mut Conn, directory_ids: &BTreeSet<&str>, now: Timestamp) -> QueryResult<()> {
    let ids: Vec<&str> = directory_ids.iter().copied().collect();
    Rows::of(&ids)
        .text("directory_id", |id| id)
        .integer("now", |_| now.micros())
        .integer("old", |_| now.plus_seconds(-COARSE_SECONDS).micros())
        .execute(
            conn,
            "INSERT INTO directory_activity (directory_id, last_event_at, notified_at) \
             SELECT r.directory_id, r.now, NULL FROM {rows} \
             WHERE NOT EXISTS (SELECT 1 FROM directory_activity h WHERE h.directory_id = r.directory_id \
             AND h.last_event_at > r.old AND h.notified_at IS NULL) \
             ON CONFLICT (directory_id) DO UPDATE SET last_event_at = excluded.last_event_at, notified_at = NULL",
        )?;
    Ok(())
}

/// A directory without events for too long.
#[derive(Debug, PartialEq, Eq, QueryableByName)]
pub struct Silent {
    /// The owner of the directory.
    #[diesel(sql_type = Text)]
    pub tenant_id: String,
    /// The directory.
    #[diesel(sql_type = Text)]
    pub directory_id: String,
    /// The time of its last event in microseconds since 1970, exact to about an hour.
    #[diesel(sql_type = BigInt)]
    pub last_event_at: i64,
}

/// Connected directories without an event and without a comparison since then, and without a notice about it. A
/// comparison with the broker's lists shows that a directory is not silent.
pub fn silent_since(conn: &mut Conn, since: Timestamp) -> QueryResult<Vec<Silent>> {
    let sql = format!(
        "SELECT d.tenant_id, h.directory_id, h.last_event_at FROM directory_activity h JOIN directories d ON d.id = h.directory_id \
         WHERE h.last_event_at <= {since} AND h.notified_at IS NULL AND d.state = 'active' \
         AND NOT EXISTS (SELECT 1 FROM comparisons c WHERE c.directory_id = h.directory_id AND c.complete \
         AND c.checked_at > {since}) ORDER BY d.tenant_id, d.id",
        since = since.micros()
    );
    on_each!(conn, |c| sql_query(&sql).load(c))
}

/// Records the notice, once until its next event. False if another process was faster.
pub fn mark_notified(conn: &mut Conn, silent: &Silent, now: Timestamp) -> QueryResult<bool> {
    let not_notified = directory_activity::table
        .find(&silent.directory_id)
        .filter(directory_activity::last_event_at.eq(silent.last_event_at))
        .filter(directory_activity::notified_at.is_null());
    Ok(diesel::update(not_notified).set(directory_activity::notified_at.eq(now.micros())).execute(conn)? > 0)
}

/// Those of these directories without an event since the notice about their silence.
pub fn silent_among(conn: &mut Conn, directory_ids: &[String]) -> QueryResult<BTreeSet<String>> {
    let found: Vec<String> = directory_activity::table
        .filter(directory_activity::directory_id.eq_any(directory_ids))
        .filter(directory_activity::notified_at.is_not_null())
        .select(directory_activity::directory_id)
        .load(conn)?;
    Ok(found.into_iter().collect())
}

/// A directory whose first synchronization is over.
#[derive(Clone, Debug, PartialEq, Eq, QueryableByName)]
pub struct FirstSync {
    /// The owner of the directory.
    #[diesel(sql_type = Text)]
    pub tenant_id: String,
    /// The directory.
    #[diesel(sql_type = Text)]
    pub directory_id: String,
    /// The end of its first synchronization, in microseconds since 1970.
    #[diesel(sql_type = BigInt)]
    pub ends_at: i64,
}

/// Records when the first synchronization of each of these directories ends.
pub fn begin_first_sync(conn: &mut Conn, directories: &[(&str, Timestamp)]) -> QueryResult<()> {
    Rows::of(directories)
        .text("directory_id", |one| one.0)
        .integer("ends_at", |one| one.1.micros())
        .execute(
            conn,
            "UPDATE directory_activity SET first_sync_ends_at = r.ends_at FROM {rows} \
             WHERE directory_activity.directory_id = r.directory_id",
        )?;
    Ok(())
}

/// Directories whose first synchronization is over and was not reported yet. A deleted directory is not among them.
pub fn first_syncs_over(conn: &mut Conn, now: Timestamp) -> QueryResult<Vec<FirstSync>> {
    let sql = format!(
        "SELECT d.tenant_id, h.directory_id, h.first_sync_ends_at AS ends_at FROM directory_activity h \
         JOIN directories d ON d.id = h.directory_id \
         WHERE h.first_sync_ends_at <= {} AND d.state <> 'deleted' ORDER BY d.tenant_id, d.id",
        now.micros()
    );
    on_each!(conn, |c| sql_query(&sql).load(c))
}

/// Records that the end was reported. False if another process was faster.
pub fn end_first_sync(conn: &mut Conn, over: &FirstSync) -> QueryResult<bool> {
    let unreported = directory_activity::table
        .find(&over.directory_id)
        .filter(directory_activity::first_sync_ends_at.eq(over.ends_at));
    let ended = directory_activity::first_sync_ends_at.eq(None::<i64>);
    Ok(diesel::update(unreported).set(ended).execute(conn)? > 0)
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    count: i64,
}

/// How many connected directories have had no event since the notice about their silence.
pub fn silent(conn: &mut Conn) -> QueryResult<i64> {
    let counted: Count = on_each!(conn, |c| sql_query(
        "SELECT COUNT(*) AS count FROM directory_activity h JOIN directories d ON d.id = h.directory_id \
         WHERE h.notified_at IS NOT NULL AND d.state = 'active'"
    )
    .get_result(c))?;
    Ok(counted.count)
}
