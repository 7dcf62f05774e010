//! Apply and refresh, for as long as there is work; then wait for the bell, or look whether another process left some.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use parking_lot::RwLock;

use super::{
    checkpointer::WalGrowth,
    compaction::Compaction,
    pending_work::waiting,
    restart::{self, Shift},
};
use crate::{
    apply::{
        self, ApplyError, Batch, one_by_one, parse_batch::LeftOut, prefetch::Prefetcher, recompute, refused,
        refused_deliveries,
    },
    db::{Database, DbError, Fault},
    decide::{Rules, state::Overruled},
    inbox::dead_letters::DeadLetter,
    operator::holds,
    retention::Retention,
    runtime::{
        clock::{Clock, Timestamp},
        metrics::{Metrics, Reason},
        wake::Wake,
    },
    tables::mappings,
};

/// After a failure that may pass: from this pause, doubled up to the longest.
const PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Failures in a row after which a batch is taken apart.
const PATIENCE: u32 = 3;

/// How long deliveries gather after a batch that was not full: on PostgreSQL, and on SQLite, where receivers and this thread
/// exclude each other. A delivery to an idle service is applied at once.
const GATHER: Duration = Duration::from_millis(4);
const GATHER_ON_SQLITE: Duration = Duration::from_millis(50);

/// With a backlog, and while more is being kept, receivers have the machine to themselves for the time that a batch took
/// divided by this, and for no longer than work gathers on SQLite: a broker waits for them.
const GIVE_WAY: u32 = 2;

pub struct Applier {
    pub database: Database,
    /// With the mapping that held when last looked.
    pub rules: RwLock<Rules>,
    pub batch: Batch,
    pub ahead: Prefetcher,
    pub log: WalGrowth,
    pub retention: Retention,
    pub clock: Clock,
    pub metrics: Arc<Metrics>,
    /// Rung when notices were written.
    pub notices: Wake,
    /// Batches that failed in a row.
    pub failures: AtomicU32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApplyStep {
    /// A batch as large as they may be, or a step of a refresh: there is likely more.
    Full,
    Worked,
    Idle,
}

impl Applier {
    pub fn start(mut self, wake: Wake, poll: Duration) -> std::io::Result<JoinHandle<()>> {
        let (database, watch) = self.database.watched();
        self.database = database.clone();
        let bell = wake.clone();
        restart::start("apply", (database, watch), wake, move |shift| self.run(shift, &bell, poll))
    }

    fn run(&self, shift: &Shift, wake: &Wake, poll: Duration) {
        let mut pause = PAUSE;
        let mut compaction = Compaction::due(self.clock.now());
        while !shift.is_over() {
            let begun = Instant::now();
            match self.step() {
                Ok(ApplyStep::Full) => {
                    pause = PAUSE;
                    if wake.heard() {
                        wake.pause((begun.elapsed() / GIVE_WAY).min(GATHER_ON_SQLITE));
                    }
                }
                Ok(ApplyStep::Worked) => {
                    pause = PAUSE;
                    wake.pause(self.gather());
                }
                Ok(ApplyStep::Idle) => {
                    pause = PAUSE;
                    if !compaction.step(&self.database, self.retention, self.clock.now()) {
                        wake.wait(poll);
                    }
                }
                Err(error) => {
                    self.metrics.apply_failures.inc();
                    tracing::error!(error = %error, retry_ms = pause.as_millis(), "applying failed and is tried again");
                    wake.wait(pause);
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }

    /// One batch, and one step of a refresh if one waits.
    pub fn step(&self) -> Result<ApplyStep, ApplyError> {
        match self.attempt() {
            Err(ApplyError::MappingChanged) => {
                let mapping = self.database.read::<_, ApplyError>(|conn| Ok(mappings::in_force(conn)?))?;
                tracing::info!(mapping.version = mapping.version, "another role mapping holds from now on");
                self.rules.write().mapping = Arc::new(mapping);
                Ok(ApplyStep::Full)
            }
            // All is read anew, however long it lasts and whatever is done about it meanwhile.
            Err(error) => {
                self.ahead.forget();
                Err(error)
            }
            outcome => outcome,
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
                self.ahead.forget();
                Ok(0)
            }
        };
        // One that fails is no reason for the others to wait.
        let refreshed = if waits.refreshes { self.refresh(now) } else { Ok(false) };
        let released = if waits.holds { self.release(now) } else { Ok(false) };
        let retried = if waits.refused { self.retry(now) } else { Ok(false) };
        let (applied, refreshed, released) = (applied?, refreshed?, released?);
        let released = retried? || released;
        Ok(match applied {
            _ if released || refreshed || applied >= self.batch.deliveries => ApplyStep::Full,
            0 => ApplyStep::Idle,
            _ => ApplyStep::Worked,
        })
    }

    /// Otherwise each batch would be what came during the last one, and most of the time would go into statements and
    /// commits for a handful of events, which receivers then wait for.
    fn gather(&self) -> Duration {
        if self.database.has_one_writer() { GATHER_ON_SQLITE } else { GATHER }
    }

    fn refresh(&self, now: Timestamp) -> Result<bool, ApplyError> {
        let Some(refreshed) = recompute::step(&self.database, &self.rules(), self.batch, now)? else {
            return Ok(false);
        };
        self.log.grew(refreshed.entities);
        self.metrics.deprovisioned.inc_by(refreshed.leavers as u64);
        tracing::info!(
            entities = refreshed.entities,
            leavers = refreshed.leavers,
            "refreshed part of a directory"
        );
        self.tell(refreshed.notices);
        Ok(true)
    }

    fn release(&self, now: Timestamp) -> Result<bool, ApplyError> {
        let Some(released) = holds::step(&self.database, &self.rules(), self.batch, now)? else {
            return Ok(false);
        };
        self.log.grew(released.people);
        self.metrics.deprovisioned.inc_by(released.leavers as u64);
        tracing::info!(people = released.people, leavers = released.leavers, "released people who were held");
        self.tell(released.notices);
        Ok(true)
    }

    fn retry(&self, now: Timestamp) -> Result<bool, ApplyError> {
        let mut retried = refused::step(&self.database, &self.rules(), now)?;
        retried += refused_deliveries::step(&self.database, &self.rules(), now)?;
        self.log.grew(retried.applied);
        self.metrics.deprovisioned.inc_by(retried.leavers as u64);
        self.tell(retried.notices);
        Ok(retried.applied > 0)
    }

    fn apply(&self, now: Timestamp) -> Result<usize, ApplyError> {
        let begun = Instant::now();
        let applied = match apply::step(&self.database, &self.rules(), self.batch, &self.ahead, now) {
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
        for event in &applied.event_keys {
            tracing::debug!(event.id = %event, "delivery applied");
        }
        self.log_set_aside(&applied.set_aside);
        self.log_left_out(&applied.left_out);
        self.log_overruled(&applied.overruled);
        tracing::info!(
            deliveries = applied.deliveries,
            set_aside = applied.set_aside.len(),
            leavers = applied.leavers,
            refreshes = applied.refreshes,
            duration_ms = begun.elapsed().as_millis(),
            "applied a batch"
        );
        self.tell(applied.notices + applied.set_aside.len());
        Ok(applied.deliveries)
    }

    /// A batch that is refused for good, in which a row is locked by the host, or that fails again and again while the database can work.
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
        // A copy knows nothing of attempts and of when the next is due.
        self.ahead.forget();
        self.log.grew(outcome.applied);
        self.failures.store(0, Ordering::Relaxed);
        self.metrics.applied.inc_by(outcome.applied as u64);
        self.metrics.deprovisioned.inc_by(outcome.leavers as u64);
        self.log_set_aside(&outcome.set_aside);
        self.log_left_out(&outcome.left_out);
        self.log_overruled(&outcome.overruled);
        self.tell(outcome.notices + outcome.set_aside.len());
        Ok(outcome.applied + outcome.postponed + outcome.set_aside.len())
    }

    /// `rosterd inbox show` names the same again.
    fn log_left_out(&self, left_out: &[LeftOut]) {
        for LeftOut { event_key, values } in left_out {
            self.metrics.values_left_out.inc_by(values.len() as u64);
            tracing::warn!(
                event.id = %event_key,
                left_out = %values.join("; "),
                "part of a delivery cannot be kept and was left out; the rest is applied"
            );
        }
    }

    fn log_overruled(&self, overruled: &[Overruled]) {
        for Overruled { kind, id, removal, by } in overruled {
            self.metrics.removals_overruled.inc();
            tracing::warn!(
                event.id = %removal,
                "the removal of {kind:?} {id:?} has no effect: event {by} was not sent later and tells of a later change; compare with the directory"
            );
        }
    }

    fn log_set_aside(&self, letters: &[DeadLetter]) {
        for letter in letters {
            self.metrics.set_aside.get_or_create(&Reason { reason: letter.reason }).inc();
            tracing::error!(
                inbox.id = letter.inbox_id,
                reason = letter.reason,
                detail = %letter.detail,
                "a delivery was set aside; look at it with `rosterd inbox show {}`",
                letter.inbox_id
            );
        }
    }

    fn tell(&self, notices: usize) {
        if notices > 0 {
            self.notices.ring();
        }
    }
}
