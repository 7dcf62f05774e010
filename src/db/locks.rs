//! How long the serialized transaction waits for a row that the application has locked. All tenants wait for that
//! transaction, so the wait is short: a change of a locked row is tried again later, and other changes are applied.

use std::time::Duration;

use diesel::{QueryResult, connection::SimpleConnection};

use super::Conn;

/// How long a statement of a batch waits for a locked row.
pub const IN_A_BATCH: Duration = Duration::from_millis(250);
/// The same for one event at a time, after its batch has failed. It is shorter, because a batch may have many such events.
pub const ALONE: Duration = Duration::from_millis(100);

/// Limits the wait for row locks until the end of the transaction. Called inside the serialized transaction, so it does not
/// limit the wait for that transaction. SQLite has no row locks.
pub fn wait_for_rows(conn: &mut Conn, longest: Duration) -> QueryResult<()> {
    match conn {
        Conn::Sqlite(_) => Ok(()),
        Conn::Postgres(conn) => {
            conn.batch_execute(&format!("SET LOCAL lock_timeout = {}", longest.as_millis()))
        }
    }
}
