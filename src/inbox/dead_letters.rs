//! Table `dead_letters`: deliveries that could not be applied, each with its reason, until an operator retries or discards
//! it. No delivery is lost without a notice (promise 8).

use diesel::{ExpressionMethods, OptionalExtension, QueryDsl, QueryResult, RunQueryDsl};

use super::queue;
use crate::{
    db::{Conn, bulk::Rows, schema::dead_letters},
    outbox::{self, Notice, notice::GivenUp},
    runtime::clock::Timestamp,
};

/// The body does not have the form of its type.
pub const NOT_UNDERSTOOD: &str = "not_understood";
/// It names a tenant to which its directory does not belong (promise 6).
pub const OTHER_TENANT: &str = "other_tenant";
/// Its time is more than a day ahead of the clock that received it.
pub const TIME_AHEAD: &str = "time_ahead";
/// The database refuses the change.
pub const REFUSED: &str = "refused";

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
}

/// Records dead letters and writes their notices. The caller removes them from the queue.
pub fn bury(conn: &mut Conn, letters: &[DeadLetter], now: Timestamp) -> QueryResult<()> {
    Rows::of(letters)
        .integer("inbox_id", |letter| letter.inbox_id)
        .text("reason", |letter| letter.reason)
        .text("detail", |letter| &letter.detail)
        .integer("attempts", |letter| letter.attempts.into())
        .integer("died_at", |_| now.micros())
        .execute(
            conn,
            "INSERT INTO dead_letters (inbox_id, reason, detail, attempts, died_at) \
             SELECT r.inbox_id, r.reason, r.detail, r.attempts, r.died_at FROM {rows} WHERE true \
             ON CONFLICT (inbox_id) DO UPDATE SET reason = excluded.reason, detail = excluded.detail, \
             attempts = excluded.attempts, died_at = excluded.died_at, discarded_at = NULL, discard_reason = NULL",
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
    for some in ids.chunks(1_000) {
        diesel::delete(dead_letters::table.filter(dead_letters::inbox_id.eq_any(some))).execute(conn)?;
        queue::enqueue(conn, some)?;
    }
    Ok(ids)
}

/// Discards a dead letter for ever; its row remains as a record. Returns false when there is no such open dead letter.
pub fn discard(conn: &mut Conn, inbox_id: i64, reason: &str, now: Timestamp) -> QueryResult<bool> {
    let open = dead_letters::table.find(inbox_id).filter(dead_letters::discarded_at.is_null());
    let changed = diesel::update(open)
        .set((dead_letters::discarded_at.eq(now.micros()), dead_letters::discard_reason.eq(reason)))
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
