//! When a batch fails: its deliveries are applied one by one, so that the bad one sets only itself aside (lesson 16).
//!
//! What the database refuses for good is a dead letter at once; what may pass is tried again with growing pauses, a
//! bounded number of times. Order does not matter to the outcome, so nobody waits for it, not even newer events of
//! the same person (promise 5).

use super::{
    ApplyError, Batch, apply, expect_mapping,
    reading::{self, LeftOut},
};
use crate::{
    clock::Timestamp,
    db::{Database, DbError, Fault},
    decide::{Rules, state::Overruled},
    inbox::{
        dead::{self, DeadLetter},
        queue::{self, Wanted},
    },
};

/// Attempts before a delivery that keeps failing is set aside.
pub const MOST_ATTEMPTS: i16 = 8;

/// Pause before the next attempt: 10 s, 20 s, 40 s, … about 20 minutes before the last.
fn pause_seconds(attempts: i16) -> i64 {
    10_i64 << attempts.clamp(1, MOST_ATTEMPTS).saturating_sub(1)
}

/// What became of the deliveries that were tried alone.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Separated {
    pub applied: usize,
    pub postponed: usize,
    pub set_aside: Vec<DeadLetter>,
    pub left_out: Vec<LeftOut>,
    pub overruled: Vec<Overruled>,
    pub leavers: usize,
    pub notices: usize,
}

/// Applies the oldest deliveries that are due, each in its own transaction. An error means that the database itself
/// cannot work: then nothing is counted against a delivery, or a disk that is full for an hour would set good ones
/// aside.
pub fn separate(
    database: &Database,
    rules: &Rules,
    batch: Batch,
    now: Timestamp,
) -> Result<Separated, ApplyError> {
    let mut outcome = Separated::default();
    for _ in 0..batch.deliveries {
        let mut current = None;
        let attempt = database.write_in_turn::<_, ApplyError>(|conn| {
            expect_mapping(conn, rules)?;
            let taken = queue::take(conn, now, &Wanted::oldest(1, batch.bytes))?;
            current = taken.queued.first().map(|delivery| (delivery.inbox_id, delivery.attempts));
            let batched = reading::read(taken);
            queue::done(conn, &batched.inbox_ids)?;
            Ok(apply(conn, rules, batched, now)?)
        });
        let attempt = match attempt {
            Err(ApplyError::Database(error)) => Err(error),
            outcome => Ok(outcome?),
        };
        match (attempt, current) {
            (Ok(_), None) => break,
            (Ok(applied), Some(_)) => {
                outcome.applied += 1;
                outcome.leavers += applied.leavers;
                outcome.notices += applied.notices;
                outcome.set_aside.extend(applied.set_aside);
                outcome.left_out.extend(applied.left_out);
                outcome.overruled.extend(applied.overruled);
            }
            (Err(error), None) => return Err(error.into()),
            (Err(error), _) if error.fault() == Fault::Database => return Err(error.into()),
            (Err(error), Some((inbox_id, attempts))) => {
                set_back(database, inbox_id, attempts.saturating_add(1), &error, now, &mut outcome)?;
            }
        }
    }
    Ok(outcome)
}

fn set_back(
    database: &Database,
    inbox_id: i64,
    attempts: i16,
    error: &DbError,
    now: Timestamp,
    outcome: &mut Separated,
) -> Result<(), ApplyError> {
    if error.fault() == Fault::Unclear && attempts < MOST_ATTEMPTS {
        let due = now.plus_seconds(pause_seconds(attempts));
        database.write_in_turn::<_, DbError>(|conn| Ok(queue::postpone(conn, inbox_id, attempts, due)?))?;
        outcome.postponed += 1;
        return Ok(());
    }
    let letter = DeadLetter { inbox_id, reason: dead::REFUSED, detail: error.to_string(), attempts };
    database.write_in_turn::<_, DbError>(|conn| {
        dead::bury(conn, std::slice::from_ref(&letter), now)?;
        Ok(queue::done(conn, &[inbox_id])?)
    })?;
    outcome.set_aside.push(letter);
    Ok(())
}
