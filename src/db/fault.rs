//! The cause of a failure: the database or the data. It decides whether a delivery is tried again or becomes a dead letter.
//!
//! diesel distinguishes a few kinds and gives neither PostgreSQL's SQLSTATE nor SQLite's code. For the other kinds, the text
//! of the message decides. Texts depend on the server's language, so an unknown text counts against no delivery until
//! `probe` has shown that the database works.

use diesel::result::{DatabaseErrorKind as Kind, Error};

use super::DbError;

/// The cause of a failed statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The database cannot work now: it is away, stopping, full, read-only or locked. The failure is not counted as an
    /// attempt of the delivery (promise 5).
    Database,
    /// Another transaction has locked a row. The statement is tried again soon, and no attempt is counted.
    Busy,
    /// The database or the data: tried again a limited number of times.
    Unclear,
    /// The database refuses the data. Another attempt would fail too.
    Data,
}

impl DbError {
    /// The cause of the error.
    pub fn fault(&self) -> Fault {
        match self {
            Self::Unreachable(_) | Self::Closed(_) => Fault::Database,
            Self::Query(error) => of_query(error),
        }
    }
}

fn of_query(error: &Error) -> Fault {
    match error {
        Error::DatabaseError(kind, info) => match kind {
            Kind::ClosedConnection | Kind::ReadOnlyTransaction | Kind::SerializationFailure => {
                Fault::Database
            }
            Kind::Unknown => of_message(info.message()),
            _ => Fault::Data,
        },
        Error::BrokenTransactionManager => Fault::Database,
        Error::RollbackErrorOnCommit { commit_error, .. } => of_query(commit_error),
        _ => Fault::Data,
    }
}

/// How messages of PostgreSQL and libpq begin when the server starts or stops, a connection broke, or disk, memory or
/// connections are exhausted. Only beginnings count, because an application's trigger may mention disks too (lesson 16).
const POSTGRES: [&str; 16] = [
    "terminating connection due to",
    "server closed the connection unexpectedly",
    "no connection to the server",
    "connection not open",
    "could not receive data from server",
    "could not send data to server",
    "SSL connection has been closed unexpectedly",
    "SSL SYSCALL error",
    "the database system is ",
    "sorry, too many clients already",
    "remaining connection slots are reserved",
    "could not extend file \"",
    "could not write to file \"",
    "could not write block ",
    "could not fsync file \"",
    "out of shared memory",
];

/// The complete messages of SQLite.
const SQLITE: [&str; 6] = [
    "database or disk is full",
    "disk I/O error",
    "database is locked",
    "attempt to write a readonly database",
    "unable to open database file",
    "out of memory",
];

const BUSY: [&str; 2] =
    ["canceling statement due to lock timeout", "canceling statement due to statement timeout"];

const DATA: [&str; 10] = [
    "invalid byte sequence",
    "invalid input syntax",
    "unsupported Unicode escape",
    "out of range",
    "value too long",
    "index row size",
    "index row requires",
    "malformed JSON",
    "datatype mismatch",
    "string or blob too big",
];

fn of_message(message: &str) -> Fault {
    if DATA.iter().any(|part| message.contains(part)) {
        Fault::Data
    } else if SQLITE.contains(&message) || POSTGRES.iter().any(|begin| message.starts_with(begin)) {
        Fault::Database
    } else if BUSY.contains(&message) {
        Fault::Busy
    } else {
        Fault::Unclear
    }
}
