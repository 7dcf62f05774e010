//! Table `holds`: mass changes. The decisions about them are in `hold_decisions`.

use diesel::{
    ExpressionMethods, OptionalExtension, QueryDsl, QueryResult, Queryable, QueryableByName, RunQueryDsl,
    sql_query, sql_types::BigInt,
};

use super::{Key, held_users, hold_decisions};
use crate::{
    db::{
        Conn, Serialized, on_each,
        schema::{held_users as users, holds},
    },
    decide::guard::announcement::Announcement,
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
    /// [`OPEN`] while somebody waits; then [`APPROVED`], [`REJECTED`], [`MIXED`] or [`ENDED`].
    pub state: String,
    opened_at: i64,
    due_at: Option<i64>,
    /// The number of losses of the window that were applied before.
    pub applied_before: i64,
    /// The number of active people before.
    pub active_before: i64,
    announced_people: i64,
    /// How often the number of people was announced.
    pub announcements: i64,
    announce_at: Option<i64>,
    growing_since: Option<i64>,
}

/// Somebody in the hold waits for a decision.
pub const OPEN: &str = "open";
/// All people who were decided were approved.
pub const APPROVED: &str = "approved";
/// All people who were decided were rejected.
pub const REJECTED: &str = "rejected";
/// Some people were approved and others rejected.
pub const MIXED: &str = "mixed";
/// Newer facts ended the hold before anybody decided.
pub const ENDED: &str = "ended";

impl Hold {
    /// The time of its opening.
    pub fn opened_at(&self) -> Timestamp {
        Timestamp::from_micros(self.opened_at)
    }

    /// The time at which it is approved without a decision; `None` for never.
    pub fn due_at(&self) -> Option<Timestamp> {
        self.due_at.map(Timestamp::from_micros)
    }

    /// What was announced, and what will be.
    pub fn announcement(&self) -> Announcement {
        Announcement {
            people: self.announced_people,
            due_at: self.announce_at.map(Timestamp::from_micros),
            growing_since: self.growing_since.map(Timestamp::from_micros),
        }
    }
}

/// The open hold of a directory.
pub fn open_of(conn: &mut Conn, (tenant_id, directory_id): &Key) -> QueryResult<Option<i64>> {
    holds::table
        .filter(holds::tenant_id.eq(tenant_id))
        .filter(holds::directory_id.eq(directory_id))
        .filter(holds::state.eq(OPEN))
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
            holds::state.eq(OPEN),
            holds::opened_at.eq(new.opened_at.micros()),
            holds::due_at.eq(new.due_at.map(Timestamp::micros)),
            holds::applied_before.eq(number(new.applied_before)),
            holds::active_before.eq(number(new.active_before)),
        ))
        .returning(holds::id)
        .get_result(&mut **conn)
}

/// Ends the open holds among these in which nobody waits for a decision any more. Returns them as they were.
pub fn settle(conn: &mut Serialized<'_>, ids: &[i64]) -> QueryResult<Vec<Hold>> {
    let waiting = users::table.filter(users::hold_id.eq(holds::id)).filter(users::state.eq(held_users::OPEN));
    let mut over: Vec<Hold> = Vec::new();
    for part in ids.chunks(1_000) {
        over.extend(
            holds::table
                .filter(holds::id.eq_any(part))
                .filter(holds::state.eq(OPEN))
                .filter(diesel::dsl::not(diesel::dsl::exists(waiting)))
                .order(holds::id)
                .load::<Hold>(&mut **conn)?,
        );
    }
    for hold in &over {
        restate(conn, hold.id)?;
    }
    Ok(over)
}

/// Gives a hold in which nobody waits the state that follows from the decisions in force.
pub fn restate(conn: &mut Serialized<'_>, id: i64) -> QueryResult<()> {
    let decisions = hold_decisions::in_force(conn, id)?;
    let state = match decisions.as_slice() {
        [] => ENDED,
        [one] if one == hold_decisions::APPROVED => APPROVED,
        [_] => REJECTED,
        _ => MIXED,
    };
    let nothing_due = (holds::announce_at.eq(None::<i64>), holds::growing_since.eq(None::<i64>));
    diesel::update(holds::table.find(id)).set((holds::state.eq(state), nothing_due)).execute(&mut **conn)?;
    Ok(())
}

/// Records when the number of people is announced next.
pub fn plan_announcement(conn: &mut Serialized<'_>, id: i64, planned: Announcement) -> QueryResult<()> {
    diesel::update(holds::table.find(id))
        .set((
            holds::announce_at.eq(planned.due_at.map(Timestamp::micros)),
            holds::growing_since.eq(planned.growing_since.map(Timestamp::micros)),
        ))
        .execute(&mut **conn)?;
    Ok(())
}

/// Records an announcement.
pub fn announced(conn: &mut Serialized<'_>, id: i64, made: Announcement) -> QueryResult<()> {
    diesel::update(holds::table.find(id))
        .set((holds::announced_people.eq(made.people), holds::announcements.eq(holds::announcements + 1)))
        .execute(&mut **conn)?;
    plan_announcement(conn, id, made)
}

/// The holds with an announcement that is due.
pub fn to_announce(conn: &mut Conn, now: Timestamp) -> QueryResult<Vec<Hold>> {
    holds::table.filter(holds::announce_at.le(now.micros())).order(holds::id).load(conn)
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
        .filter(holds::state.eq(OPEN))
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
