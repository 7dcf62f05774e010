//! Notifies the operator of deliveries that wait for too long, for any reason: a database that refuses all of them, a row
//! that the application has locked for hours, or too many deliveries. In these cases no delivery becomes a dead letter, so
//! nothing else would report it.

use parking_lot::Mutex;

use crate::{
    db::{Database, DbError},
    inbox::queue,
    outbox::{self, Notice, notice::Waiting},
    runtime::clock::Timestamp,
    tables::properties,
};

/// The age of a late delivery. A single delivery that fails becomes a dead letter earlier (`apply::poison`).
const LATE_SECONDS: i64 = 1_800;

/// Late deliveries are reported only if each check in this time finds some. After a pause of the service or `inbox retry`,
/// deliveries are old but are applied at once.
const LASTING_SECONDS: i64 = 300;

const PAUSE_SECONDS: i64 = 60;

#[derive(Default)]
pub(super) struct Backlog(Mutex<Looks>);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Looks {
    last: Option<Timestamp>,
    late_since: Option<Timestamp>,
}

impl Looks {
    fn is_due(self, now: Timestamp) -> bool {
        self.last.is_none_or(|at| now.seconds_since(at) >= PAUSE_SECONDS)
    }

    /// The state after a check. `oldest` is the time of reception of the oldest waiting delivery.
    fn after(self, oldest: Option<Timestamp>, now: Timestamp) -> Self {
        let is_late = oldest.is_some_and(|at| now.seconds_since(at) >= LATE_SECONDS);
        Self { last: Some(now), late_since: is_late.then(|| self.late_since.unwrap_or(now)) }
    }

    fn is_lasting(self, now: Timestamp) -> bool {
        self.late_since.is_some_and(|since| now.seconds_since(since) >= LASTING_SECONDS)
    }
}

impl Backlog {
    pub(super) fn look(&self, database: &Database, now: Timestamp) -> Result<(), DbError> {
        let mut looks = self.0.lock();
        if !looks.is_due(now) {
            return Ok(());
        }
        let oldest = database.read::<_, DbError>(|conn| Ok(queue::oldest(conn)?))?;
        let seen = looks.after(oldest.map(|(_, at)| at), now);
        if let Some((inbox_id, received_at)) = oldest.filter(|_| seen.is_lasting(now)) {
            database.write::<_, DbError>(|conn| {
                if !properties::take_waiting_notice(conn, now)? {
                    return Ok(());
                }
                let (deliveries, _) = queue::backlog(conn)?;
                tracing::error!(deliveries, since = %received_at, "deliveries wait for more than half an hour");
                let waiting = Waiting { deliveries, since: received_at.micros(), inbox_id };
                Ok(outbox::enqueue(conn, &[Notice::DeliveriesWait(waiting)], now)?)
            })?;
        }
        *looks = seen;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_backlog_that_lasts_for_five_minutes_is_reported() {
        let at = |seconds: i64| Timestamp::from_millis(seconds * 1_000);
        let looks = |oldest: &[(i64, Option<i64>)]| {
            let seen = oldest
                .iter()
                .fold(Looks::default(), |looks, (now, oldest)| looks.after(oldest.map(at), at(*now)));
            seen.is_lasting(seen.last.unwrap())
        };
        assert!(!looks(&[(1_799, Some(0)), (2_000, Some(0))]), "late for a moment");
        assert!(looks(&[(1_800, Some(0)), (1_900, Some(0)), (2_100, Some(0))]));
        // Another delivery is the oldest now, and it is late too.
        assert!(looks(&[(1_800, Some(0)), (2_100, Some(300))]));
        assert!(!looks(&[(1_800, Some(0)), (1_860, None), (2_100, Some(0))]), "all was applied meanwhile");
        assert!(!looks(&[(9_000, Some(0))]), "after a pause of the service");
        assert!(!Looks { last: Some(at(0)), late_since: None }.is_due(at(59)));
    }
}
