//! Table `holds`: mass changes, with the decision if there is one.

use diesel::{
    ExpressionMethods, OptionalExtension, QueryDsl, QueryResult, Queryable, QueryableByName, RunQueryDsl,
    sql_query, sql_types::BigInt,
};

use super::{Key, held_users};
use crate::{
    db::{
        Conn, Serialized,
        bulk::Rows,
        on_each,
        schema::{held_users as users, holds},
    },
    runtime::clock::Timestamp,
};

/// A hold, open or decided.
#[derive(Clone, Debug, PartialEq, Eq, Queryable)]
pub struct Hold {
    /// Its number.
    pub id: i64,
    /// The tenant.
    pub tenant_id: String,
    /// The directory whose people are held.
    pub directory_id: String,
    /// A sentence about the exceeded threshold.
    pub cause: String,
    /// `open`, `approved`, `rejected`, or `ended` by newer facts.
    pub state: String,
    opened_at: i64,
    due_at: Option<i64>,
    /// The number of losses of the window that were applied before.
    pub applied_before: i64,
    /// The number of active people before.
    pub active_before: i64,
    decided_at: Option<i64>,
    /// The operator who decided.
    pub decided_by: Option<String>,
    /// The operator's reason.
    pub reason: Option<String>,
}

impl Hold {
    /// The time of its opening.
    pub fn opened_at(&self) -> Timestamp {
        Timestamp::from_micros(self.opened_at)
    }

    /// The time at which it is approved without a decision; `None` for never.
    pub fn due_at(&self) -> Option<Timestamp> {
        self.due_at.map(Timestamp::from_micros)
    }

    /// The time of the decision.
    pub fn decided_at(&self) -> Option<Timestamp> {
        self.decided_at.map(Timestamp::from_micros)
    }
}

/// The open hold of a directory.
pub fn open_of(conn: &mut Conn, (tenant_id, directory_id): &Key) -> QueryResult<Option<i64>> {
    holds::table
        .filter(holds::tenant_id.eq(tenant_id))
        .filter(holds::directory_id.eq(directory_id))
        .filter(holds::state.eq(held_users::OPEN))
        .select(holds::id)
        .first(conn)
        .optional()
}

/// The data of a new hold.
pub struct NewHold<'a> {
    /// Tenant and directory.
    pub directory: &'a Key,
    /// A sentence about the exceeded threshold.
    pub cause: &'a str,
    /// The time of its opening.
    pub opened_at: Timestamp,
    /// The time at which it is approved without a decision; `None` for never.
    pub due_at: Option<Timestamp>,
    /// The number of losses of the window that were applied before.
    pub applied_before: u64,
    /// The number of active people before.
    pub active_before: u64,
}

/// Opens a hold and returns its number.
pub fn open(conn: &mut Serialized<'_>, new: &NewHold<'_>) -> QueryResult<i64> {
    let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    diesel::insert_into(holds::table)
        .values((
            holds::tenant_id.eq(&new.directory.0),
            holds::directory_id.eq(&new.directory.1),
            holds::cause.eq(new.cause),
            holds::state.eq(held_users::OPEN),
            holds::opened_at.eq(new.opened_at.micros()),
            holds::due_at.eq(new.due_at.map(Timestamp::micros)),
            holds::applied_before.eq(number(new.applied_before)),
            holds::active_before.eq(number(new.active_before)),
        ))
        .returning(holds::id)
        .get_result(&mut **conn)
}

/// Gives `state` to open holds in which nobody waits for a decision any more.
pub fn settle(conn: &mut Serialized<'_>, ids: &[i64], state: &'static str) -> QueryResult<()> {
    Rows::of(ids).integer("id", |id| *id).text("state", |_| state).execute(
        conn,
        "UPDATE holds SET state = r.state FROM {rows} WHERE holds.id = r.id AND holds.state = 'open' \
         AND NOT EXISTS (SELECT 1 FROM held_users h WHERE h.hold_id = holds.id AND h.state = 'open')",
    )?;
    Ok(())
}

/// Records the operator, time and reason of a decision. The last decision on a hold replaces earlier ones.
pub fn sign(
    conn: &mut Serialized<'_>,
    id: i64,
    by: &str,
    reason: Option<&str>,
    now: Timestamp,
) -> QueryResult<()> {
    diesel::update(holds::table.find(id))
        .set((
            holds::decided_at.eq(Some(now.micros())),
            holds::decided_by.eq(Some(by)),
            holds::reason.eq(reason),
        ))
        .execute(&mut **conn)?;
    Ok(())
}

/// The hold of this number.
pub fn find(conn: &mut Conn, id: i64) -> QueryResult<Option<Hold>> {
    holds::table.find(id).first(conn).optional()
}

/// The holds of a tenant or of all, the newest first.
pub fn list(conn: &mut Conn, tenant: Option<&str>, state: Option<&str>) -> QueryResult<Vec<Hold>> {
    let mut found = holds::table.order(holds::id.desc()).into_boxed();
    if let Some(tenant) = tenant {
        found = found.filter(holds::tenant_id.eq(tenant));
    }
    if let Some(state) = state {
        found = found.filter(holds::state.eq(state));
    }
    found.load(conn)
}

/// The open holds that have reached their time limit.
pub fn due(conn: &mut Conn, now: Timestamp) -> QueryResult<Vec<i64>> {
    holds::table
        .filter(holds::state.eq(held_users::OPEN))
        .filter(holds::due_at.le(now.micros()))
        .select(holds::id)
        .load(conn)
}

/// (hold, tenant) of every hold that still holds a person.
pub fn with_people(conn: &mut Conn) -> QueryResult<Vec<(i64, String)>> {
    users::table
        .filter(users::state.eq_any([held_users::OPEN, held_users::REJECTED]))
        .select((users::hold_id, users::tenant_id))
        .distinct()
        .load(conn)
}

#[derive(QueryableByName)]
struct Waiting {
    #[diesel(sql_type = BigInt)]
    holds: i64,
    #[diesel(sql_type = BigInt)]
    people: i64,
}

/// The number of holds that wait for a decision, and of people in them.
pub fn waiting(conn: &mut Conn) -> QueryResult<(i64, i64)> {
    const WAITING: &str = "SELECT COUNT(DISTINCT h.id) AS holds, COUNT(*) AS people FROM holds h \
         JOIN held_users e ON e.hold_id = h.id AND e.state = 'open' WHERE h.state = 'open'";
    let waiting: Waiting = on_each!(conn, |c| sql_query(WAITING).get_result(c))?;
    Ok((waiting.holds, waiting.people))
}
