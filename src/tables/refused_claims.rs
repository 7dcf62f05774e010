//! Table `refused_claims`: the number of events for a directory that another organization owns, since the operator's
//! last notice about it.

use std::collections::BTreeMap;

use diesel::{
    ExpressionMethods, OptionalExtension, QueryDsl, QueryResult, QueryableByName, RunQueryDsl, sql_query,
    sql_types::{BigInt, Text},
};

use crate::{
    db::{Conn, Serialized, bulk::Rows, on_each, schema::refused_claims},
    runtime::clock::Timestamp,
};

/// The events of one batch from one organization for a directory of another organization.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedClaim {
    /// The organization that claims the directory.
    pub organization_id: String,
    /// The number of events.
    pub events: i64,
    /// The number of these events that end a person's access.
    pub leavers: i64,
    /// One of the deliveries.
    pub inbox_id: i64,
}

/// By directory. If several organizations claim one directory, the newest claimant is stored.
pub type ByDirectory = BTreeMap<String, RefusedClaim>;

/// Adds counts. It runs in the transaction that dead-letters the deliveries, so no event is missed or counted twice.
pub fn add(conn: &mut Serialized<'_>, refused: &ByDirectory, now: Timestamp) -> QueryResult<()> {
    let rows: Vec<(&String, &RefusedClaim)> = refused.iter().collect();
    Rows::of(&rows)
        .text("directory_id", |(directory_id, _)| directory_id)
        .text("organization_id", |(_, refused)| &refused.organization_id)
        .integer("events", |(_, refused)| refused.events)
        .integer("leavers", |(_, refused)| refused.leavers)
        .integer("inbox_id", |(_, refused)| refused.inbox_id)
        .integer("first_at", |_| now.micros())
        .execute(
            conn,
            "INSERT INTO refused_claims \
             (directory_id, organization_id, events, leavers, inbox_id, first_at, notified_at) \
             SELECT r.directory_id, r.organization_id, r.events, r.leavers, r.inbox_id, r.first_at, NULL \
             FROM {rows} WHERE true \
             ON CONFLICT (directory_id) DO UPDATE SET organization_id = excluded.organization_id, \
             first_at = CASE WHEN refused_claims.events = 0 THEN excluded.first_at ELSE refused_claims.first_at END, \
             events = refused_claims.events + excluded.events, \
             leavers = refused_claims.leavers + excluded.leavers, inbox_id = excluded.inbox_id",
        )?;
    Ok(())
}

/// The counts of a directory about which the operator must be notified now.
#[derive(Clone, Debug, PartialEq, Eq, QueryableByName)]
pub struct Counted {
    /// The claimed directory.
    #[diesel(sql_type = Text)]
    pub directory_id: String,
    /// The organization that claims it.
    #[diesel(sql_type = Text)]
    pub organization_id: String,
    /// The number of events since the last notice.
    #[diesel(sql_type = BigInt)]
    pub events: i64,
    /// The number of these events that end a person's access.
    #[diesel(sql_type = BigInt)]
    pub leavers: i64,
    /// One of the deliveries.
    #[diesel(sql_type = BigInt)]
    pub inbox_id: i64,
    /// The time of the first event, in microseconds since 1970.
    #[diesel(sql_type = BigInt)]
    pub first_at: i64,
}

/// The counts with a first event not newer than `first_until` and a last notice not newer than `notified_until`.
pub fn due(conn: &mut Conn, first_until: Timestamp, notified_until: Timestamp) -> QueryResult<Vec<Counted>> {
    let sql = format!(
        "SELECT directory_id, organization_id, events, leavers, inbox_id, first_at FROM refused_claims \
         WHERE events > 0 AND first_at <= {} AND (notified_at IS NULL OR notified_at <= {}) ORDER BY directory_id",
        first_until.micros(),
        notified_until.micros()
    );
    on_each!(conn, |c| sql_query(&sql).load(c))
}

/// Sets the counts to zero. False if another process did it before, or if more events were counted since.
pub fn take(conn: &mut Conn, counted: &Counted, now: Timestamp) -> QueryResult<bool> {
    let unchanged = refused_claims::table
        .find(&counted.directory_id)
        .filter(refused_claims::events.eq(counted.events))
        .filter(refused_claims::first_at.eq(counted.first_at));
    let taken = diesel::update(unchanged)
        .set((
            refused_claims::events.eq(0),
            refused_claims::leavers.eq(0),
            refused_claims::notified_at.eq(now.micros()),
        ))
        .execute(conn)?;
    Ok(taken > 0)
}

/// The organization that owns the directory now; `None` if no claim is known.
pub fn owner(conn: &mut Conn, directory_id: &str) -> QueryResult<Option<String>> {
    use crate::db::schema::claims;
    let tenant: Option<Option<String>> = claims::table
        .filter(claims::directory_id.eq(directory_id))
        .filter(claims::tenant_id.is_not_null())
        .order(claims::id)
        .select(claims::tenant_id)
        .first(conn)
        .optional()?;
    Ok(tenant.flatten())
}
