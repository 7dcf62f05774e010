//! Applies deliveries and does recomputations while there is work. Then it waits until a receiver rings, or polls for
//! work of another process.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use parking_lot::RwLock;
use tokio::sync::Notify;

use super::{
    checkpointer::WalGrowth,
    compaction::Compaction,
    pending_work::waiting,
    watchdog::{self, Shift},
};
use crate::{
    apply::{
        self, ApplyError, Batch,
        one_by_one::{self, Separated},
        parse_batch::LeftOut,
        prefetch_batch::Prefetcher,
        recompute, refused_deliveries, refused_entities,
    },
    db::{Database, DbError, Fault},
    decide::{Rules, state::Overruled},
    inbox::{dead_letters::DeadLetter, waiters::Waiters},
    operator::holds,
    retention::Retention,
    runtime::{
        clock::{Clock, Timestamp},
        metrics::{Metrics, Reason},
        wake::Wake,
    },
    tables::mappings,
};

/// The first pause after a temporary failure. Each further failure doubles it, up to the longest pause.
const PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Failures in a row after which the deliveries of a batch are applied one by one.
const PATIENCE: u32 = 3;

/// Pause after a batch that was not full, in which deliveries gather. It is longer on SQLite, where receivers and this
/// thread exclude each other. A delivery to an idle service is applied at once.
const GATHER: Duration = Duration::from_millis(4);
const GATHER_ON_SQLITE: Duration = Duration::from_millis(50);

/// How often, in such a pause, the thread looks whether a client waits.
const LOOKS: u32 = 4;

/// The duration of the last batch, divided by this, is the pause after a full batch while deliveries arrive. Receivers
/// have the machine in that time, because a broker waits for them. The pause is limited by [`GATHER_ON_SQLITE`].
const PAUSE_DIVISOR: u32 = 2;

pub struct Applier {
    pub database: Database,
    /// With the role mapping that was in force at the last look.
    pub rules: RwLock<Rules>,
    pub batch: Batch,
    pub prefetcher: Prefetcher,
    pub log: WalGrowth,
    pub retention: Retention,
    pub clock: Clock,
    pub metrics: Arc<Metrics>,
    /// Rung when notices were written.
    pub notices: Wake,
    /// Notified when rows may have changed.
    pub changes: Arc<Notify>,
    /// Failed batches in a row.
    pub failures: AtomicU32,
    /// Requests that wait until their delivery is applied.
    pub waiters: Waiters,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApplyStep {
    /// A full batch or a step of a recomputation: there is probably more to do.
    Full,
    Worked,
    Idle,
}

impl Applier {
    pub fn start(mut self, wake: Wake, poll: Duration) -> std::io::Result<JoinHandle<()>> {
        let (database, watch) = self.database.watched();
        self.database = database.clone();
        let bell = wake.clone();
        watchdog::start("apply", (database, watch), wake, move |shift| self.run(shift, &bell, poll))
    }

    fn run(&self, shift: &Shift, wake: &Wake, poll: Duration) {
        let mut pause = PAUSE;
        let mut compaction = Compaction::due(self.clock.now());
        while !shift.is_over() {
            let begun = Instant::now();
            match self.step() {
                Ok(ApplyStep::Full) => {
                    pause = PAUSE;
                    if wake.take_ring() {
                        wake.pause((begun.elapsed() / PAUSE_DIVISOR).min(GATHER_ON_SQLITE));
                    }
                }
                Ok(ApplyStep::Worked) => {
                    pause = PAUSE;
                    self.gather(wake);
                }
                Ok(ApplyStep::Idle) => {
                    pause = PAUSE;
                    if !compaction.step(&self.database, self.retention, self.clock.now()) {
                        wake.wait(poll);
                    }
                }
                Err(error) => {
                    self.metrics.apply_failures.inc();
                    tracing::error!(error = %error, retry_ms = pause.as_millis(), "applying failed; the service tries again");
                    wake.wait(pause);
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }

    /// Applies one batch, and does one step of each other kind of work that waits.
    pub fn step(&self) -> Result<ApplyStep, ApplyError> {
        match self.attempt() {
            Err(ApplyError::MappingChanged) => {
                let mapping = self.database.read::<_, ApplyError>(|conn| Ok(mappings::in_force(conn)?))?;
                tracing::info!(
                    mapping.version = mapping.version,
                    "switched to another version of the role mapping"
                );
                self.rules.write().mapping = Arc::new(mapping);
                Ok(ApplyStep::Full)
            }
            // The failure may last long, and an operator may change things meanwhile. So the next attempt reads from
            // the database.
            Err(error) => {
                self.prefetcher.forget();
                Err(error)
            }
            outcome => {
                if matches!(outcome, Ok(ApplyStep::Full | ApplyStep::Worked)) {
                    self.changes.notify_one();
                }
                outcome
            }
        }
    }

    fn rules(&self) -> Rules {
        self.rules.read().clone()
    }

    fn attempt(&self) -> Result<ApplyStep, ApplyError> {
        let now = self.clock.now();
        let waits = waiting(&self.database, now)?;
        let applied = match waits.deliveries {
            true => self.apply(now),
            false => {
                self.prefetcher.forget();
                Ok(0)
            }
        };
        // A failure of one kind of work does not stop the others.
        let recomputed = if waits.recomputes { self.recompute_step(now) } else { Ok(false) };
        let released = if waits.holds { self.release(now) } else { Ok(false) };
        let retried = if waits.refused { self.retry(now) } else { Ok(false) };
        let (applied, recomputed, released) = (applied?, recomputed?, released?);
        let released = retried? || released;
        Ok(match applied {
            _ if released || recomputed || applied >= self.batch.deliveries => ApplyStep::Full,
            0 => ApplyStep::Idle,
            _ => ApplyStep::Worked,
        })
    }

    /// Without this pause a batch would contain only the events that arrived during the last one. Statements and
    /// commits for a few events would take most of the time, and receivers would wait for them.
    ///
    /// A client that waits for the application of its write ends the pause.
    fn gather(&self, wake: &Wake) {
        let length = if self.database.has_one_writer() { GATHER_ON_SQLITE } else { GATHER };
        let until = Instant::now() + length;
        while !self.waiters.any() && !wake.is_stopping() {
            let rest = until.saturating_duration_since(Instant::now());
            if rest.is_zero() {
                return;
            }
            wake.pause(rest.min(length / LOOKS));
        }
    }

    fn recompute_step(&self, now: Timestamp) -> Result<bool, ApplyError> {
        let Some(recomputed) = recompute::step(&self.database, &self.rules(), self.batch, now)? else {
            return Ok(false);
        };
        self.log.grew(recomputed.entities);
        self.metrics.deprovisioned.inc_by(recomputed.leavers as u64);
        tracing::info!(
            entities = recomputed.entities,
            leavers = recomputed.leavers,
            "recomputed a part of a directory"
        );
        self.ring_notifier(recomputed.notices);
        Ok(true)
    }

    fn release(&self, now: Timestamp) -> Result<bool, ApplyError> {
        let Some(released) = holds::step(&self.database, &self.rules(), self.batch, now)? else {
            return Ok(false);
        };
        self.log.grew(released.people);
        self.metrics.deprovisioned.inc_by(released.leavers as u64);
        tracing::info!(
            people = released.people,
            leavers = released.leavers,
            "applied changes of people whose hold is decided"
        );
        self.ring_notifier(released.notices);
        Ok(true)
    }

    fn retry(&self, now: Timestamp) -> Result<bool, ApplyError> {
        let entities = refused_entities::step(&self.database, &self.rules(), now)?;
        self.log.grew(entities.applied);
        self.metrics.deprovisioned.inc_by(entities.leavers as u64);
        self.ring_notifier(entities.notices);
        let deliveries = refused_deliveries::step(&self.database, &self.rules(), now)?;
        self.account(&deliveries);
        Ok(entities.applied + deliveries.applied > 0)
    }

    fn apply(&self, now: Timestamp) -> Result<usize, ApplyError> {
        let begun = Instant::now();
        let applied = match apply::step(&self.database, &self.rules(), self.batch, &self.prefetcher, now) {
            Err(ApplyError::Database(error)) if self.is_to_be_separated(&error) => {
                return self.separate(&error, now);
            }
            outcome => outcome?,
        };
        self.failures.store(0, Ordering::Relaxed);
        if applied.deliveries == 0 {
            return Ok(0);
        }
        self.log.grew(applied.deliveries);
        self.metrics.apply_seconds.observe(begun.elapsed().as_secs_f64());
        self.metrics.applied.inc_by(applied.deliveries as u64);
        self.metrics.deprovisioned.inc_by(applied.leavers as u64);
        self.waiters.applied(applied.event_keys.iter().map(String::as_str));
        for event in &applied.event_keys {
            tracing::debug!(event.id = %event, "delivery applied");
        }
        self.log_dead_letters(&applied.dead_letters);
        self.log_left_out(&applied.left_out);
        self.log_overruled(&applied.overruled);
        tracing::info!(
            deliveries = applied.deliveries,
            dead_letters = applied.dead_letters.len(),
            leavers = applied.leavers,
            recomputes = applied.recomputes,
            duration_ms = begun.elapsed().as_millis(),
            "applied a batch"
        );
        self.ring_notifier(applied.notices + applied.dead_letters.len());
        Ok(applied.deliveries)
    }

    /// True for a batch that is refused for good, for a batch that waits for a row locked by the application, and for a
    /// batch that fails repeatedly while the database works.
    fn is_to_be_separated(&self, error: &DbError) -> bool {
        match error.fault() {
            Fault::Database => false,
            Fault::Unclear => self.failures.fetch_add(1, Ordering::Relaxed) + 1 >= PATIENCE,
            Fault::Busy | Fault::Data => true,
        }
    }

    fn separate(&self, error: &DbError, now: Timestamp) -> Result<usize, ApplyError> {
        tracing::warn!(error = %error, "a batch failed; its deliveries are applied one by one");
        let outcome = one_by_one::separate(&self.database, &self.rules(), self.batch, now)?;
        // Prefetched deliveries have old attempt counts and due times.
        self.prefetcher.forget();
        self.failures.store(0, Ordering::Relaxed);
        self.account(&outcome);
        Ok(outcome.applied + outcome.postponed + outcome.dead_letters.len())
    }

    /// Counts and logs deliveries that were applied one by one.
    fn account(&self, outcome: &Separated) {
        self.log.grew(outcome.applied);
        self.metrics.applied.inc_by(outcome.applied as u64);
        self.metrics.deprovisioned.inc_by(outcome.leavers as u64);
        self.log_dead_letters(&outcome.dead_letters);
        self.log_left_out(&outcome.left_out);
        self.log_overruled(&outcome.overruled);
        self.ring_notifier(outcome.notices + outcome.dead_letters.len());
    }

    /// `rosterd inbox show` lists the same values.
    fn log_left_out(&self, left_out: &[LeftOut]) {
        for LeftOut { event_key, values } in left_out {
            self.metrics.values_left_out.inc_by(values.len() as u64);
            tracing::warn!(
                event.id = %event_key,
                left_out = %values.join("; "),
                "a part of a delivery cannot be stored and was left out; the rest is applied"
            );
        }
    }

    fn log_overruled(&self, overruled: &[Overruled]) {
        for Overruled { kind, id, removal, by } in overruled {
            self.metrics.removals_overruled.inc();
            tracing::warn!(
                event.id = %removal,
                "the removal of {kind:?} {id:?} has no effect: event {by}, which was not sent later, reports a later change; compare with the directory"
            );
        }
    }

    fn log_dead_letters(&self, letters: &[DeadLetter]) {
        for letter in letters {
            self.metrics.dead_lettered.get_or_create(&Reason { reason: letter.reason }).inc();
            tracing::error!(
                inbox.id = letter.inbox_id,
                reason = letter.reason,
                detail = %letter.detail,
                "a delivery became a dead letter; look at it with `rosterd inbox show {}`",
                letter.inbox_id
            );
        }
    }

    fn ring_notifier(&self, notices: usize) {
        if notices > 0 {
            self.notices.ring();
        }
    }
}
