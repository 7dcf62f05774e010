//! Notifies the operator of directories whose events are refused because the directory belongs to another organization.
//! These events may report leavers, and otherwise they appear only in a metric.

use parking_lot::Mutex;

use crate::{
    db::{Conn, Database, DbError},
    outbox::{self, Notice, notice::ClaimRefused},
    runtime::clock::Timestamp,
    tables::refused_claims::{self, Counted},
};

/// How long events are counted before the notice, because a broker often sends many at once.
const GATHER_SECONDS: i64 = 600;

/// At most one notice for a directory in this time.
const DAY_SECONDS: i64 = 86_400;

const PAUSE_SECONDS: i64 = 60;

#[derive(Default)]
pub(super) struct Refusals {
    looked_at: Mutex<Option<Timestamp>>,
}

impl Refusals {
    /// Writes the notices that are due. One transaction resets the counts and writes the notices, so a crash leaves both or
    /// neither.
    pub(super) fn look(&self, database: &Database, now: Timestamp) -> Result<(), DbError> {
        let mut looked_at = self.looked_at.lock();
        if looked_at.is_some_and(|at| now.seconds_since(at) < PAUSE_SECONDS) {
            return Ok(());
        }
        let due = |conn: &mut Conn| {
            let (first, notified) = (now.plus_seconds(-GATHER_SECONDS), now.plus_seconds(-DAY_SECONDS));
            refused_claims::due(conn, first, notified)
        };
        if !database.read::<_, DbError>(|conn| Ok(due(conn)?))?.is_empty() {
            database.write::<_, DbError>(|conn| {
                let mut notices = Vec::new();
                for counted in due(conn)? {
                    // False when another process has written the notice.
                    if refused_claims::take(conn, &counted, now)? {
                        let owner = refused_claims::owner(conn, &counted.directory_id)?;
                        notices.push(Notice::ClaimRefused(claim_refused(counted, owner)));
                    }
                }
                Ok(outbox::enqueue(conn, &notices, now)?)
            })?;
        }
        *looked_at = Some(now);
        Ok(())
    }
}

fn claim_refused(counted: Counted, owner: Option<String>) -> ClaimRefused {
    ClaimRefused {
        directory_id: counted.directory_id,
        organization_id: counted.organization_id,
        owner,
        events: counted.events,
        leavers: counted.leavers,
        inbox_id: counted.inbox_id,
        first_at: counted.first_at,
    }
}
