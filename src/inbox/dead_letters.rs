//! Table `dead_letters`: deliveries that could not be applied, each with its reason, until an operator retries or discards
//! it. A change that the database refuses is also tried again automatically. No delivery is lost without a notice (promise 8).

use diesel::{ExpressionMethods, OptionalExtension, QueryDsl, QueryResult, RunQueryDsl};

use super::queue;
use crate::{
    db::{Conn, bulk::Rows, schema::dead_letters},
    outbox::{
        self, Notice,
        notice::{self, GivenUp},
    },
    runtime::clock::Timestamp,
};

/// The body does not have the form of its type.
pub const NOT_UNDERSTOOD: &str = "not_understood";
/// It names a tenant to which its directory does not belong (promise 6).
pub const OTHER_TENANT: &str = "other_tenant";
/// Its time is more than a day ahead of the clock that received it.
pub const TIME_AHEAD: &str = "time_ahead";
/// The database refuses the change, which is tried again automatically.
pub const REFUSED: &str = notice::REFUSED;

/// A delivery that cannot be applied, and the reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// The delivery.
    pub inbox_id: i64,
    /// One of the constants above.
    pub reason: &'static str,
    /// A sentence for the operator.
    pub detail: String,
    /// How often it was tried.
    pub attempts: i16,
    /// For an event that names another organization than its directory's owner: the directory and that organization.
    pub claims: Option<(String, String)>,
    /// The time of the next automatic attempt; `None` when only an operator can help.
    pub retry_at: Option<Timestamp>,
}

/// Records dead letters and writes their notices. The caller removes them from the queue.
pub fn add(conn: &mut Conn, letters: &[DeadLetter], now: Timestamp) -> QueryResult<()> {
    Rows::of(letters)
        .integer("inbox_id", |letter| letter.inbox_id)
        .text("reason", |letter| letter.reason)
        .text("detail", |letter| &letter.detail)
        .integer("attempts", |letter| letter.attempts.into())
        .integer("died_at", |_| now.micros())
        .optional_text("directory_id", |letter| Some(letter.claims.as_ref()?.0.as_str()))
        .optional_text("organization_id", |letter| Some(letter.claims.as_ref()?.1.as_str()))
        .optional_integer("retry_at", |letter| letter.retry_at.map(Timestamp::micros))
        .execute(
            conn,
            "INSERT INTO dead_letters \
             (inbox_id, reason, detail, attempts, died_at, directory_id, organization_id, retry_at) \
             SELECT r.inbox_id, r.reason, r.detail, r.attempts, r.died_at, r.directory_id, r.organization_id, r.retry_at \
             FROM {rows} WHERE true \
             ON CONFLICT (inbox_id) DO UPDATE SET reason = excluded.reason, detail = excluded.detail, \
             attempts = excluded.attempts, died_at = excluded.died_at, discarded_at = NULL, discard_reason = NULL, \
             directory_id = excluded.directory_id, organization_id = excluded.organization_id, \
             retry_at = excluded.retry_at",
        )?;
    // Events that claim another organization's directory are counted and reported once a day (`tables::refused_claims`).
    let given_up = letters.iter().filter(|letter| letter.reason != OTHER_TENANT).map(|letter| GivenUp {
        inbox_id: letter.inbox_id,
        entity: None,
        reason: letter.reason.to_owned(),
        detail: letter.detail.clone(),
        at: now.micros(),
    });
    outbox::enqueue(conn, &given_up.map(Notice::DeliveryGivenUp).collect::<Vec<_>>(), now)
}

/// Moves a dead letter back to the queue. Returns false when there is no such dead letter.
pub fn retry(conn: &mut Conn, inbox_id: i64) -> QueryResult<bool> {
    let found = diesel::delete(dead_letters::table.find(inbox_id)).execute(conn)? > 0;
    if found {
        queue::enqueue(conn, &[inbox_id])?;
    }
    Ok(found)
}

/// Moves all open dead letters back to the queue, or those with one reason. Returns their ids.
pub fn retry_all(conn: &mut Conn, reason: Option<&str>) -> QueryResult<Vec<i64>> {
    let mut open = dead_letters::table.filter(dead_letters::discarded_at.is_null()).into_boxed();
    if let Some(reason) = reason {
        open = open.filter(dead_letters::reason.eq(reason.to_owned()));
    }
    let ids: Vec<i64> = open.order(dead_letters::inbox_id).select(dead_letters::inbox_id).load(conn)?;
    put_back(conn, &ids)?;
    Ok(ids)
}

/// Puts back what was refused because this organization did not own this directory; returns the ids.
pub fn retry_claiming(conn: &mut Conn, directory_id: &str, organization_id: &str) -> QueryResult<Vec<i64>> {
    let ids: Vec<i64> = dead_letters::table
        .filter(dead_letters::directory_id.eq(directory_id))
        .filter(dead_letters::organization_id.eq(organization_id))
        .filter(dead_letters::reason.eq(OTHER_TENANT))
        .filter(dead_letters::discarded_at.is_null())
        .order(dead_letters::inbox_id)
        .select(dead_letters::inbox_id)
        .load(conn)?;
    put_back(conn, &ids)?;
    Ok(ids)
}

fn put_back(conn: &mut Conn, inbox_ids: &[i64]) -> QueryResult<()> {
    for some in inbox_ids.chunks(1_000) {
        diesel::delete(dead_letters::table.filter(dead_letters::inbox_id.eq_any(some))).execute(conn)?;
        queue::enqueue(conn, some)?;
    }
    Ok(())
}

/// The dead letters that are due for an automatic attempt.
pub fn due(conn: &mut Conn, now: Timestamp, limit: i64) -> QueryResult<Vec<i64>> {
    dead_letters::table
        .filter(dead_letters::retry_at.le(now.micros()))
        .order((dead_letters::retry_at, dead_letters::inbox_id))
        .limit(limit)
        .select(dead_letters::inbox_id)
        .load(conn)
}

/// Removes a dead letter before an automatic attempt, and returns its number of attempts. `None` when an operator or another
/// process has dealt with it meanwhile. The caller applies the delivery in the same transaction.
pub fn remove_due(conn: &mut Conn, inbox_id: i64, now: Timestamp) -> QueryResult<Option<i16>> {
    let due = || dead_letters::table.find(inbox_id).filter(dead_letters::retry_at.le(now.micros()));
    let attempts = due().select(dead_letters::attempts).first(conn).optional()?;
    diesel::delete(due()).execute(conn)?;
    Ok(attempts)
}

/// Records an automatic attempt that failed: its number, the database's reason, and the time of the next attempt. The dead
/// letter is as old as before and is not reported again. Nothing changes when an operator has dealt with it meanwhile.
pub fn postpone(
    conn: &mut Conn,
    inbox_id: i64,
    attempts: i16,
    detail: &str,
    retry_at: Timestamp,
) -> QueryResult<()> {
    diesel::update(dead_letters::table.find(inbox_id).filter(dead_letters::retry_at.is_not_null()))
        .set((
            dead_letters::attempts.eq(attempts),
            dead_letters::detail.eq(detail),
            dead_letters::retry_at.eq(retry_at.micros()),
        ))
        .execute(conn)?;
    Ok(())
}

/// Discards a dead letter for ever; its row remains as a record. Returns false when there is no such open dead letter.
pub fn discard(conn: &mut Conn, inbox_id: i64, reason: &str, now: Timestamp) -> QueryResult<bool> {
    let open = dead_letters::table.find(inbox_id).filter(dead_letters::discarded_at.is_null());
    let changed = diesel::update(open)
        .set((
            dead_letters::discarded_at.eq(now.micros()),
            dead_letters::discard_reason.eq(reason),
            dead_letters::retry_at.eq(None::<i64>),
        ))
        .execute(conn)?;
    Ok(changed > 0)
}

/// The number of open dead letters, and the time of the oldest.
pub fn open(conn: &mut Conn) -> QueryResult<(i64, Option<Timestamp>)> {
    let open = || dead_letters::table.filter(dead_letters::discarded_at.is_null());
    let count: i64 = open().count().get_result(conn)?;
    let oldest: Option<i64> =
        open().order(dead_letters::died_at).select(dead_letters::died_at).first(conn).optional()?;
    Ok((count, oldest.map(Timestamp::from_micros)))
}
