//! The file of a SQLite database: made for this user alone, and served by one process at a time.

use std::{
    fs::{File, TryLockError},
    io,
    path::{Path, PathBuf},
};

use parking_lot::Mutex;

use super::Url;
use crate::runtime::private_files;

/// SQLite gives `-wal` and `-shm` the mode of the file. The file is made empty, before SQLite opens it.
///
/// Closing any handle of a file ends all locks of this process on it, SQLite's too. So the file is never opened here when
/// it is there, and no other connection opens it between its making and the end of this handle.
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
    /// Another process serves it.
    Twice(Url),
    /// The lock file cannot be used.
    #[error("{path} cannot be locked: {error}; the directory of the database must be writable for this user")]
    Lock { path: PathBuf, error: io::Error },
}

/// Held by the one process that serves a SQLite file, until it is dropped or the process ends, however it ends. The file
/// `….lock` stays, and says nothing by itself.
#[derive(Debug)]
pub struct Serving {
    _lock: Option<File>,
}

/// PostgreSQL is served by several processes (an advisory lock serializes them).
pub fn serve_alone(url: &Url) -> Result<Serving, ServedError> {
    let Url::Sqlite(path) = url else { return Ok(Serving { _lock: None }) };
    // One file has one lock, whichever link leads to it.
    let refused = |path: &Path, error| ServedError::Lock { path: path.to_owned(), error };
    make(path).map_err(|error| refused(Path::new(path), error))?;
    let mut beside =
        std::fs::canonicalize(path).map_err(|error| refused(Path::new(path), error))?.into_os_string();
    beside.push(".lock");
    let beside = PathBuf::from(beside);
    // A file of its own: see `make`.
    let file = private_files::create(&beside).map_err(|error| refused(&beside, error))?;
    match file.try_lock() {
        Ok(()) => Ok(Serving { _lock: Some(file) }),
        Err(TryLockError::WouldBlock) => Err(ServedError::Twice(url.clone())),
        Err(TryLockError::Error(error)) => Err(refused(&beside, error)),
    }
}
