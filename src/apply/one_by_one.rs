//! Applies the deliveries of a failed batch one by one, so that only the bad one becomes a dead letter (lesson 16).
//!
//! A change that the database refuses becomes a dead letter at once, which [`super::refused_deliveries`] tries again. A
//! delivery whose row is locked waits, and this does not count as an attempt. A delivery that fails for an unknown reason is
//! tried again with growing pauses, a bounded number of times. Order does not matter to the outcome, so no delivery waits for
//! another one, not even newer events of the same person (promise 5).

use super::{
    AppliedBatch, ApplyError, Batch, apply, expect_mapping,
    parse_batch::{self, LeftOut},
};
use crate::{
    db::{ALONE, Database, DbError, Fault, probe, wait_for_rows},
    decide::{Rules, state::Overruled},
    inbox::{
        dead_letters::{self, DeadLetter},
        queue::{self, QueueQuery},
    },
    runtime::clock::Timestamp,
    tables::refused,
};

/// Attempts before a delivery that fails repeatedly becomes a dead letter.
pub const MOST_ATTEMPTS: i16 = 25;

/// Pause before the next attempt: 10 s, 20 s, 40 s, then a minute; about 22 minutes in all. So everything is applied
/// soon after the cause is over.
fn pause_seconds(attempts: i16) -> i64 {
    match attempts {
        ..=3 => 10_i64 << attempts.clamp(1, 3).saturating_sub(1),
        _ => 60,
    }
}

/// Pause when a row is locked.
const BUSY_SECONDS: i64 = 3;

/// The results of the deliveries that were tried one by one.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Separated {
    pub applied: usize,
    pub postponed: usize,
    pub dead_letters: Vec<DeadLetter>,
    pub left_out: Vec<LeftOut>,
    pub overruled: Vec<Overruled>,
    pub leavers: usize,
    pub notices: usize,
}

impl Separated {
    /// Adds what was applied in one transaction.
    pub(super) fn add(&mut self, applied: AppliedBatch) {
        self.applied += applied.deliveries;
        self.leavers += applied.leavers;
        self.notices += applied.notices;
        self.dead_letters.extend(applied.dead_letters);
        self.left_out.extend(applied.left_out);
        self.overruled.extend(applied.overruled);
    }
}

/// A delivery that could not be applied alone.
struct Failed {
    inbox_id: i64,
    attempts: i16,
    fault: Fault,
    error: DbError,
}

/// When this number of deliveries fails for an unknown reason, and none is applied, the cause is probably the database.
const TOO_MANY: usize = 3;

fn is_by_database(applied: usize, faults: &[Fault]) -> bool {
    applied == 0 && faults.iter().all(|fault| *fault == Fault::Unclear) && faults.len() >= TOO_MANY
}

/// Applies the oldest deliveries that are due, each in its own transaction. An error means that the database itself
/// cannot work. Then no attempt is counted. Otherwise a disk that is full for an hour would turn good deliveries into
/// dead letters.
pub fn separate(
    database: &Database,
    rules: &Rules,
    batch: Batch,
    now: Timestamp,
) -> Result<Separated, ApplyError> {
    let mut outcome = Separated::default();
    let mut failed: Vec<Failed> = Vec::new();
    let mut last = 0;
    for _ in 0..batch.deliveries {
        let mut current = None;
        let wanted = QueueQuery { except: 0..=last, ..QueueQuery::oldest(1, batch.bytes) };
        let attempt = database.write_serialized::<_, ApplyError>(|conn| {
            expect_mapping(conn, rules)?;
            wait_for_rows(conn, ALONE)?;
            let taken = queue::take(conn, now, &wanted)?;
            current = taken.queued.first().map(|delivery| (delivery.inbox_id, delivery.attempts));
            let batched = parse_batch::read(taken, now);
            queue::done(conn, &batched.inbox_ids)?;
            Ok(apply(conn, rules, batched, now)?)
        });
        let attempt = match attempt {
            Err(ApplyError::Database(error)) => Err(error),
            outcome => Ok(outcome?),
        };
        match (attempt, current) {
            (Ok(_), None) => break,
            (Ok(applied), Some((inbox_id, _))) => {
                last = inbox_id;
                outcome.add(applied);
            }
            (Err(error), None) => return Err(error.into()),
            (Err(error), Some((inbox_id, attempts))) => {
                last = inbox_id;
                let fault = match error.fault() {
                    Fault::Database => return Err(error.into()),
                    Fault::Data => Fault::Data,
                    // The result for one message is true for all equal messages.
                    fault => match failed.iter().find(|one| one.error.to_string() == error.to_string()) {
                        Some(known) => known.fault,
                        None if probe::is_busy(database, &error)? => Fault::Busy,
                        None => fault,
                    },
                };
                failed.push(Failed { inbox_id, attempts, fault, error });
            }
        }
    }
    let faults: Vec<Fault> = failed.iter().map(|one| one.fault).collect();
    if is_by_database(outcome.applied, &faults) {
        tracing::error!(
            deliveries = failed.len(),
            "all deliveries fail one by one, so the database is probably at fault; all are tried again"
        );
        failed.iter_mut().for_each(|one| one.fault = Fault::Busy);
    }
    for one in &failed {
        set_back(database, one, now, &mut outcome)?;
    }
    Ok(outcome)
}

fn set_back(
    database: &Database,
    Failed { inbox_id, attempts, fault, error }: &Failed,
    now: Timestamp,
    outcome: &mut Separated,
) -> Result<(), ApplyError> {
    let inbox_id = *inbox_id;
    let attempts = if *fault == Fault::Busy { *attempts } else { attempts.saturating_add(1) };
    let pause = match fault {
        Fault::Busy => Some(BUSY_SECONDS),
        Fault::Unclear if attempts < MOST_ATTEMPTS => Some(pause_seconds(attempts)),
        _ => None,
    };
    if let Some(pause) = pause {
        let due = now.plus_seconds(pause);
        database
            .write_serialized::<_, DbError>(|conn| Ok(queue::postpone(conn, inbox_id, attempts, due)?))?;
        outcome.postponed += 1;
        return Ok(());
    }
    let letter = DeadLetter {
        inbox_id,
        reason: dead_letters::REFUSED,
        detail: error.to_string(),
        attempts,
        claims: None,
        retry_at: Some(now.plus_seconds(refused::pause_seconds(1))),
    };
    database.write_serialized::<_, DbError>(|conn| {
        dead_letters::add(conn, std::slice::from_ref(&letter), now)?;
        Ok(queue::done(conn, &[inbox_id])?)
    })?;
    outcome.dead_letters.push(letter);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_before_another_attempt_grows_to_a_minute() {
        assert_eq!([0, 1, 2, 3, 4, 25].map(pause_seconds), [10, 10, 20, 40, 60, 60]);
    }

    #[test]
    fn only_many_failures_without_a_known_reason_and_without_a_success_are_the_databases() {
        let unclear = [Fault::Unclear; TOO_MANY];
        assert!(is_by_database(0, &unclear));
        assert!(!is_by_database(1, &unclear), "the database works");
        assert!(!is_by_database(0, &unclear[1..]), "these are few");
        assert!(!is_by_database(0, &[Fault::Unclear, Fault::Unclear, Fault::Data]), "one has a known reason");
        assert!(!is_by_database(0, &[Fault::Data]) && !is_by_database(0, &[]));
    }
}
