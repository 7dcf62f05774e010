//! Table `guard_counts`: recent losses by directory and minute. New rows of a directory replace its old ones.

use std::collections::HashMap;

use diesel::{
    QueryResult, QueryableByName,
    sql_types::{BigInt, Text},
};

use super::Key;
use crate::db::{
    Conn, Serialized,
    bulk::{Rows, Upsert},
};

/// Losses in a directory's window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecentLosses {
    /// The number of losses, including held ones.
    pub losses: u64,
    /// The number of applied losses.
    pub applied: u64,
    /// The number of applied losses of access.
    pub departures: u64,
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Text)]
    directory_id: String,
    #[diesel(sql_type = BigInt)]
    losses: i64,
    #[diesel(sql_type = BigInt)]
    applied: i64,
    #[diesel(sql_type = BigInt)]
    departures: i64,
}

fn count(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}

/// The losses of these directories, each since its minute.
pub fn recent(conn: &mut Conn, since: &[(&str, i64)]) -> QueryResult<HashMap<String, RecentLosses>> {
    let rows: Vec<Row> = Rows::of(since).text("directory_id", |row| row.0).integer("minute", |row| row.1).load(
        conn,
        "SELECT g.directory_id, CAST(SUM(g.losses) AS bigint) AS losses, CAST(SUM(g.applied) AS bigint) AS applied, \
         CAST(SUM(g.departures) AS bigint) AS departures \
         FROM {rows} JOIN guard_counts g ON g.directory_id = r.directory_id AND g.minute >= r.minute \
         GROUP BY g.directory_id",
    )?;
    let recent = |row: Row| {
        let (losses, applied) = (count(row.losses), count(row.applied));
        (row.directory_id, RecentLosses { losses, applied, departures: count(row.departures) })
    };
    Ok(rows.into_iter().map(recent).collect())
}

/// Losses of one directory that must be counted.
pub struct AddedLosses<'a> {
    /// The directory.
    pub directory_id: &'a str,
    /// The first minute of its window. Older rows are deleted.
    pub since: i64,
    /// The number of people with a loss.
    pub losses: usize,
    /// The number of people whose loss is not held.
    pub applied: usize,
    /// The number of people among them who lose access.
    pub departures: usize,
}

/// Adds to the counts of a minute.
pub fn add(conn: &mut Serialized<'_>, minute: i64, added: &[AddedLosses<'_>]) -> QueryResult<()> {
    let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    Rows::of(added).text("directory_id", |row| row.directory_id).integer("since", |row| row.since).execute(
        conn,
        "DELETE FROM guard_counts WHERE (directory_id, minute) IN (SELECT g.directory_id, g.minute FROM {rows} \
         JOIN guard_counts g ON g.directory_id = r.directory_id AND g.minute < r.since)",
    )?;
    Rows::of(added)
        .text("directory_id", |row| row.directory_id)
        .integer("minute", |_| minute)
        .integer("losses", |row| number(row.losses))
        .integer("applied", |row| number(row.applied))
        .integer("departures", |row| number(row.departures))
        .upsert(
            conn,
            &Upsert {
                table: "guard_counts",
                key: &["directory_id", "minute"],
                add: &["losses", "applied", "departures"],
                ..Upsert::PLAIN
            },
        )?;
    Ok(())
}

#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = BigInt)]
    number: i64,
}

/// The number of active people in a (tenant, directory), counted up to about `at_most`. It counts by facts, so this
/// rare query needs no index of its own. A scalar subquery reads each person by key: with a join, PostgreSQL compares
/// every pair of people while its statistics are those of an empty table.
pub fn active(conn: &mut Conn, directory: &Key, at_most: u64) -> QueryResult<u64> {
    // Only few different limits, so only few statements are prepared.
    let limit = at_most.clamp(16, 1 << 40).next_power_of_two();
    let sql = format!(
        "SELECT COUNT(*) AS number FROM (SELECT 1 FROM {{rows}} \
         JOIN claims c ON c.directory_id = r.directory_id AND c.tenant_id = r.tenant_id \
         JOIN facts f ON f.claim_id = c.id AND f.kind = 2 \
         WHERE 'active' = (SELECT u.status FROM users u \
         WHERE u.tenant_id = c.tenant_id AND u.id = f.id AND u.directory_id = c.directory_id) \
         AND NOT EXISTS (SELECT 1 FROM claims d JOIN facts g ON g.claim_id = d.id AND g.id = f.id AND g.kind = 2 \
         WHERE d.directory_id = c.directory_id AND d.tenant_id = c.tenant_id AND d.id < c.id) LIMIT {limit}) AS active"
    );
    let found: Vec<Number> = Rows::of(std::slice::from_ref(directory))
        .text("tenant_id", |key| &key.0)
        .text("directory_id", |key| &key.1)
        .load(conn, &sql)?;
    Ok(found.first().map_or(0, |row| count(row.number)))
}
