//! Whose fault a failure is, which decides what becomes of the work in hand.
//!
//! diesel tells a few kinds apart and gives neither PostgreSQL's SQLSTATE nor SQLite's code; the rest is told by the
//! words of the message.

use diesel::result::{DatabaseErrorKind as Kind, Error};

use super::DbError;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The database cannot work now, whatever it is asked: away, stopping, full, read-only, locked. Nothing is to be
    /// counted against what was asked (promise 5).
    Database,
    /// Perhaps the database's, perhaps the statement's: worth trying again a bounded number of times.
    Unclear,
    /// What was asked is refused, and will be.
    Data,
}

impl DbError {
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

/// A lock that others hold, room that others took, a server on its way up or down.
const DATABASE: [&str; 22] = [
    // PostgreSQL
    "terminating connection",
    "server closed the connection",
    "no connection to the server",
    "connection not open",
    "could not receive data from server",
    "could not send data to server",
    "SSL connection has been closed",
    "SSL SYSCALL error",
    "the database system is",
    "too many clients",
    "connection slots",
    "No space left on device",
    "could not extend file",
    "could not write",
    "could not fsync",
    "out of memory",
    "lock timeout",
    // SQLite
    "database or disk is full",
    "disk I/O error",
    "is locked",
    "attempt to write a readonly database",
    "unable to open database file",
];

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

/// The words of the data come first: they may be quoted in the message, a name of a disk never is.
fn of_message(message: &str) -> Fault {
    let says = |parts: &[&str]| parts.iter().any(|part| message.contains(part));
    if says(&DATA) {
        Fault::Data
    } else if says(&DATABASE) {
        Fault::Database
    } else {
        Fault::Unclear
    }
}
