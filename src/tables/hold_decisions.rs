//! Table `hold_decisions`: the decisions about holds. Rows are only added.

use std::collections::HashMap;

use diesel::{ExpressionMethods, NullableExpressionMethods, QueryDsl, QueryResult, Queryable, RunQueryDsl};

use crate::{
    db::{
        Conn, Serialized,
        schema::{held_users, hold_decisions as decisions},
    },
    runtime::clock::Timestamp,
};

/// The text of an approval.
pub const APPROVED: &str = "approved";
/// The text of a rejection.
pub const REJECTED: &str = "rejected";

/// A decision about some or all people of a hold.
#[derive(Clone, Debug, PartialEq, Eq, Queryable)]
pub struct StoredDecision {
    /// The hold.
    pub hold_id: i64,
    /// 1 for the first decision of the hold.
    pub number: i64,
    decided_at: i64,
    /// The operator, or `rosterd` for a decision by a setting.
    pub decided_by: String,
    /// [`APPROVED`] or [`REJECTED`].
    pub decision: String,
    /// The reason, if one was given.
    pub reason: Option<String>,
    /// How many people were decided.
    pub people: i64,
    /// How many people the hold had.
    pub of_people: i64,
    /// Whether it replaces an earlier decision about some of them.
    pub overrides: bool,
}

impl StoredDecision {
    /// The time of the decision.
    pub fn decided_at(&self) -> Timestamp {
        Timestamp::from_micros(self.decided_at)
    }
}

/// A decision that must be recorded.
#[derive(Clone, Copy, Debug)]
pub struct NewDecision<'a> {
    /// The hold.
    pub hold_id: i64,
    /// The time.
    pub at: Timestamp,
    /// The operator, or `rosterd`.
    pub by: &'a str,
    /// [`APPROVED`] or [`REJECTED`].
    pub decision: &'static str,
    /// The reason.
    pub reason: Option<&'a str>,
    /// How many people were decided.
    pub people: usize,
    /// How many people the hold has.
    pub of_people: usize,
    /// Whether it replaces an earlier decision.
    pub overrides: bool,
}

/// Records a decision and returns its number.
pub fn add(conn: &mut Serialized<'_>, new: &NewDecision<'_>) -> QueryResult<i64> {
    let of_hold = decisions::table.filter(decisions::hold_id.eq(new.hold_id));
    let last: Option<i64> = of_hold.select(diesel::dsl::max(decisions::number)).first(&mut **conn)?;
    let number = last.unwrap_or(0) + 1;
    let count = |people: usize| i64::try_from(people).unwrap_or(i64::MAX);
    diesel::insert_into(decisions::table)
        .values((
            decisions::hold_id.eq(new.hold_id),
            decisions::number.eq(number),
            decisions::decided_at.eq(new.at.micros()),
            decisions::decided_by.eq(new.by),
            decisions::decision.eq(new.decision),
            decisions::reason.eq(new.reason),
            decisions::people.eq(count(new.people)),
            decisions::of_people.eq(count(new.of_people)),
            decisions::overrides.eq(new.overrides),
        ))
        .execute(&mut **conn)?;
    Ok(number)
}

/// The decisions of these holds, the oldest first.
pub fn of_holds(conn: &mut Conn, ids: &[i64]) -> QueryResult<HashMap<i64, Vec<StoredDecision>>> {
    let mut found: HashMap<i64, Vec<StoredDecision>> = HashMap::new();
    // In parts, because SQLite limits the number of bind parameters.
    for part in ids.chunks(1_000) {
        let rows: Vec<StoredDecision> = decisions::table
            .filter(decisions::hold_id.eq_any(part))
            .order((decisions::hold_id, decisions::number))
            .load(conn)?;
        for row in rows {
            found.entry(row.hold_id).or_default().push(row);
        }
    }
    Ok(found)
}

/// The decisions of one hold, the oldest first.
pub fn of_hold(conn: &mut Conn, id: i64) -> QueryResult<Vec<StoredDecision>> {
    Ok(of_holds(conn, &[id])?.remove(&id).unwrap_or_default())
}

/// The different decisions among the newest ones about each person of a hold.
pub fn in_force(conn: &mut Conn, hold_id: i64) -> QueryResult<Vec<String>> {
    decisions::table
        .filter(decisions::hold_id.eq(hold_id))
        .filter(diesel::dsl::exists(
            held_users::table
                .filter(held_users::hold_id.eq(decisions::hold_id))
                .filter(held_users::decision_number.eq(decisions::number.nullable())),
        ))
        .select(decisions::decision)
        .distinct()
        .load(conn)
}
