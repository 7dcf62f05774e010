//! Appends deliveries to the log, many in one commit. After a crash all of them are stored, or none.

use std::collections::HashMap;

use diesel::{
    QueryResult, QueryableByName,
    result::{DatabaseErrorKind::UniqueViolation, Error::DatabaseError},
    sql_types::{BigInt, Text},
};
use foldhash::fast::RandomState;

use super::{
    Delivery, Stored,
    dead_letters::{self, DeadLetter, NOT_UNDERSTOOD},
    queue,
    seen_ids::{self, DIGEST},
};
use crate::{
    broker::Disposition,
    db::{Conn, Database, DbError, bulk::Rows},
    runtime::failpoint,
};

/// Stores each delivery with a new key, and queues it or makes it a dead letter. Returns one result for each delivery, in
/// order, after the commit. After an error nothing is stored, unless the connection broke during the commit.
pub fn append(database: &Database, deliveries: &[Delivery]) -> Result<Vec<Stored>, DbError> {
    // If one commit has two deliveries of one event, the first is stored.
    let mut new: ByKey<'_, Option<i64>> =
        ByKey::with_capacity_and_hasher(deliveries.len(), RandomState::default());
    let first: Vec<&Delivery> = deliveries.iter().filter(|d| new.insert(key(d), None).is_none()).collect();
    let stored = match first.iter().any(|d| is_not_understood(d)) {
        true => database.write(|conn| in_steps(conn, first)),
        false => database.write_once(|conn| match conn {
            Conn::Postgres(_) => in_one_statement(conn, &first),
            Conn::Sqlite(_) => in_steps(conn, first),
        }),
    }?;
    Ok(outcomes(deliveries, new, &stored))
}

/// The same inside the caller's transaction.
pub fn append_within(conn: &mut Conn, deliveries: &[Delivery]) -> Result<Vec<Stored>, DbError> {
    let mut new: ByKey<'_, Option<i64>> =
        ByKey::with_capacity_and_hasher(deliveries.len(), RandomState::default());
    let first: Vec<&Delivery> = deliveries.iter().filter(|d| new.insert(key(d), None).is_none()).collect();
    let stored = in_steps(conn, first)?;
    Ok(outcomes(deliveries, new, &stored))
}

fn outcomes<'a>(
    deliveries: &'a [Delivery],
    mut new: ByKey<'a, Option<i64>>,
    stored: &'a [Row],
) -> Vec<Stored> {
    for row in stored {
        new.insert((&row.source, &row.event_key), Some(row.id));
    }
    let outcome = |delivery| match new.get_mut(&key(delivery)).and_then(Option::take) {
        Some(inbox_id) => Stored::Accepted { inbox_id },
        None => Stored::Duplicate,
    };
    deliveries.iter().map(outcome).collect()
}

/// A map by source and event. The hash need not resist collisions: the keys come from signed bodies (as in
/// `decide::state`).
type ByKey<'a, T> = HashMap<(&'a str, &'a str), T, RandomState>;

fn key(delivery: &Delivery) -> (&str, &str) {
    (delivery.source.name(), &delivery.label.key)
}

const fn code(disposition: Disposition) -> i16 {
    match disposition {
        Disposition::Apply => 0,
        Disposition::Ignore => 1,
        Disposition::NotUnderstood(_) => 2,
    }
}

/// Whether it becomes a dead letter at once.
fn is_not_understood(delivery: &Delivery) -> bool {
    matches!(delivery.label.disposition, Disposition::NotUnderstood(_))
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = BigInt)]
    id: i64,
    #[diesel(sql_type = Text)]
    source: String,
    #[diesel(sql_type = Text)]
    event_key: String,
}

fn rows<'a>(deliveries: &'a [&'a Delivery]) -> Rows<'a, &'a Delivery> {
    Rows::of(deliveries)
        .text("source", |d| d.source.name())
        .text("event_key", |d| &d.label.key)
        .text("kind", |d| &d.label.kind)
        .integer("disposition", |d| code(d.label.disposition).into())
        .integer("received_at", |d| d.received_at.micros())
        .bytes("body", |d| &d.body)
}

/// On PostgreSQL, if all deliveries are understood: one round trip, including the commit. A look-up before the insert is
/// cheaper than ON CONFLICT (`db::bulk::Upsert`). If another process stores the same event at this moment, the unique key
/// refuses the insert, and a second statement with ON CONFLICT waits for that process.
fn in_one_statement(conn: &mut Conn, deliveries: &[&Delivery]) -> Result<Vec<Row>, DbError> {
    let stored = match insert_new(conn, deliveries, "") {
        Err(DatabaseError(UniqueViolation, _)) => {
            insert_new(conn, deliveries, "ON CONFLICT (source, event_key) DO NOTHING")
        }
        stored => stored,
    }?;
    failpoint::reach("appended");
    Ok(stored)
}

/// Inserts the new deliveries. An event whose delivery retention has deleted is a duplicate too. The scalar selects find
/// each row by key. With NOT EXISTS, PostgreSQL would hash a whole table.
fn insert_new(conn: &mut Conn, deliveries: &[&Delivery], on_conflict: &str) -> QueryResult<Vec<Row>> {
    let sql = format!(
        "WITH stored AS (INSERT INTO inbox (source, event_key, kind, disposition, received_at, body) \
         SELECT r.source, r.event_key, r.kind, r.disposition, r.received_at, r.body FROM {{rows}} \
         WHERE (SELECT i.id FROM inbox i WHERE i.source = r.source AND i.event_key = r.event_key) IS NULL \
         AND (NOT EXISTS (SELECT FROM seen_ids) OR (SELECT f.deleted_at FROM seen_ids f \
         WHERE f.source = r.source AND f.digest = {DIGEST}) IS NULL) {on_conflict} \
         RETURNING id, source, event_key, disposition, length(body) AS bytes), \
         queued AS (INSERT INTO inbox_queue (inbox_id, bytes) SELECT id, bytes FROM stored WHERE disposition = 0) \
         SELECT id, source, event_key FROM stored"
    );
    rows(deliveries).load(conn, &sql)
}

fn in_steps(conn: &mut Conn, deliveries: Vec<&Delivery>) -> Result<Vec<Row>, DbError> {
    let deliveries = without_seen(conn, deliveries)?;
    let stored: Vec<Row> = rows(&deliveries).load(
        conn,
        "INSERT INTO inbox (source, event_key, kind, disposition, received_at, body) \
         SELECT r.source, r.event_key, r.kind, r.disposition, r.received_at, r.body FROM {rows} WHERE true \
         ON CONFLICT (source, event_key) DO NOTHING RETURNING id, source, event_key",
    )?;
    let ids: ByKey<'_, i64> =
        stored.iter().map(|row| ((row.source.as_str(), row.event_key.as_str()), row.id)).collect();
    let mut queued = Vec::with_capacity(stored.len());
    for delivery in &deliveries {
        let Some(inbox_id) = ids.get(&key(delivery)).copied() else { continue };
        match delivery.label.disposition {
            Disposition::Apply => queued.push((inbox_id, delivery.body.len() as i64)),
            Disposition::Ignore => {}
            Disposition::NotUnderstood(detail) => {
                let letter = DeadLetter {
                    inbox_id,
                    reason: NOT_UNDERSTOOD,
                    detail: detail.to_owned(),
                    attempts: 0,
                    claims: None,
                    retry_at: None,
                };
                dead_letters::add(conn, &[letter], delivery.received_at)?;
            }
        }
    }
    queue::add(conn, &queued)?;
    failpoint::reach("appended");
    Ok(stored)
}

/// Removes deliveries of events that retention has deleted. Most installations have none, so an empty table is checked
/// first.
fn without_seen<'a>(conn: &mut Conn, deliveries: Vec<&'a Delivery>) -> QueryResult<Vec<&'a Delivery>> {
    if !seen_ids::any(conn)? {
        return Ok(deliveries);
    }
    let keys: Vec<_> = deliveries.iter().map(|d| key(d)).collect();
    let dropped = seen_ids::among(conn, &keys)?;
    let known = |d: &&Delivery| dropped.contains(&(d.source.name().to_owned(), d.label.key.clone()));
    Ok(deliveries.into_iter().filter(|d| !known(d)).collect())
}
