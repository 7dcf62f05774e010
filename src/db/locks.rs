//! How long the serialized transaction waits for a row that the host has locked. All tenants wait for that transaction, so
//! the wait is short: a change of a locked row is tried again later, and the others go on.

use std::time::Duration;

use diesel::{QueryResult, connection::SimpleConnection};

use super::Conn;

/// How long a batch waits for a locked row.
pub const IN_A_BATCH: Duration = Duration::from_millis(250);
/// One at a time, after a batch has failed: there may be many.
pub const ALONE: Duration = Duration::from_millis(100);

/// Holds to the end of the transaction, so the wait for the serialized transaction itself is not cut short. SQLite locks the
/// whole file and no rows.
pub fn wait_for_rows(conn: &mut Conn, longest: Duration) -> QueryResult<()> {
    match conn {
        Conn::Sqlite(_) => Ok(()),
        Conn::Postgres(conn) => {
            conn.batch_execute(&format!("SET LOCAL lock_timeout = {}", longest.as_millis()))
        }
    }
}
