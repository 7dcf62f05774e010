//! Reads records in order.

use diesel::{
    QueryResult, QueryableByName,
    sql_types::{BigInt, Nullable, Text},
};
use serde::Serialize;
use serde_json::Value;

use super::head::{self, FeedHead};
use crate::db::{Conn, Database, DbError, bulk::Rows, time_as_text};

/// A record of the feed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Record {
    /// Its number.
    pub seq: i64,
    /// The time of the transaction, in the form of RFC 3339.
    pub at: String,
    /// The tenant.
    pub tenant_id: String,
    /// One of [`super::kinds`].
    pub kind: String,
    /// The key of the row without the tenant.
    pub subject: Value,
    /// The other columns before; null if there was no row.
    pub before: Value,
    /// The other columns afterwards; null if there is no row.
    pub after: Value,
    /// The cause.
    pub cause: Value,
}

/// Records of a page, and where the next page begins.
#[derive(Clone, Debug, PartialEq)]
pub struct FeedPage {
    /// In order.
    pub records: Vec<Record>,
    /// The next record to read.
    pub next: i64,
    /// There may be more records now.
    pub is_full: bool,
}

/// Why no records can be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The records were deleted.
    #[error(
        "the records before {first_seq} are no longer stored, and {from} was asked for: read the tables again, then continue with --from {first_seq} or later (docs/changes.md)"
    )]
    Trimmed {
        /// The record that was asked for.
        from: i64,
        /// The first one that is there.
        first_seq: i64,
    },
    /// The database failed.
    #[error("{0}")]
    Database(#[from] DbError),
}

impl From<diesel::result::Error> for ReadError {
    fn from(error: diesel::result::Error) -> Self {
        Self::Database(error.into())
    }
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = BigInt)]
    seq: i64,
    #[diesel(sql_type = Text)]
    at: String,
    #[diesel(sql_type = Text)]
    tenant_id: String,
    #[diesel(sql_type = Text)]
    kind: String,
    #[diesel(sql_type = Text)]
    subject: String,
    #[diesel(sql_type = Nullable<Text>)]
    before: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    after: Option<String>,
    #[diesel(sql_type = Text)]
    cause: String,
}

/// The next records from `from` on, of one tenant or of all.
pub fn page(
    database: &Database,
    from: i64,
    tenant: Option<&str>,
    limit: usize,
) -> Result<FeedPage, ReadError> {
    // One snapshot, so that no record is deleted between the check and the read.
    database.snapshot(|conn| {
        let ends = head::get(conn)?;
        if from < ends.first_seq && ends.first_seq > 1 {
            return Err(ReadError::Trimmed { from, first_seq: ends.first_seq });
        }
        Ok(within(conn, from, ends, tenant, limit)?)
    })
}

/// The records with these numbers that are stored, in order.
pub fn these(conn: &mut Conn, seqs: &[i64]) -> QueryResult<Vec<Record>> {
    let at = time_as_text(conn, "c.at");
    let rows: Vec<Row> = Rows::of(seqs).integer("wanted", |seq| *seq).load(
        conn,
        &format!("SELECT c.seq, {at} AS at, {COLUMNS} FROM {{rows}} JOIN changes c ON c.seq = r.wanted"),
    )?;
    let mut records: Vec<Record> = rows.into_iter().map(record).collect();
    records.sort_by_key(|record| record.seq);
    Ok(records)
}

const COLUMNS: &str = "c.tenant_id, c.kind, CAST(c.subject AS text) AS subject, CAST(c.before AS text) AS before, \
     CAST(c.after AS text) AS after, CAST(c.cause AS text) AS cause";

fn within(
    conn: &mut Conn,
    from: i64,
    ends: FeedHead,
    tenant: Option<&str>,
    limit: usize,
) -> QueryResult<FeedPage> {
    let at = time_as_text(conn, "c.at");
    // A tenant's records are between those of the others, so the page ends at a number and not after a count.
    let last = from.saturating_add(i64::try_from(limit).unwrap_or(i64::MAX) - 1).min(ends.seq);
    let rows: Vec<Row> = Rows::of(&[(from, last, tenant.unwrap_or_default())])
        .integer("first", |one| one.0)
        .integer("last", |one| one.1)
        .text("tenant", |one| one.2)
        .load(
            conn,
            &format!(
                "SELECT c.seq, {at} AS at, {COLUMNS} FROM {{rows}} JOIN changes c ON c.seq >= r.first AND c.seq <= r.last \
                 WHERE r.tenant = '' OR c.tenant_id = r.tenant ORDER BY c.seq"
            ),
        )?;
    Ok(FeedPage {
        records: rows.into_iter().map(record).collect(),
        next: (last + 1).max(from),
        is_full: last < ends.seq,
    })
}

fn record(row: Row) -> Record {
    // rosterd has written it as JSON.
    let json = |text: Option<String>| -> Value {
        text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default()
    };
    Record {
        seq: row.seq,
        at: row.at,
        tenant_id: row.tenant_id,
        kind: row.kind,
        subject: json(Some(row.subject)),
        before: json(row.before),
        after: json(row.after),
        cause: json(Some(row.cause)),
    }
}
