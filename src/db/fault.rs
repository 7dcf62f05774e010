//! Whose fault a failure is, which decides what becomes of the work in hand.
//!
//! diesel tells a few kinds apart and gives neither PostgreSQL's SQLSTATE nor SQLite's code. Some of the rest is known by
//! the words of the message. Words depend on the server's language, so they only spare a trial: what is unclear is held
//! against nobody before `probe` has shown that the database works.

use diesel::result::{DatabaseErrorKind as Kind, Error};

use super::DbError;

/// To what a failed statement is attributed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The database cannot work now, whatever it is asked: away, stopping, full, read-only, locked. Nothing is to be
    /// counted against what was asked (promise 5).
    Database,
    /// A row is locked by somebody else: what was asked is asked again soon, and nothing is counted against it.
    Busy,
    /// Perhaps the database's, perhaps the statement's: worth trying again a bounded number of times.
    Unclear,
    /// What was asked is refused, and will be.
    Data,
}

impl DbError {
    /// To what the error is attributed.
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

/// How PostgreSQL and libpq begin: a server on its way up or down, a line that broke, room that others took, a lock that
/// others hold. Only beginnings count, as a host's own trigger may speak of locks and disks too (lesson 16).
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

/// All that SQLite says.
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
