//! Table `held_users`: the people in holds, the loss of each, and its state.

use std::collections::{BTreeSet, HashMap};

use diesel::{
    ExpressionMethods, QueryDsl, QueryResult, QueryableByName, RunQueryDsl,
    sql_types::{BigInt, Text},
};

use super::Key;
use crate::{
    db::{
        Conn, Serialized,
        bulk::{Rows, Upsert},
        schema::held_users,
    },
    decide::guard::{Decision, HeldEntry, LostAccess, UserLoss},
    runtime::clock::Timestamp,
};

/// The state of a loss without a decision. In this and the next two states the user's row remains unchanged.
pub const OPEN: &str = "open";
/// An operator or the time limit approved the loss. It is not applied yet.
pub const APPROVED: &str = "approved";
/// An operator rejected the loss.
pub const REJECTED: &str = "rejected";
/// The approved loss is applied.
pub const DONE: &str = "done";
/// Newer facts ended the loss.
pub const ENDED: &str = "ended";

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Text)]
    tenant_id: String,
    #[diesel(sql_type = Text)]
    user_id: String,
    #[diesel(sql_type = BigInt)]
    hold_id: i64,
    #[diesel(sql_type = Text)]
    lost: String,
    #[diesel(sql_type = Text)]
    roles: String,
    #[diesel(sql_type = BigInt)]
    cause_digest: i64,
    #[diesel(sql_type = Text)]
    state: String,
}

pub(super) fn lost(code: &str, roles: &str) -> LostAccess {
    // It is a JSON list, written below.
    let roles: BTreeSet<String> = serde_json::from_str(roles).unwrap_or_default();
    LostAccess::read(code, roles)
}

fn entry(row: Row) -> HeldEntry {
    HeldEntry {
        hold_id: row.hold_id,
        lost: lost(&row.lost, &row.roles),
        cause_digest: row.cause_digest,
        decision: match row.state.as_str() {
            APPROVED => Decision::Approved,
            REJECTED => Decision::Rejected,
            _ => Decision::Open,
        },
        tenant_id: row.tenant_id,
        user_id: row.user_id,
    }
}

/// The entries of those of these users who are held.
pub fn live(conn: &mut Conn, users: &[Key]) -> QueryResult<Vec<HeldEntry>> {
    let rows: Vec<Row> = Rows::of(users).text("tenant_id", |key| &key.0).text("user_id", |key| &key.1).load(
        conn,
        "SELECT h.tenant_id, h.user_id, h.hold_id, h.lost, h.roles, h.cause_digest, h.state FROM {rows} \
         JOIN held_users h ON h.tenant_id = r.tenant_id AND h.user_id = r.user_id \
         WHERE h.state IN ('open', 'approved', 'rejected')",
    )?;
    Ok(rows.into_iter().map(entry).collect())
}

/// The next `limit` held users after this (tenant, user), sorted by it.
pub fn all_live(conn: &mut Conn, after: &Key, limit: i64) -> QueryResult<Vec<HeldEntry>> {
    use diesel::BoolExpressionMethods;
    type Columns = (String, String, i64, String, String, i64, String);
    let rows: Vec<Columns> = held_users::table
        .filter(held_users::state.eq_any([OPEN, APPROVED, REJECTED]))
        .filter(
            held_users::tenant_id
                .gt(&after.0)
                .or(held_users::tenant_id.eq(&after.0).and(held_users::user_id.gt(&after.1))),
        )
        .order((held_users::tenant_id, held_users::user_id))
        .limit(limit)
        .select((
            held_users::tenant_id,
            held_users::user_id,
            held_users::hold_id,
            held_users::lost,
            held_users::roles,
            held_users::cause_digest,
            held_users::state,
        ))
        .load(conn)?;
    let row = |(tenant_id, user_id, hold_id, lost, roles, cause_digest, state)| {
        entry(Row { tenant_id, user_id, hold_id, lost, roles, cause_digest, state })
    };
    Ok(rows.into_iter().map(row).collect())
}

/// Adds losses to holds, as (loss, hold). A loss that was decided before waits for a decision again.
pub fn hold(conn: &mut Serialized<'_>, losses: &[(&UserLoss, i64)], now: Timestamp) -> QueryResult<()> {
    let roles: Vec<String> =
        losses.iter().map(|(loss, _)| serde_json::Value::from(loss.lost.roles()).to_string()).collect();
    let rows: Vec<(&UserLoss, i64, &String)> =
        losses.iter().zip(&roles).map(|((loss, id), roles)| (*loss, *id, roles)).collect();
    Rows::of(&rows)
        .text("tenant_id", |row| &row.0.tenant_id)
        .text("user_id", |row| &row.0.user_id)
        .integer("hold_id", |row| row.1)
        .text("lost", |row| row.0.lost.code())
        .text("roles", |row| row.2)
        .integer("cause_digest", |row| row.0.cause_digest)
        .text("state", |_| "open")
        .integer("held_at", |_| now.micros())
        .optional_integer("decision_number", |_| None)
        .upsert(
            conn,
            &Upsert {
                table: "held_users",
                key: &["tenant_id", "user_id", "hold_id"],
                set: &["lost", "roles", "cause_digest", "state", "held_at", "decision_number"],
                ..Upsert::PLAIN
            },
        )?;
    Ok(())
}

/// Stores newer causes of the same losses, as (loss, hold).
pub fn restate(conn: &mut Serialized<'_>, losses: &[(&UserLoss, i64)]) -> QueryResult<()> {
    Rows::of(losses)
        .text("tenant_id", |row| &row.0.tenant_id)
        .text("user_id", |row| &row.0.user_id)
        .integer("hold_id", |row| row.1)
        .integer("cause_digest", |row| row.0.cause_digest)
        .execute(
            conn,
            "UPDATE held_users SET cause_digest = r.cause_digest FROM {rows} WHERE held_users.tenant_id = r.tenant_id \
             AND held_users.user_id = r.user_id AND held_users.hold_id = r.hold_id",
        )?;
    Ok(())
}

/// Ends entries with this state.
pub fn end(conn: &mut Serialized<'_>, entries: &[&HeldEntry], state: &'static str) -> QueryResult<()> {
    Rows::of(entries)
        .text("tenant_id", |entry| &entry.tenant_id)
        .text("user_id", |entry| &entry.user_id)
        .integer("hold_id", |entry| entry.hold_id)
        .text("state", |_| state)
        .execute(
            conn,
            "UPDATE held_users SET state = r.state FROM {rows} WHERE held_users.tenant_id = r.tenant_id \
             AND held_users.user_id = r.user_id AND held_users.hold_id = r.hold_id",
        )?;
    Ok(())
}

/// Records the decision of this number about these users of a hold.
pub fn decide(
    conn: &mut Serialized<'_>,
    (hold_id, number): (i64, i64),
    users: &[&HeldUser],
    state: &'static str,
) -> QueryResult<()> {
    Rows::of(users)
        .text("user_id", |user| &user.user_id)
        .integer("hold_id", |_| hold_id)
        .integer("number", |_| number)
        .text("state", |_| state)
        .execute(
            conn,
            "UPDATE held_users SET state = r.state, decision_number = r.number FROM {rows} \
             WHERE held_users.hold_id = r.hold_id AND held_users.user_id = r.user_id",
        )?;
    Ok(())
}

/// Users with an approved loss that must be applied, except users that the database refuses to change. Tenants without
/// a refused user come first.
pub fn approved(conn: &mut Conn, limit: usize) -> QueryResult<Vec<Key>> {
    held_users::table
        // A literal, so that the database uses the partial index.
        .filter(diesel::dsl::sql::<diesel::sql_types::Bool>("held_users.state = 'approved'"))
        .filter(diesel::dsl::sql::<diesel::sql_types::Bool>(
            "NOT EXISTS (SELECT 1 FROM refused r WHERE r.kind = 2 AND r.id = held_users.user_id)",
        ))
        .order((
            diesel::dsl::sql::<diesel::sql_types::BigInt>(
                "(SELECT COUNT(*) FROM (SELECT 1 FROM refused r WHERE r.rank = 3 AND r.owner = held_users.tenant_id LIMIT 1) x)",
            ),
            held_users::tenant_id,
            held_users::user_id,
        ))
        .select((held_users::tenant_id, held_users::user_id))
        .limit(i64::try_from(limit).unwrap_or(i64::MAX))
        .load(conn)
}

/// Marks approved losses as done, with any outcome.
pub fn finish(conn: &mut Serialized<'_>, users: &[Key]) -> QueryResult<()> {
    Rows::of(users).text("tenant_id", |key| &key.0).text("user_id", |key| &key.1).execute(
        conn,
        "UPDATE held_users SET state = 'done' FROM {rows} WHERE held_users.tenant_id = r.tenant_id \
         AND held_users.user_id = r.user_id AND held_users.state = 'approved'",
    )?;
    Ok(())
}

/// A user in a hold, with the name and address of the row.
#[derive(Clone, Debug, PartialEq, Eq, QueryableByName)]
pub struct HeldUser {
    /// The broker's id.
    #[diesel(sql_type = Text)]
    pub user_id: String,
    /// The display name.
    #[diesel(sql_type = diesel::sql_types::Nullable<Text>)]
    pub name: Option<String>,
    /// The address.
    #[diesel(sql_type = diesel::sql_types::Nullable<Text>)]
    pub email: Option<String>,
    #[diesel(sql_type = Text)]
    lost: String,
    #[diesel(sql_type = Text)]
    roles: String,
    /// One of the constants above.
    #[diesel(sql_type = Text)]
    pub state: String,
    #[diesel(sql_type = BigInt)]
    held_at: i64,
    /// The number of the newest decision about the loss.
    #[diesel(sql_type = diesel::sql_types::Nullable<BigInt>)]
    pub decision_number: Option<i64>,
}

impl HeldUser {
    /// The time since which the loss is held.
    pub fn held_at(&self) -> Timestamp {
        Timestamp::from_micros(self.held_at)
    }

    /// The loss.
    pub fn lost(&self) -> LostAccess {
        lost(&self.lost, &self.roles)
    }
}

const OF_HOLD: &str = "SELECT h.user_id, u.name, u.email, h.lost, h.roles, h.state, h.held_at, h.decision_number \
     FROM {rows} JOIN held_users h ON h.hold_id = r.hold_id \
     LEFT JOIN users u ON u.tenant_id = h.tenant_id AND u.id = h.user_id";

/// Everybody in a hold, sorted by name.
pub fn of_hold(conn: &mut Conn, hold_id: i64) -> QueryResult<Vec<HeldUser>> {
    let mut held: Vec<HeldUser> = Rows::of(&[hold_id]).integer("hold_id", |id| *id).load(conn, OF_HOLD)?;
    held.sort_unstable_by(|a, b| (&a.name, &a.user_id).cmp(&(&b.name, &b.user_id)));
    Ok(held)
}

/// The hold that keeps this user, and the user in it.
pub fn keeping(conn: &mut Conn, user: &Key) -> QueryResult<Option<(i64, HeldUser)>> {
    use diesel::OptionalExtension;
    let hold_id: Option<i64> = held_users::table
        .filter(held_users::tenant_id.eq(&user.0))
        .filter(held_users::user_id.eq(&user.1))
        .filter(held_users::state.eq_any([OPEN, APPROVED, REJECTED]))
        .select(held_users::hold_id)
        .first(conn)
        .optional()?;
    let Some(hold_id) = hold_id else { return Ok(None) };
    let found: Vec<HeldUser> = Rows::of(&[hold_id])
        .integer("hold_id", |id| *id)
        .text("user_id", |_| &user.1)
        .load(conn, &format!("{OF_HOLD} WHERE h.user_id = r.user_id"))?;
    Ok(found.into_iter().next().map(|held| (hold_id, held)))
}

#[derive(QueryableByName)]
struct Counted {
    #[diesel(sql_type = BigInt)]
    hold_id: i64,
    #[diesel(sql_type = BigInt)]
    people: i64,
    #[diesel(sql_type = BigInt)]
    waiting: i64,
}

/// The number of people in each of these holds, and of those who wait for a decision.
pub fn counts(conn: &mut Conn, holds: &[i64]) -> QueryResult<HashMap<i64, (i64, i64)>> {
    let rows: Vec<Counted> = Rows::of(holds).integer("hold_id", |id| *id).load(
        conn,
        "SELECT h.hold_id, COUNT(*) AS people, COUNT(CASE WHEN h.state = 'open' THEN 1 END) AS waiting FROM {rows} \
         JOIN held_users h ON h.hold_id = r.hold_id GROUP BY h.hold_id",
    )?;
    Ok(rows.into_iter().map(|row| (row.hold_id, (row.people, row.waiting))).collect())
}

/// The number of people of a hold who wait for a decision.
pub fn waiting(conn: &mut Conn, hold_id: i64) -> QueryResult<i64> {
    held_users::table
        .filter(held_users::hold_id.eq(hold_id))
        .filter(held_users::state.eq(OPEN))
        .count()
        .get_result(conn)
}

/// The number of people of a hold who wait for a decision and would lose access.
pub fn departures(conn: &mut Conn, hold_id: i64) -> QueryResult<u64> {
    let count: i64 = held_users::table
        .filter(held_users::hold_id.eq(hold_id))
        .filter(held_users::state.eq(OPEN))
        .filter(held_users::lost.ne("roles"))
        .count()
        .get_result(conn)?;
    Ok(u64::try_from(count).unwrap_or_default())
}
