//! When a batch fails: what may pass is tried again later, what may not is found and set aside alone.

use super::{ApplyError, Batch, apply};
use crate::{
    clock::Timestamp,
    db::{Database, DbError},
    decide::Tenancy,
    inbox::{
        dead::{self, DeadLetter},
        queue,
    },
};

/// After a batch was refused by the database: applies the oldest deliveries one by one, each in its own transaction,
/// and buries the one that is refused alone. Order does not matter to the outcome, so nobody waits for it (promise 5).
///
/// Returns how many were applied and how many were set aside; an error that may pass ends it, to be tried again.
pub fn separate(
    database: &Database,
    tenancy: Tenancy,
    batch: Batch,
    now: Timestamp,
) -> Result<(usize, Vec<DeadLetter>), ApplyError> {
    let (mut applied, mut buried) = (0, Vec::new());
    for _ in 0..batch.deliveries {
        let mut current = None;
        let outcome: Result<Option<Vec<DeadLetter>>, DbError> = database.write_in_turn(|conn| {
            let queued = queue::take(conn, now, 1, batch.bytes)?;
            let Some(delivery) = queued.first() else { return Ok(None) };
            current = Some((delivery.inbox_id, delivery.attempts));
            Ok(Some(apply(conn, tenancy, queued, now)?.set_aside))
        });
        match (outcome, current) {
            (Ok(None), _) => break,
            (Ok(Some(set_aside)), _) => {
                applied += 1;
                buried.extend(set_aside);
            }
            (Err(error), Some((inbox_id, attempts))) if !error.may_pass() => {
                let attempts = attempts.saturating_add(1);
                let letter =
                    DeadLetter { inbox_id, reason: dead::REFUSED, detail: error.to_string(), attempts };
                database.write_in_turn::<_, DbError>(|conn| {
                    dead::bury(conn, std::slice::from_ref(&letter), now)?;
                    Ok(queue::done(conn, &[inbox_id])?)
                })?;
                buried.push(letter);
            }
            (Err(error), _) => return Err(error.into()),
        }
    }
    Ok((applied, buried))
}
