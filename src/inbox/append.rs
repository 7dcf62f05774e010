//! Appending to the log: one transaction for as many deliveries as wait.

use std::collections::HashSet;

use diesel::{
    ExpressionMethods, Insertable, OptionalExtension, QueryResult, QueryableByName, RunQueryDsl, insert_into,
    sql_query,
    sql_types::{Array, BigInt, Binary, SmallInt, Text},
};

use super::{Delivery, Kept, forgotten};
use crate::{
    broker::Disposition,
    db::{
        Conn,
        schema::{dead_letters, inbox, inbox_queue},
    },
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
    let kept = match conn {
        Conn::Postgres(pg) => append_postgres(pg, &first)?,
        Conn::Sqlite(sqlite) => append_sqlite(sqlite, &first)?,
    };
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
}

/// Log and queue in one round trip.
fn append_postgres(pg: &mut diesel::PgConnection, deliveries: &[&Delivery]) -> QueryResult<Vec<Row>> {
    fn column<'a, T>(deliveries: &'a [&Delivery], of: impl Fn(&'a Delivery) -> T) -> Vec<T> {
        deliveries.iter().map(|delivery| of(delivery)).collect()
    }
    sql_query(
        "WITH kept AS (\
             INSERT INTO inbox (source, event_key, kind, disposition, received_at, body) \
             SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::int2[], $5::int8[], $6::bytea[]) \
             ON CONFLICT (source, event_key) DO NOTHING \
             RETURNING id, source, event_key, disposition), \
         queued AS (INSERT INTO inbox_queue (inbox_id) SELECT id FROM kept WHERE disposition = 0) \
         SELECT id, source, event_key FROM kept",
    )
    .bind::<Array<Text>, _>(column(deliveries, |d| d.source.name()))
    .bind::<Array<Text>, _>(column(deliveries, |d| d.label.key.as_str()))
    .bind::<Array<Text>, _>(column(deliveries, |d| d.label.kind.as_str()))
    .bind::<Array<SmallInt>, _>(column(deliveries, |d| code(d.label.disposition)))
    .bind::<Array<BigInt>, _>(column(deliveries, |d| d.received_at.micros()))
    .bind::<Array<Binary>, _>(column(deliveries, |d| d.body.as_ref()))
    .load(pg)
}

#[derive(Insertable)]
#[diesel(table_name = inbox, treat_none_as_default_value = false)]
struct NewRow<'a> {
    source: &'a str,
    event_key: &'a str,
    kind: &'a str,
    disposition: i16,
    received_at: i64,
    body: &'a [u8],
}

/// No round trips here, so a prepared statement a row is the fastest.
fn append_sqlite(sqlite: &mut diesel::SqliteConnection, deliveries: &[&Delivery]) -> QueryResult<Vec<Row>> {
    let mut kept = Vec::with_capacity(deliveries.len());
    for delivery in deliveries {
        let (source, event_key) = (delivery.source.name(), delivery.label.key.as_str());
        let row = NewRow {
            source,
            event_key,
            kind: &delivery.label.kind,
            disposition: code(delivery.label.disposition),
            received_at: delivery.received_at.micros(),
            body: &delivery.body,
        };
        let id: Option<i64> = insert_into(inbox::table)
            .values(&row)
            .on_conflict((inbox::source, inbox::event_key))
            .do_nothing()
            .returning(inbox::id)
            .get_result(sqlite)
            .optional()?;
        let Some(id) = id else { continue };
        if delivery.label.disposition == Disposition::Apply {
            insert_into(inbox_queue::table).values(inbox_queue::inbox_id.eq(id)).execute(sqlite)?;
        }
        kept.push(Row { id, source: source.to_owned(), event_key: event_key.to_owned() });
    }
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
