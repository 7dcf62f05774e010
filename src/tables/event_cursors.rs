//! Table `event_cursors`: the position up to which the broker's events were read from the API.

use diesel::{OptionalExtension, QueryDsl, QueryResult, RunQueryDsl};

use crate::{
    db::{Conn, bulk::Rows, schema::event_cursors},
    runtime::clock::Timestamp,
};

/// The position in one source's events.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    /// The last stored event; `None` if there is none.
    pub event: Option<String>,
    /// The time of that event; without an event, the time from which to read.
    pub at: Timestamp,
    /// The time of the last request.
    pub polled_at: Timestamp,
}

/// The cursor of a source; `None` before the first request.
pub fn of(conn: &mut Conn, source: &str) -> QueryResult<Option<Cursor>> {
    let found: Option<(Option<String>, i64, i64)> = event_cursors::table
        .find(source)
        .select((event_cursors::cursor, event_cursors::at, event_cursors::polled_at))
        .first(conn)
        .optional()?;
    Ok(found.map(|(event, at, polled_at)| Cursor {
        event,
        at: Timestamp::from_micros(at),
        polled_at: Timestamp::from_micros(polled_at),
    }))
}

/// Moves the cursor forward, never backward: another process may have read further.
pub fn advance(conn: &mut Conn, source: &str, cursor: &Cursor) -> QueryResult<()> {
    Rows::of(std::slice::from_ref(cursor))
        .text("source", |_| source)
        .optional_text("cursor", |cursor| cursor.event.as_deref())
        .integer("at", |cursor| cursor.at.micros())
        .integer("polled_at", |cursor| cursor.polled_at.micros())
        .execute(
            conn,
            "INSERT INTO event_cursors (source, cursor, at, polled_at) \
             SELECT r.source, r.cursor, r.at, r.polled_at FROM {rows} WHERE true \
             ON CONFLICT (source) DO UPDATE SET cursor = excluded.cursor, at = excluded.at, \
             polled_at = excluded.polled_at WHERE excluded.at >= event_cursors.at",
        )?;
    Ok(())
}
