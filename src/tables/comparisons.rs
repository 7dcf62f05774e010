//! Table `comparisons`: when each directory was compared with the broker's lists, and what was found.

use diesel::{ExpressionMethods, Insertable, QueryDsl, QueryResult, Queryable, RunQueryDsl};

use crate::{
    db::{Conn, schema::comparisons},
    runtime::clock::Timestamp,
};

/// Comparisons of one directory that are kept.
const KEPT: i64 = 20;

#[derive(Clone, Debug, PartialEq, Eq, Queryable, Insertable)]
#[diesel(table_name = comparisons)]
pub struct Comparison {
    pub directory_id: String,
    pub checked_at: i64,
    pub tenant_id: String,
    pub complete: bool,
    pub reason: Option<String>,
    pub compared_at: Option<i64>,
    pub people: i64,
    pub groups: i64,
    pub memberships: i64,
    pub differences: i64,
    pub healed: i64,
    pub held: i64,
    pub report: String,
}

pub fn record(conn: &mut Conn, comparison: &Comparison) -> QueryResult<()> {
    let of = comparisons::directory_id.eq(&comparison.directory_id);
    diesel::delete(comparisons::table.find((&comparison.directory_id, comparison.checked_at)))
        .execute(conn)?;
    diesel::insert_into(comparisons::table).values(comparison).execute(conn)?;
    let old: Vec<i64> = comparisons::table
        .filter(of)
        .order(comparisons::checked_at.desc())
        .offset(KEPT)
        .limit(100)
        .select(comparisons::checked_at)
        .load(conn)?;
    let old = comparisons::table.filter(of).filter(comparisons::checked_at.eq_any(old));
    diesel::delete(old).execute(conn)?;
    Ok(())
}

/// The newest of each directory, or of those of one tenant.
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

/// When the directory that was compared longest ago was, of those that are still there; complete comparisons only.
pub fn oldest(conn: &mut Conn) -> QueryResult<Option<Timestamp>> {
    let newest: Vec<(String, Option<i64>)> = comparisons::table
        .filter(comparisons::complete.eq(true))
        .group_by(comparisons::directory_id)
        .select((comparisons::directory_id, diesel::dsl::max(comparisons::checked_at)))
        .load(conn)?;
    Ok(newest.into_iter().filter_map(|(_, at)| at).min().map(Timestamp::from_micros))
}
