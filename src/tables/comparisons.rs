//! Table `comparisons`: the time and result of each comparison of a directory with the broker's lists.

use std::collections::BTreeMap;

use diesel::{
    ExpressionMethods, Insertable, OptionalExtension, QueryDsl, QueryResult, Queryable, QueryableByName,
    RunQueryDsl,
    dsl::max,
    sql_query,
    sql_types::{BigInt, Nullable},
};

use crate::{
    db::{Conn, on_each, schema::comparisons},
    runtime::clock::Timestamp,
};

/// The number of stored comparisons of one directory.
const MOST_STORED: i64 = 20;

/// One comparison. Times are in microseconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Insertable)]
#[diesel(table_name = comparisons)]
pub struct Comparison {
    /// The directory.
    pub directory_id: String,
    /// The time of the comparison.
    pub checked_at: i64,
    /// The tenant.
    pub tenant_id: String,
    /// Whether the comparison reached its end.
    pub complete: bool,
    /// Why it did not reach its end.
    pub reason: Option<String>,
    /// The time of the lists.
    pub compared_at: Option<i64>,
    /// The number of compared people.
    pub people: i64,
    /// The number of compared groups.
    pub groups: i64,
    /// The number of compared memberships.
    pub memberships: i64,
    /// The number of differences.
    pub differences: i64,
    /// The number of repaired differences.
    pub healed: i64,
    /// The number of differences on hold.
    pub held: i64,
    /// The details, as JSON.
    pub report: String,
}

/// Stores a comparison and deletes old ones of the directory.
pub fn record(conn: &mut Conn, comparison: &Comparison) -> QueryResult<()> {
    let of = comparisons::directory_id.eq(&comparison.directory_id);
    diesel::delete(comparisons::table.find((&comparison.directory_id, comparison.checked_at)))
        .execute(conn)?;
    diesel::insert_into(comparisons::table).values(comparison).execute(conn)?;
    let old: Vec<i64> = comparisons::table
        .filter(of)
        .order(comparisons::checked_at.desc())
        .offset(MOST_STORED)
        .limit(100)
        .select(comparisons::checked_at)
        .load(conn)?;
    let old = comparisons::table.filter(of).filter(comparisons::checked_at.eq_any(old));
    diesel::delete(old).execute(conn)?;
    Ok(())
}

/// The newest comparison of each directory, or of each directory of a tenant.
pub fn newest(conn: &mut Conn, tenant_id: Option<&str>) -> QueryResult<Vec<Comparison>> {
    let mut all =
        comparisons::table.order((comparisons::directory_id, comparisons::checked_at.desc())).into_boxed();
    if let Some(tenant_id) = tenant_id {
        all = all.filter(comparisons::tenant_id.eq(tenant_id.to_owned()));
    }
    let mut found: Vec<Comparison> = all.load(conn)?;
    found.dedup_by(|a, b| a.directory_id == b.directory_id);
    Ok(found)
}

/// When each directory was last compared, completely or not.
pub fn checked(conn: &mut Conn) -> QueryResult<BTreeMap<String, Timestamp>> {
    let found: Vec<(String, Option<i64>)> = comparisons::table
        .group_by(comparisons::directory_id)
        .select((comparisons::directory_id, max(comparisons::checked_at)))
        .load(conn)?;
    Ok(times(found))
}

/// When each directory was last compared completely.
pub fn completed(conn: &mut Conn) -> QueryResult<BTreeMap<String, Timestamp>> {
    let found: Vec<(String, Option<i64>)> = comparisons::table
        .filter(comparisons::complete.eq(true))
        .group_by(comparisons::directory_id)
        .select((comparisons::directory_id, max(comparisons::checked_at)))
        .load(conn)?;
    Ok(times(found))
}

fn times(found: Vec<(String, Option<i64>)>) -> BTreeMap<String, Timestamp> {
    let time = |(id, at): (String, Option<i64>)| Some((id, Timestamp::from_micros(at?)));
    found.into_iter().filter_map(time).collect()
}

/// Why the last comparison of a directory was not complete.
pub fn reason(conn: &mut Conn, directory_id: &str) -> QueryResult<Option<String>> {
    let newest: Option<Option<String>> = comparisons::table
        .filter(comparisons::directory_id.eq(directory_id))
        .order(comparisons::checked_at.desc())
        .select(comparisons::reason)
        .first(conn)
        .optional()?;
    Ok(newest.flatten())
}

#[derive(QueryableByName)]
struct Oldest {
    #[diesel(sql_type = Nullable<BigInt>)]
    oldest: Option<i64>,
}

/// The last complete comparison of the directory that was compared longest ago, of those that are still there.
pub fn oldest(conn: &mut Conn) -> QueryResult<Option<Timestamp>> {
    let sql = "SELECT MIN(n.newest) AS oldest FROM (SELECT MAX(c.checked_at) AS newest FROM comparisons c \
               JOIN directories d ON d.tenant_id = c.tenant_id AND d.id = c.directory_id AND d.deleted_at IS NULL \
               WHERE c.complete GROUP BY c.directory_id) n";
    let found: Vec<Oldest> = on_each!(conn, |c| sql_query(sql).load(c))?;
    Ok(found.into_iter().find_map(|row| row.oldest).map(Timestamp::from_micros))
}
