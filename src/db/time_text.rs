//! Times of native columns as texts, in one form on both databases.

use super::Conn;

/// A time column in the text form that SQLite stores and [`crate::runtime::clock::Timestamp`] reads.
pub fn time_as_text(conn: &Conn, column: &str) -> String {
    if matches!(conn, Conn::Postgres(_)) { postgres_time(column) } else { column.to_owned() }
}

/// The same on PostgreSQL.
pub fn postgres_time(column: &str) -> String {
    format!("to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')")
}
