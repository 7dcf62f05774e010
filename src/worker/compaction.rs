//! Compaction of the inbox: one complete walk each hour, in steps that run when there is nothing else to do.

use crate::{
    db::Database,
    retention::{self, Retention},
    runtime::clock::Timestamp,
};

const PAUSE_SECONDS: i64 = 3_600;

pub struct Compaction {
    due: Timestamp,
}

impl Compaction {
    pub fn due(at: Timestamp) -> Self {
        Self { due: at }
    }

    /// Returns whether there is more to do now.
    pub fn step(&mut self, database: &Database, retention: Retention, now: Timestamp) -> bool {
        if now < self.due {
            return false;
        }
        match retention::step(database, retention, now) {
            Ok(compacted) => {
                if compacted.dropped > 0 {
                    tracing::info!(
                        dropped = compacted.dropped,
                        "deleted old deliveries from which no current row is derived"
                    );
                }
                for consumer in &compacted.changes.overtaken {
                    tracing::warn!(
                        consumer,
                        "a consumer of the change feed has not confirmed records for so long that they were deleted: it must read the tables again (docs/changes.md)"
                    );
                }
                if compacted.finished {
                    self.due = now.plus_seconds(PAUSE_SECONDS);
                }
                !compacted.finished
            }
            Err(error) => {
                tracing::warn!(error = %error, "the compaction of the inbox failed; the service tries again in an hour");
                self.due = now.plus_seconds(PAUSE_SECONDS);
                false
            }
        }
    }
}
