//! Appending to the log: one transaction for as many deliveries as wait.

use std::collections::HashSet;

use diesel::{
    ExpressionMethods, QueryResult, QueryableByName, RunQueryDsl, insert_into,
    sql_types::{BigInt, Integer, SmallInt, Text},
};

use super::{Delivery, Kept, forgotten, queue};
use crate::{
    broker::Disposition,
    db::{Conn, bulk::Rows, schema::dead_letters},
};

const fn code(disposition: Disposition) -> i16 {
    match disposition {
        Disposition::Apply => 0,
        Disposition::Ignore => 1,
        Disposition::NotUnderstood(_) => 2,
    }
}

/// Keeps each delivery whose key is new, queues it or sets it aside, and tells which were new, in order. Run inside a
/// transaction.
pub fn append(conn: &mut Conn, deliveries: &[Delivery]) -> QueryResult<Vec<Kept>> {
    // Two deliveries of one event may wait for the same commit.
    let mut met = HashSet::new();
    let first: Vec<&Delivery> =
        deliveries.iter().filter(|d| met.insert((d.source.name(), d.label.key.as_str()))).collect();
    let first = without_forgotten(conn, first)?;
    let kept = keep(conn, &first)?;
    let mut ids = std::collections::HashMap::new();
    for row in kept {
        ids.insert((row.source, row.event_key), row.id);
    }
    set_aside(conn, &first, &ids)?;
    // The first of two alike takes the acceptance with it.
    Ok(deliveries
        .iter()
        .map(|d| match ids.remove(&(d.source.name().to_owned(), d.label.key.clone())) {
            Some(_) => Kept::Accepted,
            None => Kept::Duplicate,
        })
        .collect())
}

/// What retention has dropped is a duplicate still.
fn without_forgotten<'a>(conn: &mut Conn, deliveries: Vec<&'a Delivery>) -> QueryResult<Vec<&'a Delivery>> {
    if !forgotten::any(conn)? {
        return Ok(deliveries);
    }
    let keys: Vec<_> = deliveries.iter().map(|d| (d.source.name(), d.label.key.as_str())).collect();
    let dropped = forgotten::among(conn, &keys)?;
    let known = |d: &&Delivery| dropped.contains(&(d.source.name().to_owned(), d.label.key.clone()));
    Ok(deliveries.into_iter().filter(|d| !known(d)).collect())
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = BigInt)]
    id: i64,
    #[diesel(sql_type = Text)]
    source: String,
    #[diesel(sql_type = Text)]
    event_key: String,
    #[diesel(sql_type = SmallInt)]
    disposition: i16,
    #[diesel(sql_type = Integer)]
    bytes: i32,
}

const LOG: &str = "INSERT INTO inbox (source, event_key, kind, disposition, received_at, body) \
     SELECT r.source, r.event_key, r.kind, r.disposition, r.received_at, r.body FROM {rows} WHERE true \
     ON CONFLICT (source, event_key) DO NOTHING \
     RETURNING id, source, event_key, disposition, length(body) AS bytes";

/// The new ones into the log, and into the queue what is to be applied; on PostgreSQL in one round trip.
fn keep(conn: &mut Conn, deliveries: &[&Delivery]) -> QueryResult<Vec<Row>> {
    let rows = Rows::of(deliveries)
        .text("source", |d| d.source.name())
        .text("event_key", |d| &d.label.key)
        .text("kind", |d| &d.label.kind)
        .integer("disposition", |d| code(d.label.disposition).into())
        .integer("received_at", |d| d.received_at.micros())
        .bytes("body", |d| &d.body);
    if let Conn::Postgres(_) = conn {
        return rows.load(
            conn,
            &format!(
                "WITH kept AS ({LOG}), \
                 queued AS (INSERT INTO inbox_queue (inbox_id, bytes) SELECT id, bytes FROM kept WHERE disposition = 0) \
                 SELECT * FROM kept"
            ),
        );
    }
    let kept: Vec<Row> = rows.load(conn, LOG)?;
    let queued = kept.iter().filter(|row| row.disposition == 0).map(|row| (row.id, row.bytes.into()));
    let queued: Vec<(i64, i64)> = queued.collect();
    queue::add(conn, &queued)?;
    Ok(kept)
}

/// What is not understood is a dead letter from the start.
fn set_aside(
    conn: &mut Conn,
    deliveries: &[&Delivery],
    ids: &std::collections::HashMap<(String, String), i64>,
) -> QueryResult<()> {
    for delivery in deliveries {
        let Disposition::NotUnderstood(detail) = delivery.label.disposition else { continue };
        let key = (delivery.source.name().to_owned(), delivery.label.key.clone());
        let Some(id) = ids.get(&key) else { continue };
        insert_into(dead_letters::table)
            .values((
                dead_letters::inbox_id.eq(id),
                dead_letters::reason.eq(super::dead::NOT_UNDERSTOOD),
                dead_letters::detail.eq(detail),
                dead_letters::attempts.eq(0),
                dead_letters::died_at.eq(delivery.received_at.micros()),
            ))
            .execute(conn)?;
    }
    Ok(())
}
