//! Table `seen_ids`: the event ids of deliveries that retention has deleted, for as long as a broker may repeat them.

use std::collections::HashSet;

use diesel::{OptionalExtension, QueryDsl, QueryResult, QueryableByName, RunQueryDsl, sql_types::Text};
use sha2::{Digest, Sha256};

use crate::{
    db::{Conn, bulk::Rows, schema::seen_ids},
    runtime::clock::Timestamp,
};

/// The stored digest of an id: 128 bits of SHA-256. PostgreSQL computes the same in [`DIGEST`].
fn digest(event_key: &str) -> Vec<u8> {
    Sha256::digest(event_key.as_bytes()).iter().take(16).copied().collect()
}

/// The digest of `r.event_key`, for PostgreSQL.
pub(super) const DIGEST: &str = "substring(sha256(convert_to(r.event_key, 'UTF8')) FOR 16)";

/// (source, event key).
pub type EventKey<'a> = (&'a str, &'a str);

fn with_digests<'a>(keys: &[EventKey<'a>]) -> Vec<(EventKey<'a>, Vec<u8>)> {
    keys.iter().map(|key| (*key, digest(key.1))).collect()
}

fn rows<'a>(keys: &'a [(EventKey<'a>, Vec<u8>)]) -> Rows<'a, (EventKey<'a>, Vec<u8>)> {
    Rows::of(keys)
        .text("source", |(key, _)| key.0)
        .text("event_key", |(key, _)| key.1)
        .bytes("digest", |(_, digest)| digest)
}

/// Stores the ids of deliveries that are deleted from the log.
pub fn remember(conn: &mut Conn, keys: &[EventKey<'_>], now: Timestamp) -> QueryResult<()> {
    let keys = with_digests(keys);
    rows(&keys).integer("deleted_at", |_| now.micros()).execute(
        conn,
        "INSERT INTO seen_ids (source, digest, deleted_at) \
         SELECT r.source, r.digest, r.deleted_at FROM {rows} WHERE true \
         ON CONFLICT (source, digest) DO NOTHING",
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

/// Those of `keys` whose deliveries were deleted.
pub fn among(conn: &mut Conn, keys: &[EventKey<'_>]) -> QueryResult<HashSet<(String, String)>> {
    let keys = with_digests(keys);
    let found: Vec<Found> = rows(&keys).load(
        conn,
        "SELECT r.source, r.event_key FROM {rows} JOIN seen_ids f \
         ON f.source = r.source AND f.digest = r.digest",
    )?;
    Ok(found.into_iter().map(|row| (row.source, row.event_key)).collect())
}

/// Whether the table has any row. Most installations have none, which saves a look-up for each delivery.
pub fn any(conn: &mut Conn) -> QueryResult<bool> {
    let one: Option<i64> = seen_ids::table.select(seen_ids::deleted_at).limit(1).first(conn).optional()?;
    Ok(one.is_some())
}

/// Deletes ids that were stored before `before`, at most 5,000 at a time. Returns how many.
pub fn expire(conn: &mut Conn, before: Timestamp) -> QueryResult<usize> {
    Rows::of(&[before]).integer("before", |before| before.micros()).execute(
        conn,
        "DELETE FROM seen_ids WHERE (source, digest) IN (\
         SELECT f.source, f.digest FROM seen_ids f \
         WHERE f.deleted_at < (SELECT r.before FROM {rows}) ORDER BY f.deleted_at LIMIT 5000)",
    )
}
