//! Deliveries whose change the database refused, because of a constraint or trigger of the application. They are dead
//! letters with a time for the next attempt. Each is applied in a transaction of its own, which also ends its dead
//! letter. So after a crash it is either applied or still a dead letter. The retry is automatic, because a leaver may
//! have access until it succeeds.

use super::{
    AppliedBatch, ApplyError, apply, expect_mapping,
    one_by_one::Separated,
    parse_batch,
    refused_entities::{Refusal, refusal},
};
use crate::{
    db::{ALONE, Database, DbError, wait_for_rows},
    decide::Rules,
    inbox::{
        dead_letters,
        queue::{self, QueuedBatch},
    },
    runtime::{clock::Timestamp, failpoint},
    tables::refused::{BUSY_SECONDS, pause_seconds},
};

/// The highest number of attempts in one step, so that new deliveries need not wait.
const MOST: i64 = 100;

/// Tries the dead letters that are due. An error means that the database cannot work; then no attempt is counted.
pub fn step(database: &Database, rules: &Rules, now: Timestamp) -> Result<Separated, ApplyError> {
    let due = database.read::<_, DbError>(|conn| Ok(dead_letters::due(conn, now, MOST)?))?;
    let mut outcome = Separated::default();
    for inbox_id in due {
        let mut attempts = None;
        match attempt(database, rules, inbox_id, now, &mut attempts) {
            Ok(applied) => {
                failpoint::reach("retried");
                outcome.add(applied);
            }
            Err(ApplyError::Database(error)) => {
                // An error before the delivery was read says nothing about it.
                let Some(attempts) = attempts else { return Err(error.into()) };
                let refusal = refusal(database, error)?;
                postpone(database, inbox_id, attempts, &refusal, now)?;
                outcome.postponed += 1;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(outcome)
}

/// Writes the number of earlier attempts into `attempts` as soon as the delivery is found, so that it is known after a failure.
fn attempt(
    database: &Database,
    rules: &Rules,
    inbox_id: i64,
    now: Timestamp,
    attempts: &mut Option<i16>,
) -> Result<AppliedBatch, ApplyError> {
    database.write_serialized(|conn| {
        expect_mapping(conn, rules)?;
        wait_for_rows(conn, ALONE)?;
        // An operator or another process may have been faster.
        let Some(before) = dead_letters::remove_due(conn, inbox_id, now)? else {
            return Ok(AppliedBatch::default());
        };
        *attempts = Some(before);
        let queued = queue::stored(conn, &[(inbox_id, before)])?;
        let batch = parse_batch::read(QueuedBatch { queued, is_full: false }, now);
        let applied = apply(conn, rules, batch, now)?;
        failpoint::reach("retrying");
        Ok(applied)
    })
}

fn postpone(
    database: &Database,
    inbox_id: i64,
    attempts: i16,
    refusal: &Refusal,
    now: Timestamp,
) -> Result<(), DbError> {
    tracing::warn!(
        inbox.id = inbox_id,
        error = %refusal.detail,
        "the database still refuses a delivery, which is tried again later"
    );
    let attempts = if refusal.busy { attempts } else { attempts.saturating_add(1) };
    let pause = if refusal.busy { BUSY_SECONDS } else { pause_seconds(attempts) };
    let retry_at = now.plus_seconds(pause);
    database.write_serialized::<_, DbError>(|conn| {
        Ok(dead_letters::postpone(conn, inbox_id, attempts, &refusal.detail, retry_at)?)
    })
}
