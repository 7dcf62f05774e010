//! Compaction of the inbox: with nothing else to do a step, and once an hour a whole walk.

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

    /// True when there is more to do now.
    pub fn step(&mut self, database: &Database, retention: Retention, now: Timestamp) -> bool {
        if now < self.due {
            return false;
        }
        match retention::step(database, retention, now) {
            Ok(compacted) => {
                if compacted.dropped > 0 {
                    tracing::info!(
                        dropped = compacted.dropped,
                        "dropped old deliveries on which nothing rests"
                    );
                }
                if compacted.finished {
                    self.due = now.plus_seconds(PAUSE_SECONDS);
                }
                !compacted.finished
            }
            Err(error) => {
                tracing::warn!(error = %error, "compacting the inbox failed; it is tried again in an hour");
                self.due = now.plus_seconds(PAUSE_SECONDS);
                false
            }
        }
    }
}
