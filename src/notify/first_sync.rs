//! Writes a notice when the first synchronization of a directory is over.

use parking_lot::Mutex;

use crate::{
    db::{Database, DbError},
    outbox::{self, Notice, notice::EndedFirstSync},
    runtime::clock::Timestamp,
    tables::directory_activity::{self, FirstSync},
};

/// The interval of the checks. The setting is in hours, so a delay of one minute does not matter.
const PAUSE_SECONDS: i64 = 60;

#[derive(Default)]
pub(super) struct FirstSyncs {
    looked_at: Mutex<Option<Timestamp>>,
}

impl FirstSyncs {
    /// Checks at intervals and writes notices.
    pub(super) fn look(&self, database: &Database, now: Timestamp) -> Result<(), DbError> {
        let mut looked_at = self.looked_at.lock();
        if looked_at.is_some_and(|at| now.seconds_since(at) < PAUSE_SECONDS) {
            return Ok(());
        }
        let over =
            database.read::<_, DbError>(|conn| Ok(directory_activity::first_syncs_over(conn, now)?))?;
        if !over.is_empty() {
            database.write::<_, DbError>(|conn| {
                let mut notices = Vec::with_capacity(over.len());
                for one in &over {
                    // False when another process has written the notice.
                    if directory_activity::end_first_sync(conn, one)? {
                        notices.push(notice(one));
                    }
                }
                Ok(outbox::enqueue(conn, &notices, now)?)
            })?;
        }
        *looked_at = Some(now);
        Ok(())
    }
}

fn notice(over: &FirstSync) -> Notice {
    let first_sync = EndedFirstSync { directory_id: over.directory_id.clone(), ended_at: over.ends_at };
    Notice::FirstSyncEnded { tenant_id: over.tenant_id.clone(), first_sync }
}
