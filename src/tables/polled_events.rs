//! Table `polled_events`: events that were read from the API before a webhook brought them.

use diesel::{ExpressionMethods, QueryDsl, QueryResult, RunQueryDsl};

use crate::{
    db::{Conn, bulk::Rows, schema::polled_events},
    runtime::clock::Timestamp,
};

/// Adds events.
pub fn add(conn: &mut Conn, event_keys: &[&str], seen_at: Timestamp) -> QueryResult<()> {
    Rows::of(event_keys).text("event_key", |key| key).integer("seen_at", |_| seen_at.micros()).execute(
        conn,
        "INSERT INTO polled_events (event_key, seen_at) SELECT r.event_key, r.seen_at FROM {rows} WHERE true \
         ON CONFLICT (event_key) DO NOTHING",
    )?;
    Ok(())
}

/// Removes events that a webhook brought later.
pub fn arrived(conn: &mut Conn, event_keys: &[&str]) -> QueryResult<()> {
    Rows::of(event_keys)
        .text("event_key", |key| key)
        .execute(conn, "DELETE FROM polled_events WHERE event_key IN (SELECT r.event_key FROM {rows})")?;
    Ok(())
}

/// Removes and counts the events from before `until`, which no webhook brought. Returns their number and the time of
/// the oldest.
pub fn take_missed(conn: &mut Conn, until: Timestamp) -> QueryResult<(usize, Option<Timestamp>)> {
    let missed = polled_events::table.filter(polled_events::seen_at.le(until.micros()));
    let seen: Vec<i64> = missed.select(polled_events::seen_at).load(conn)?;
    diesel::delete(polled_events::table.filter(polled_events::seen_at.le(until.micros()))).execute(conn)?;
    Ok((seen.len(), seen.into_iter().min().map(Timestamp::from_micros)))
}

/// Whether there are any.
pub fn any(conn: &mut Conn) -> QueryResult<bool> {
    let first: Vec<String> = polled_events::table.select(polled_events::event_key).limit(1).load(conn)?;
    Ok(!first.is_empty())
}
