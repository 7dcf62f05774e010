//! The file of a SQLite database: only this user can read it, and one process at a time serves it. The lock ends with the
//! process, so a crash leaves no stale lock.

use std::{
    fs::{File, TryLockError},
    io,
    path::{Path, PathBuf},
};

use parking_lot::Mutex;

use super::Url;
use crate::runtime::private_files;

/// Creates the empty file with private permissions, before SQLite opens it. SQLite gives `-wal` and `-shm` the same mode.
///
/// POSIX locks: when a process closes any handle of a file, it loses all its locks on that file, including SQLite's. So an
/// existing file is never opened here, and the mutex stops other connections from opening the file before this handle
/// is closed.
pub(super) fn make(path: &str) -> io::Result<()> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _one = ONE_AT_A_TIME.lock();
    private_files::create_new(Path::new(path)).map(drop)
}

/// Why this process may not serve the file.
#[derive(Debug, thiserror::Error)]
pub enum ServedError {
    #[error(
        "another rosterd serves {0} already, and two on one SQLite file would do everything twice: stop it, or use PostgreSQL for several processes"
    )]
    /// Another process serves the file.
    Twice(Url),
    /// The lock file cannot be used.
    #[error("{path} cannot be locked: {error}; the directory of the database must be writable for this user")]
    Lock {
        /// The lock file, or the database file.
        path: PathBuf,
        /// What the operating system reports.
        error: io::Error,
    },
}

/// The lock of the process that serves a SQLite file. It ends when this value is dropped or the process ends. The file
/// `….lock` remains; its existence alone means nothing.
#[derive(Debug)]
pub struct Serving {
    _lock: Option<File>,
}

/// Locks a SQLite file for this process, or fails. On PostgreSQL several processes may serve one database, because an
/// advisory lock serializes their changes.
pub fn serve_alone(url: &Url) -> Result<Serving, ServedError> {
    let Url::Sqlite(path) = url else { return Ok(Serving { _lock: None }) };
    // The canonical path: one lock for a file, also when links lead to it.
    let refused = |path: &Path, error| ServedError::Lock { path: path.to_owned(), error };
    make(path).map_err(|error| refused(Path::new(path), error))?;
    let mut beside =
        std::fs::canonicalize(path).map_err(|error| refused(Path::new(path), error))?.into_os_string();
    beside.push(".lock");
    let beside = PathBuf::from(beside);
    // A separate file, because closing a handle of the database file would end SQLite's locks: see `make`.
    let file = private_files::create(&beside).map_err(|error| refused(&beside, error))?;
    match file.try_lock() {
        Ok(()) => Ok(Serving { _lock: Some(file) }),
        Err(TryLockError::WouldBlock) => Err(ServedError::Twice(url.clone())),
        Err(TryLockError::Error(error)) => Err(refused(&beside, error)),
    }
}
