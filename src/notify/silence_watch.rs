//! Writes notices about directories that have sent nothing for too long. With an API key `sync::silence` does it instead.

use parking_lot::Mutex;

use crate::{
    db::{Database, DbError},
    outbox::{self, Notice},
    runtime::clock::Timestamp,
    tables::directory_activity,
};

/// The interval of the checks. The setting is in days, so a delay of one hour does not matter.
const PAUSE_SECONDS: i64 = 3_600;

pub(super) struct Watch {
    days: u32,
    looked_at: Mutex<Option<Timestamp>>,
}

impl Watch {
    pub(super) fn new(days: u32) -> Self {
        Self { days, looked_at: Mutex::new(None) }
    }

    /// Checks at intervals and writes notices. Returns whether it has found a silent directory.
    pub(super) fn look(&self, database: &Database, now: Timestamp) -> Result<bool, DbError> {
        let mut looked_at = self.looked_at.lock();
        let lately = looked_at.is_some_and(|at| now.seconds_since(at) < PAUSE_SECONDS);
        if self.days == 0 || lately {
            return Ok(false);
        }
        let since = now.plus_seconds(-i64::from(self.days) * 86_400);
        let found =
            database.read(|conn| directory_activity::silent_since(conn, since).map_err(DbError::from))?;
        if !found.is_empty() {
            database.write::<_, DbError>(|conn| {
                let mut notices = Vec::with_capacity(found.len());
                for silent in &found {
                    // False when another process has written the notice.
                    if directory_activity::mark_notified(conn, silent, now)? {
                        notices.push(Notice::silent(silent, self.days, None));
                    }
                }
                Ok(outbox::enqueue(conn, &notices, now)?)
            })?;
        }
        *looked_at = Some(now);
        Ok(!found.is_empty())
    }
}
