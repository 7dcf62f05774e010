//! Table `forgotten`: the ids of deliveries that retention has dropped, for as long as a broker may repeat them.

use std::collections::HashSet;

use diesel::{OptionalExtension, QueryDsl, QueryResult, QueryableByName, RunQueryDsl, sql_types::Text};
use sha2::{Digest, Sha256};

use crate::{
    clock::Timestamp,
    db::{Conn, bulk::Rows, schema::forgotten},
};

/// 128 bits of SHA-256, in halves that a column can hold: short, and as good as the id.
pub(super) fn halves(event_key: &str) -> (i64, i64) {
    let digest: [u8; 32] = Sha256::digest(event_key.as_bytes()).into();
    let half = |from: usize| {
        let bytes = digest.get(from..from + 8).and_then(|bytes| bytes.try_into().ok());
        bytes.map_or(0, i64::from_be_bytes)
    };
    (half(0), half(8))
}

/// (source, event key).
pub type Key<'a> = (&'a str, &'a str);

fn rows<'a>(keys: &'a [(Key<'a>, (i64, i64))]) -> Rows<'a, (Key<'a>, (i64, i64))> {
    Rows::of(keys)
        .text("source", |(key, _)| key.0)
        .text("event_key", |(key, _)| key.1)
        .integer("key_high", |(_, halves)| halves.0)
        .integer("key_low", |(_, halves)| halves.1)
}

fn with_halves<'a>(keys: &[Key<'a>]) -> Vec<(Key<'a>, (i64, i64))> {
    keys.iter().map(|key| (*key, halves(key.1))).collect()
}

pub fn remember(conn: &mut Conn, keys: &[Key<'_>], now: Timestamp) -> QueryResult<()> {
    let keys = with_halves(keys);
    rows(&keys).integer("forgotten_at", |_| now.micros()).execute(
        conn,
        "INSERT INTO forgotten (source, key_high, key_low, forgotten_at) \
         SELECT r.source, r.key_high, r.key_low, r.forgotten_at FROM {rows} WHERE true \
         ON CONFLICT (source, key_high, key_low) DO NOTHING",
    )?;
    Ok(())
}

#[derive(QueryableByName)]
struct Found {
    #[diesel(sql_type = Text)]
    source: String,
    #[diesel(sql_type = Text)]
    event_key: String,
}

/// Those of `keys` that were dropped.
pub fn among(conn: &mut Conn, keys: &[Key<'_>]) -> QueryResult<HashSet<(String, String)>> {
    let keys = with_halves(keys);
    let found: Vec<Found> = rows(&keys).load(
        conn,
        "SELECT r.source, r.event_key FROM {rows} JOIN forgotten f \
         ON f.source = r.source AND f.key_high = r.key_high AND f.key_low = r.key_low",
    )?;
    Ok(found.into_iter().map(|row| (row.source, row.event_key)).collect())
}

/// Whether anything was ever dropped; nearly always not, which saves looking for each delivery.
pub fn any(conn: &mut Conn) -> QueryResult<bool> {
    let one: Option<i64> =
        forgotten::table.select(forgotten::forgotten_at).limit(1).first(conn).optional()?;
    Ok(one.is_some())
}

/// Forgets for good what was dropped before `before`, some thousands at a time; returns how many.
pub fn expire(conn: &mut Conn, before: Timestamp) -> QueryResult<usize> {
    Rows::of(&[before]).integer("before", |before| before.micros()).execute(
        conn,
        "DELETE FROM forgotten WHERE (source, key_high, key_low) IN (\
         SELECT f.source, f.key_high, f.key_low FROM forgotten f \
         WHERE f.forgotten_at < (SELECT r.before FROM {rows}) ORDER BY f.forgotten_at LIMIT 5000)",
    )
}
