//! Checks whether a connection has a server process of its own. A pooler in transaction mode assigns a server process for
//! one transaction only, but rosterd needs its settings and prepared statements in all its transactions.
//!
//! Two connections compare their server processes in turn. Each lock of the check ends with its transaction, and
//! no setting and no prepared statement remains on a server.

use std::{sync::mpsc, time::Duration};

use diesel::{
    Connection, PgConnection, QueryResult, QueryableByName, RunQueryDsl,
    connection::SimpleConnection,
    sql_query,
    sql_types::{Bool, Integer},
};

use super::{
    conn::ConnectError,
    server_check::{Unsuitable, of_server},
};

/// The time limit of the check: a pooler without a free server process lets the second connection wait.
const BOUND: Duration = Duration::from_secs(10);

/// Another program on the same pool may take a server process between two transactions. Three rounds make a wrong result
/// unlikely.
const ROUNDS: usize = 3;

/// The first key of the advisory locks of the check. The second key is the id of the server process that holds the lock.
const CLASS: i32 = 0x726f_7374;

/// Checks the server with `first` and a second connection, which is closed afterwards. Returns `first`.
pub(super) fn look(
    first: PgConnection,
    open: impl FnOnce() -> Result<PgConnection, ConnectError> + Send + 'static,
) -> Result<PgConnection, ConnectError> {
    let (sender, answer) = mpsc::sync_channel(1);
    let look = move || {
        let outcome = by_both(first, open);
        drop(sender.send(outcome));
    };
    std::thread::Builder::new().name("look".to_owned()).spawn(look).map_err(ConnectError::Thread)?;
    answer.recv_timeout(BOUND).unwrap_or(Err(ConnectError::NoSecond(BOUND)))
}

fn by_both(
    mut first: PgConnection,
    open: impl FnOnce() -> Result<PgConnection, ConnectError>,
) -> Result<PgConnection, ConnectError> {
    first
        .batch_execute("BEGIN")
        .and_then(|()| first.batch_execute("ROLLBACK"))
        .map_err(ConnectError::AtBegin)?;
    let wrong = first.transaction(of_server)?;
    if let Some(wrong) = wrong {
        return Err(wrong.into());
    }
    let mut second = open()?;
    match sharing(&mut first, &mut second)? {
        Some(wrong) => Err(wrong.into()),
        None => Ok(first),
    }
}

#[derive(QueryableByName)]
struct Process {
    #[diesel(sql_type = Integer)]
    pid: i32,
}

#[derive(QueryableByName)]
struct Tried {
    #[diesel(sql_type = Integer)]
    pid: i32,
    #[diesel(sql_type = Bool)]
    free: bool,
}

fn sharing(first: &mut PgConnection, second: &mut PgConnection) -> QueryResult<Option<Unsuitable>> {
    let pid = "SELECT pg_backend_pid() AS pid";
    let mut seen = first.transaction(|first| sql_query(pid).get_result::<Process>(first))?.pid;
    for _ in 0..ROUNDS {
        let found = second.transaction(|second| {
            let theirs = sql_query(pid).get_result::<Process>(second)?.pid;
            if theirs == seen {
                return Ok(Some(Unsuitable::TransactionPooling));
            }
            sql_query("SELECT pg_advisory_xact_lock($1, $2)")
                .bind::<Integer, _>(CLASS)
                .bind::<Integer, _>(theirs)
                .execute(second)?;
            let tried: Tried = first.transaction(|first| {
                sql_query("SELECT pg_backend_pid() AS pid, pg_try_advisory_xact_lock($1, $2) AS free")
                    .bind::<Integer, _>(CLASS)
                    .bind::<Integer, _>(theirs)
                    .get_result(first)
            })?;
            let before = std::mem::replace(&mut seen, tried.pid);
            Ok::<_, diesel::result::Error>(judge(before, theirs, &tried))
        })?;
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

/// `before` is the earlier process of the first connection. `theirs` is the process of the second one, which holds the
/// lock.
fn judge(before: i32, theirs: i32, tried: &Tried) -> Option<Unsuitable> {
    if tried.pid != before || tried.pid == theirs {
        Some(Unsuitable::TransactionPooling)
    } else if tried.free {
        Some(Unsuitable::NoLocks)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_its_own_when_its_process_stays_and_locks_are_seen() {
        let judged = |pid, free| judge(10, 20, &Tried { pid, free });

        assert_eq!(judged(10, false), None);
        assert_eq!(judged(30, false), Some(Unsuitable::TransactionPooling));
        assert_eq!(judged(20, true), Some(Unsuitable::TransactionPooling));
        assert_eq!(judged(10, true), Some(Unsuitable::NoLocks));
    }
}
