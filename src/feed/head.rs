//! Table `changes_head`: one row with the `seq` of the newest record and of the first that is still there.

use diesel::{
    QueryResult, QueryableByName, RunQueryDsl, sql_query,
    sql_types::{BigInt, Text},
};

use crate::{
    db::{Conn, bulk::Rows, on_each, time_as_text},
    runtime::clock::Timestamp,
};

/// The ends of the feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, QueryableByName)]
pub struct FeedHead {
    /// The newest record; 0 before the first.
    #[diesel(sql_type = BigInt)]
    pub seq: i64,
    /// The first record that is still there, or the next one if there is none.
    #[diesel(sql_type = BigInt)]
    pub first_seq: i64,
}

/// The ends of the feed now.
pub fn get(conn: &mut Conn) -> QueryResult<FeedHead> {
    let found: Vec<FeedHead> =
        on_each!(conn, |c| sql_query("SELECT seq, first_seq FROM changes_head").load(c))?;
    Ok(found.into_iter().next().unwrap_or(FeedHead { seq: 0, first_seq: 1 }))
}

/// Reserves the next `count` numbers. Returns the last of them, and the time of the records: `at`, or the time of the
/// newest record if that is later, so that times rise with `seq`.
///
/// The row stays locked until the transaction ends. So another transaction gets its numbers after this one is visible, or
/// after it is rolled back, which gives the numbers back.
pub(super) fn advance(conn: &mut Conn, count: i64, at: Timestamp) -> QueryResult<(i64, Timestamp)> {
    #[derive(QueryableByName)]
    struct Reserved {
        #[diesel(sql_type = BigInt)]
        seq: i64,
        #[diesel(sql_type = Text)]
        at: String,
    }
    let time = time_as_text(conn, "changes_head.at");
    let reserved: Vec<Reserved> = Rows::of(&[(count, at)])
        .integer("count", |row| row.0)
        .time("at", |row| Some(row.1))
        .load(
            conn,
            &format!(
                "INSERT INTO changes_head (id, seq, first_seq, at) SELECT 1, r.count, 1, r.at FROM {{rows}} WHERE true \
                 ON CONFLICT (id) DO UPDATE SET seq = changes_head.seq + excluded.seq, \
                 at = CASE WHEN changes_head.at > excluded.at THEN changes_head.at ELSE excluded.at END \
                 RETURNING seq, {time} AS at"
            ),
        )?;
    let reserved = reserved.into_iter().next().ok_or(diesel::NotFound)?;
    Ok((reserved.seq, Timestamp::parse(&reserved.at).unwrap_or(at)))
}

/// Stores the first record that is still there.
pub(super) fn begin_at(conn: &mut Conn, first_seq: i64) -> QueryResult<()> {
    Rows::of(&[first_seq]).integer("first_seq", |seq| *seq).execute(
        conn,
        "UPDATE changes_head SET first_seq = r.first_seq FROM {rows} WHERE changes_head.id = 1",
    )?;
    Ok(())
}
