//! Table `endpoint_attempts`: failed attempts, and the successes that ended them. It has ids of records and no personal data.

use diesel::{
    QueryResult, QueryableByName,
    sql_types::{BigInt, Text},
};

use crate::{
    db::{Conn, bulk::Rows},
    runtime::clock::Timestamp,
};

/// Attempts of an endpoint that are stored.
const MOST: i64 = 1_000;

/// A request, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, QueryableByName)]
pub struct Attempt {
    #[diesel(sql_type = BigInt)]
    at: i64,
    /// The number of the record.
    #[diesel(sql_type = BigInt)]
    pub seq: i64,
    /// The status, or why there is none.
    #[diesel(sql_type = Text)]
    pub outcome: String,
    /// The time until the end of the answer.
    #[diesel(sql_type = BigInt)]
    pub duration_ms: i64,
}

impl Attempt {
    /// An attempt that ended at this time.
    pub fn new(at: Timestamp, seq: i64, outcome: String, duration_ms: i64) -> Self {
        Self { at: at.micros(), seq, outcome, duration_ms }
    }

    /// The time of its end.
    pub fn at(&self) -> Timestamp {
        Timestamp::from_micros(self.at)
    }
}

/// The attempts of an endpoint, the newest first.
pub fn of(conn: &mut Conn, endpoint_id: &str) -> QueryResult<Vec<Attempt>> {
    Rows::of(&[endpoint_id]).text("id", |id| id).load(
        conn,
        "SELECT a.at, a.seq, a.outcome, a.duration_ms FROM {rows} \
         JOIN endpoint_attempts a ON a.endpoint_id = r.id ORDER BY a.at DESC, a.seq DESC",
    )
}

/// Removes all attempts of an endpoint.
pub(super) fn remove_all(conn: &mut Conn, endpoint_id: &str) -> QueryResult<()> {
    Rows::of(&[endpoint_id]).text("endpoint_id", |id| id).execute(
        conn,
        "DELETE FROM endpoint_attempts WHERE endpoint_id IN (SELECT r.endpoint_id FROM {rows})",
    )?;
    Ok(())
}

/// Stores attempts, and deletes the oldest ones above the limit.
pub(super) fn add(conn: &mut Conn, endpoint_id: &str, attempts: &[Attempt]) -> QueryResult<()> {
    if attempts.is_empty() {
        return Ok(());
    }
    Rows::of(attempts)
        .text("endpoint_id", |_| endpoint_id)
        .integer("at", |attempt| attempt.at)
        .integer("seq", |attempt| attempt.seq)
        .text("outcome", |attempt| &attempt.outcome)
        .integer("duration_ms", |attempt| attempt.duration_ms)
        .execute(
            conn,
            "INSERT INTO endpoint_attempts (endpoint_id, at, seq, outcome, duration_ms) \
             SELECT r.endpoint_id, r.at, r.seq, r.outcome, r.duration_ms FROM {rows} WHERE true \
             ON CONFLICT (endpoint_id, at, seq) DO NOTHING",
        )?;
    Rows::of(&[endpoint_id]).text("endpoint_id", |id| id).execute(
        conn,
        &format!(
            "DELETE FROM endpoint_attempts WHERE endpoint_id IN (SELECT r.endpoint_id FROM {{rows}} \
             WHERE endpoint_attempts.at < (SELECT a.at FROM endpoint_attempts a WHERE a.endpoint_id = r.endpoint_id \
             ORDER BY a.at DESC LIMIT 1 OFFSET {}))",
            MOST - 1
        ),
    )?;
    Ok(())
}
