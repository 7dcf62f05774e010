//! Table `endpoint_waiting`: records that an endpoint did not take, and later ones of the same lane.

use diesel::{
    QueryResult, QueryableByName,
    sql_types::{BigInt, Nullable, Text},
};

use crate::{
    db::{Conn, bulk::Rows},
    runtime::clock::Timestamp,
};

/// A row without the endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq, QueryableByName)]
pub struct Waiting {
    /// The number of the record.
    #[diesel(sql_type = BigInt)]
    pub seq: i64,
    /// Its lane.
    #[diesel(sql_type = Text)]
    pub lane: String,
    /// Failed attempts.
    #[diesel(sql_type = BigInt)]
    pub attempts: i64,
    /// When it began to wait for a failure, its own or that of an earlier record; microseconds since 1970.
    #[diesel(sql_type = Nullable<BigInt>)]
    pub since: Option<i64>,
    /// When it is sent again. Only the first record of a lane has it.
    #[diesel(sql_type = Nullable<BigInt>)]
    pub due_at: Option<i64>,
}

impl Waiting {
    pub(super) fn since(&self) -> Option<Timestamp> {
        self.since.map(Timestamp::from_micros)
    }

    pub(super) fn due_at(&self) -> Option<Timestamp> {
        self.due_at.map(Timestamp::from_micros)
    }
}

/// All rows of an endpoint, in order.
pub fn of(conn: &mut Conn, endpoint_id: &str) -> QueryResult<Vec<Waiting>> {
    Rows::of(&[endpoint_id]).text("id", |id| id).load(
        conn,
        "SELECT w.seq, w.lane, w.attempts, w.since, w.due_at FROM {rows} \
         JOIN endpoint_waiting w ON w.endpoint_id = r.id ORDER BY w.seq",
    )
}

/// For each endpoint with rows: its id, their number, and the first record.
pub fn counts(conn: &mut Conn) -> QueryResult<Vec<(String, i64, i64)>> {
    #[derive(QueryableByName)]
    struct Count {
        #[diesel(sql_type = Text)]
        endpoint_id: String,
        #[diesel(sql_type = BigInt)]
        waiting: i64,
        #[diesel(sql_type = BigInt)]
        first: i64,
    }
    let counts: Vec<Count> = Rows::of(&[0_i64]).integer("one", |one| *one).load(
        conn,
        "SELECT w.endpoint_id, count(*) AS waiting, min(w.seq) AS first FROM {rows} \
         CROSS JOIN endpoint_waiting w GROUP BY w.endpoint_id",
    )?;
    Ok(counts.into_iter().map(|count| (count.endpoint_id, count.waiting, count.first)).collect())
}

/// Stores new and changed rows.
pub(super) fn put(conn: &mut Conn, endpoint_id: &str, rows: &[Waiting]) -> QueryResult<()> {
    Rows::of(rows)
        .text("endpoint_id", |_| endpoint_id)
        .integer("seq", |row| row.seq)
        .text("lane", |row| &row.lane)
        .integer("attempts", |row| row.attempts)
        .optional_integer("since", |row| row.since)
        .optional_integer("due_at", |row| row.due_at)
        .execute(
            conn,
            "INSERT INTO endpoint_waiting (endpoint_id, seq, lane, attempts, since, due_at) \
             SELECT r.endpoint_id, r.seq, r.lane, r.attempts, r.since, r.due_at FROM {rows} WHERE true \
             ON CONFLICT (endpoint_id, seq) DO UPDATE SET attempts = excluded.attempts, since = excluded.since, \
             due_at = excluded.due_at",
        )?;
    Ok(())
}

/// Removes the rows of these records.
pub(super) fn remove(conn: &mut Conn, endpoint_id: &str, seqs: &[i64]) -> QueryResult<()> {
    Rows::of(seqs).text("endpoint_id", |_| endpoint_id).integer("seq", |seq| *seq).execute(
        conn,
        "DELETE FROM endpoint_waiting WHERE (endpoint_id, seq) IN (SELECT r.endpoint_id, r.seq FROM {rows})",
    )?;
    Ok(())
}

/// Removes the rows from this record on.
pub(super) fn remove_from(conn: &mut Conn, endpoint_id: &str, seq: i64) -> QueryResult<()> {
    Rows::of(&[seq]).text("endpoint_id", |_| endpoint_id).integer("seq", |seq| *seq).execute(
        conn,
        "DELETE FROM endpoint_waiting WHERE endpoint_id IN (SELECT r.endpoint_id FROM {rows} \
         WHERE endpoint_waiting.seq >= r.seq)",
    )?;
    Ok(())
}
