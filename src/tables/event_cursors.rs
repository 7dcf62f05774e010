//! Table `event_cursors`: how far the broker's events are read.

use diesel::{OptionalExtension, QueryDsl, QueryResult, RunQueryDsl};

use crate::{
    db::{Conn, bulk::Rows, schema::event_cursors},
    runtime::clock::Timestamp,
};

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    /// The last event that is read for good.
    pub event: Option<String>,
    /// Its time; or that from which to read where there is no such event.
    pub at: Timestamp,
    pub polled_at: Timestamp,
}

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

/// Forward, or not at all: another process may have read further meanwhile.
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
