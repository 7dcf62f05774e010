//! Table `inbox_queue`: deliveries that are not applied yet. A row is deleted in the transaction that applies its delivery,
//! so after a crash it is applied once.

use std::ops::RangeInclusive;

use actix_web::web::Bytes;
use diesel::{
    BoolExpressionMethods, ExpressionMethods, JoinOnDsl, OptionalExtension, QueryDsl, QueryResult,
    QueryableByName, RunQueryDsl,
    dsl::not,
    sql_types::{BigInt, Binary, Text},
};

use crate::{
    db::{
        Conn,
        bulk::Rows,
        schema::{inbox, inbox_queue},
    },
    runtime::clock::Timestamp,
};

/// A delivery to be applied.
#[derive(Debug)]
pub struct Queued {
    /// Its number in the log.
    pub inbox_id: i64,
    /// The event's id.
    pub event_key: String,
    /// The broker's name.
    pub source: String,
    /// How often it was tried.
    pub attempts: i16,
    /// When it was received.
    pub received_at: Timestamp,
    /// The signed bytes.
    pub body: Bytes,
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = BigInt)]
    id: i64,
    #[diesel(sql_type = Text)]
    event_key: String,
    #[diesel(sql_type = Text)]
    source: String,
    #[diesel(sql_type = BigInt)]
    received_at: i64,
    #[diesel(sql_type = Binary)]
    body: Vec<u8>,
}

/// Deliveries in the order of their ids.
#[derive(Debug, Default)]
pub struct QueuedBatch {
    /// The deliveries.
    pub queued: Vec<Queued>,
    /// The batch is as large as allowed, so there may be more.
    pub is_full: bool,
}

/// Which deliveries [`take`] returns.
#[derive(Clone, Debug)]
pub struct QueueQuery {
    /// The highest number of deliveries.
    pub limit: usize,
    /// The highest number of bytes of bodies, which bounds the memory. One delivery is always allowed.
    pub bytes: usize,
    /// Only ids below this one.
    pub before: i64,
    /// Excludes this range of ids: the caller already has them.
    pub except: RangeInclusive<i64>,
}

impl QueueQuery {
    /// The oldest deliveries, within these limits.
    pub fn oldest(limit: usize, bytes: usize) -> Self {
        Self { limit, bytes, before: i64::MAX, except: 0..=0 }
    }
}

/// Reads the oldest deliveries that are due. They remain in the queue until [`done`].
pub fn take(conn: &mut Conn, now: Timestamp, wanted: &QueueQuery) -> QueryResult<QueuedBatch> {
    let QueueQuery { limit, bytes, before, except } = wanted;
    let due: Vec<(i64, i16, i32)> = inbox_queue::table
        .filter(inbox_queue::due_at.le(now.micros()).and(inbox_queue::inbox_id.lt(before)))
        .filter(not(inbox_queue::inbox_id.between(except.start(), except.end())))
        .order(inbox_queue::inbox_id)
        .select((inbox_queue::inbox_id, inbox_queue::attempts, inbox_queue::bytes))
        .limit(i64::try_from(*limit).unwrap_or(i64::MAX))
        .load(conn)?;
    let mut total = 0;
    let fitting = due.iter().take_while(|(_, _, size)| {
        let size = usize::try_from(*size).unwrap_or(0);
        let fits = total == 0 || total + size <= *bytes;
        total += size.max(1);
        fits
    });
    let fitting: Vec<(i64, i16)> = fitting.map(|(id, attempts, _)| (*id, *attempts)).collect();
    let is_full = due.len() >= *limit || fitting.len() < due.len();
    Ok(QueuedBatch { queued: stored(conn, &fitting)?, is_full })
}

/// Reads deliveries from the log, whatever their state: (id, number of attempts), in the order of ids.
pub fn stored(conn: &mut Conn, deliveries: &[(i64, i16)]) -> QueryResult<Vec<Queued>> {
    let mut rows: Vec<Row> = Rows::of(deliveries).integer("id", |(id, _)| *id).load(
        conn,
        "SELECT i.id, i.event_key, i.source, i.received_at, i.body FROM {rows} JOIN inbox i ON i.id = r.id",
    )?;
    rows.sort_unstable_by_key(|row| row.id);
    let queued = |Row { id: inbox_id, event_key, source, received_at, body }| {
        let place = deliveries.binary_search_by_key(&inbox_id, |(id, _)| *id).ok();
        let attempts = place.and_then(|place| deliveries.get(place)).map_or(0, |(_, attempts)| *attempts);
        let received_at = Timestamp::from_micros(received_at);
        Queued { inbox_id, event_key, source, attempts, received_at, body: body.into() }
    };
    Ok(rows.into_iter().map(queued).collect())
}

/// (id, source, body) of deliveries in any state, for a derivation that needs their content again.
pub fn bodies(conn: &mut Conn, inbox_ids: &[i64]) -> QueryResult<Vec<(i64, String, Vec<u8>)>> {
    let rows: Vec<Row> = Rows::of(inbox_ids).integer("id", |id| *id).load(
        conn,
        "SELECT i.id, i.event_key, i.source, i.received_at, i.body FROM {rows} JOIN inbox i ON i.id = r.id",
    )?;
    Ok(rows.into_iter().map(|row| (row.id, row.source, row.body)).collect())
}

/// Whether the delivery with this event id is not applied yet.
pub fn waits(conn: &mut Conn, source: &str, event_key: &str) -> QueryResult<bool> {
    let waiting: Option<i64> = inbox_queue::table
        .inner_join(inbox::table.on(inbox::id.eq(inbox_queue::inbox_id)))
        .filter(inbox::source.eq(source).and(inbox::event_key.eq(event_key)))
        .select(inbox_queue::inbox_id)
        .first(conn)
        .optional()?;
    Ok(waiting.is_some())
}

#[derive(QueryableByName)]
struct Named {
    #[diesel(sql_type = BigInt)]
    id: i64,
    #[diesel(sql_type = Text)]
    event_key: String,
    #[diesel(sql_type = BigInt)]
    received_at: i64,
}

/// (id, event key, time of reception) of deliveries in any state.
pub fn named(conn: &mut Conn, inbox_ids: &[i64]) -> QueryResult<Vec<(i64, String, Timestamp)>> {
    let rows: Vec<Named> = Rows::of(inbox_ids)
        .integer("id", |id| *id)
        .load(conn, "SELECT i.id, i.event_key, i.received_at FROM {rows} JOIN inbox i ON i.id = r.id")?;
    Ok(rows.into_iter().map(|row| (row.id, row.event_key, Timestamp::from_micros(row.received_at))).collect())
}

/// Adds new deliveries, due at once: (id, bytes of the body).
pub fn add(conn: &mut Conn, deliveries: &[(i64, i64)]) -> QueryResult<()> {
    let rows =
        Rows::of(deliveries).integer("id", |delivery| delivery.0).integer("bytes", |delivery| delivery.1);
    rows.execute(conn, "INSERT INTO inbox_queue (inbox_id, bytes) SELECT r.id, r.bytes FROM {rows}")?;
    Ok(())
}

#[derive(QueryableByName)]
struct Done {
    #[diesel(sql_type = BigInt)]
    inbox_id: i64,
}

/// Removes deliveries that are applied or dead letters, in the transaction of their changes. Returns those that were in the
/// queue. The ids of a batch are neighbours, so one range of the index is read; IS TRUE prevents a join with one look-up
/// for each id on PostgreSQL.
pub fn done(conn: &mut Conn, inbox_ids: &[i64]) -> QueryResult<Vec<i64>> {
    let done: Vec<Done> = Rows::of(inbox_ids).integer("id", |id| *id).load(
        conn,
        "WITH given AS (SELECT r.id FROM {rows}) DELETE FROM inbox_queue \
         WHERE inbox_id BETWEEN (SELECT MIN(id) FROM given) AND (SELECT MAX(id) FROM given) \
         AND (inbox_id IN (SELECT id FROM given)) IS TRUE RETURNING inbox_id",
    )?;
    Ok(done.into_iter().map(|row| row.inbox_id).collect())
}

/// Makes a delivery wait until `due_at`, and records its attempts.
pub fn postpone(conn: &mut Conn, inbox_id: i64, attempts: i16, due_at: Timestamp) -> QueryResult<()> {
    diesel::update(inbox_queue::table.find(inbox_id))
        .set((inbox_queue::attempts.eq(attempts), inbox_queue::due_at.eq(due_at.micros())))
        .execute(conn)?;
    Ok(())
}

/// Puts stored deliveries into the queue, due at once.
pub fn enqueue(conn: &mut Conn, inbox_ids: &[i64]) -> QueryResult<()> {
    Rows::of(inbox_ids).integer("id", |id| *id).execute(
        conn,
        "INSERT INTO inbox_queue (inbox_id, bytes) SELECT i.id, length(i.body) FROM {rows} \
         JOIN inbox i ON i.id = r.id WHERE true ON CONFLICT (inbox_id) DO UPDATE SET due_at = 0",
    )?;
    Ok(())
}

/// How many deliveries are in the queue, and when the oldest was received.
pub fn backlog(conn: &mut Conn) -> QueryResult<(i64, Option<Timestamp>)> {
    let waiting: i64 = inbox_queue::table.count().get_result(conn)?;
    Ok((waiting, oldest(conn)?.map(|(_, received_at)| received_at)))
}

/// The oldest delivery in the queue: (id, time of reception).
pub fn oldest(conn: &mut Conn) -> QueryResult<Option<(i64, Timestamp)>> {
    let oldest: Option<(i64, i64)> = inbox_queue::table
        .inner_join(inbox::table.on(inbox::id.eq(inbox_queue::inbox_id)))
        .order(inbox_queue::inbox_id)
        .select((inbox::id, inbox::received_at))
        .first(conn)
        .optional()?;
    Ok(oldest.map(|(id, received_at)| (id, Timestamp::from_micros(received_at))))
}

/// The newest delivery in the queue.
pub fn newest(conn: &mut Conn) -> QueryResult<Option<i64>> {
    inbox_queue::table.select(diesel::dsl::max(inbox_queue::inbox_id)).first(conn)
}

/// How many deliveries with ids up to `newest` are due.
pub fn due_until(conn: &mut Conn, newest: i64, now_micros: i64) -> QueryResult<i64> {
    let due = inbox_queue::table
        .filter(inbox_queue::inbox_id.le(newest))
        .filter(inbox_queue::due_at.le(now_micros));
    due.count().get_result(conn)
}
