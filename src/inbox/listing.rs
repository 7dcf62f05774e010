//! Reads the log for operators: a list, and one delivery with its body.

use diesel::{
    ExpressionMethods, OptionalExtension, QueryDsl, QueryResult, QueryableByName, RunQueryDsl, sql_query,
    sql_types::{BigInt, Nullable, SmallInt, Text},
};

use crate::{
    db::{Conn, on_each, schema::inbox},
    runtime::clock::Timestamp,
};

/// The state of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum DeliveryState {
    /// It waits in the queue.
    Pending,
    /// It was applied.
    Applied,
    /// It has no effect on directories.
    Ignored,
    /// It is a dead letter.
    Dead,
    /// It is a dead letter that an operator discarded.
    Discarded,
}

impl DeliveryState {
    fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Applied => "applied",
            Self::Ignored => "ignored",
            Self::Dead => "dead",
            Self::Discarded => "discarded",
        }
    }
}

/// One row of `rosterd inbox list`.
#[derive(Clone, Debug, QueryableByName)]
pub struct ListedDelivery {
    /// The delivery's number.
    #[diesel(sql_type = BigInt)]
    pub id: i64,
    /// The broker's name.
    #[diesel(sql_type = Text)]
    pub source: String,
    /// The event's id.
    #[diesel(sql_type = Text)]
    pub event: String,
    /// The event's type.
    #[diesel(sql_type = Text)]
    pub kind: String,
    /// See [`DeliveryState`].
    #[diesel(sql_type = Text)]
    pub state: String,
    /// How often it was tried.
    #[diesel(sql_type = SmallInt)]
    pub attempts: i16,
    /// When it was received; microseconds.
    #[diesel(sql_type = BigInt)]
    pub received_at: i64,
    /// Why it is a dead letter.
    #[diesel(sql_type = Nullable<Text>)]
    pub reason: Option<String>,
    /// The sentence that explains the reason.
    #[diesel(sql_type = Nullable<Text>)]
    pub detail: Option<String>,
    /// The time of the next automatic attempt, of a dead letter that has one; microseconds.
    #[diesel(sql_type = Nullable<BigInt>)]
    pub retry_at: Option<i64>,
}

impl ListedDelivery {
    /// When it was received.
    pub fn received_at(&self) -> Timestamp {
        Timestamp::from_micros(self.received_at)
    }

    /// The next automatic attempt, of a dead letter that has one.
    pub fn next_attempt(&self) -> Option<Timestamp> {
        self.retry_at.map(Timestamp::from_micros)
    }
}

const ENTRIES: &str = "SELECT * FROM (\
     SELECT i.id, i.source, i.event_key AS event, i.kind, i.received_at, \
     CASE WHEN d.discarded_at IS NOT NULL THEN 'discarded' WHEN d.inbox_id IS NOT NULL THEN 'dead' \
     WHEN q.inbox_id IS NOT NULL THEN 'pending' WHEN i.disposition = 1 THEN 'ignored' ELSE 'applied' END AS state, \
     CAST(COALESCE(d.attempts, q.attempts, 0) AS smallint) AS attempts, d.reason, \
     COALESCE(d.discard_reason, d.detail) AS detail, d.retry_at \
     FROM inbox i LEFT JOIN inbox_queue q ON q.inbox_id = i.id LEFT JOIN dead_letters d ON d.inbox_id = i.id) e";

/// Deliveries, the newest first; of one state or all.
pub fn list(conn: &mut Conn, state: Option<DeliveryState>, limit: i64) -> QueryResult<Vec<ListedDelivery>> {
    let filter = state.map_or(String::new(), |state| format!(" WHERE state = '{}'", state.name()));
    let sql = format!("{ENTRIES}{filter} ORDER BY id DESC LIMIT {limit}");
    on_each!(conn, |c| sql_query(&sql).load(c))
}

/// One delivery with its body; `None` when there is no such delivery.
pub fn show(conn: &mut Conn, id: i64) -> QueryResult<Option<(ListedDelivery, Vec<u8>)>> {
    let sql = format!("{ENTRIES} WHERE id = {id}");
    let entry: Option<ListedDelivery> = on_each!(conn, |c| sql_query(&sql).get_result(c)).optional()?;
    let Some(entry) = entry else { return Ok(None) };
    let body = inbox::table.filter(inbox::id.eq(id)).select(inbox::body).first(conn)?;
    Ok(Some((entry, body)))
}

/// Whether the log is empty: nothing was ever delivered, or retention has deleted it all.
pub fn is_empty(conn: &mut Conn) -> QueryResult<bool> {
    let first: Option<i64> = inbox::table.select(inbox::id).limit(1).first(conn).optional()?;
    Ok(first.is_none())
}

/// When the newest delivery was received.
pub fn newest(conn: &mut Conn) -> QueryResult<Option<Timestamp>> {
    let received_at: Option<i64> =
        inbox::table.order(inbox::id.desc()).select(inbox::received_at).first(conn).optional()?;
    Ok(received_at.map(Timestamp::from_micros))
}
