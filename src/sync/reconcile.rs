//! All directories, or some: compared, healed through the inbox, and put on record.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use parking_lot::Mutex;

use super::{
    client::{ApiError, Client},
    compare::{self, CompareError},
    difference::{Loss, delivery, known},
    losses,
    report::{Difference, Done, Report},
    schedule::Schedule,
    subjects::{self, Subject, foreign},
};
use crate::{
    broker::api::{self, Question, Said},
    db::{Database, DbError},
    decide::{Rules, fact::EntityKind},
    inbox::insert::append_within,
    runtime::{
        clock::{Clock, Timestamp},
        wake::Wake,
    },
    tables::{claims, comparisons, facts},
};

/// Directories that are compared at once: one that is slow, or waits for its limit, holds up nobody else for long.
const AT_ONCE: usize = 4;

/// The pause between two looks for something to apply.
const APPLY_EVERY: Duration = Duration::from_millis(250);

#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
    #[error("{0}")]
    Compare(#[from] CompareError),
    #[error("what was read could not be applied: {0}")]
    Apply(String),
    #[error("{0} is not a directory that the API lists or the tables know")]
    UnknownDirectory(String),
}

impl ReconcileError {
    /// The service is stopping, which is no failure.
    pub fn is_stop(&self) -> bool {
        matches!(self, Self::Compare(error) if error.is_stop())
    }
}

impl From<ApiError> for ReconcileError {
    fn from(error: ApiError) -> Self {
        Self::Compare(error.into())
    }
}

impl From<DbError> for ReconcileError {
    fn from(error: DbError) -> Self {
        Self::Compare(error.into())
    }
}

impl From<diesel::result::Error> for ReconcileError {
    fn from(error: diesel::result::Error) -> Self {
        Self::Compare(error.into())
    }
}

/// Which of the directories are compared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Which {
    #[default]
    All,
    /// All except those that were compared to the end since then: a run that was interrupted goes on.
    Rest(Timestamp),
    /// Those whose turn has come.
    Due(Schedule),
    Of(BTreeSet<String>),
}

/// When a directory was last compared, and when to the end.
#[derive(Default)]
struct Compared {
    last: BTreeMap<String, Timestamp>,
    complete: BTreeMap<String, Timestamp>,
}

impl Which {
    fn includes(&self, directory_id: &str, compared: &Compared) -> bool {
        match self {
            Self::All => true,
            Self::Rest(since) => compared.complete.get(directory_id).is_none_or(|at| at < since),
            Self::Due(schedule) => schedule.is_due(directory_id, compared.last.get(directory_id).copied()),
            Self::Of(ids) => ids.contains(directory_id),
        }
    }
}

pub struct Reconcile<'a> {
    pub database: &'a Database,
    pub client: &'a Client,
    pub rules: &'a Rules,
    pub clock: &'a Clock,
    pub tenant: Option<&'a str>,
    pub directory: Option<&'a str>,
    pub which: Which,
    pub dry_run: bool,
    /// Applies all that waits, or waits until somebody else has.
    pub settle: &'a (dyn Fn() -> Result<(), String> + Sync),
    /// Told how many directories are done, of how many.
    pub progress: &'a (dyn Fn(u64, u64) + Sync),
}

impl Reconcile<'_> {
    /// Reports in the order of tenants and directories.
    pub fn run(&self) -> Result<Vec<Report>, ReconcileError> {
        self.settled()?;
        let listed = self.listed()?;
        let (known, compared) = self.database.read::<_, DbError>(|conn| {
            let compared = match self.which {
                Which::All | Which::Of(_) => Compared::default(),
                Which::Rest(_) | Which::Due(_) => {
                    Compared { last: comparisons::checked(conn)?, complete: comparisons::completed(conn)? }
                }
            };
            Ok((subjects::known(conn)?, compared))
        })?;
        if let Some(reason) = foreign(&listed, &known) {
            return self.refused(known, &compared, reason);
        }
        let mut subjects = self.subjects(listed, known);
        if let Some(directory) = self.directory
            && subjects.is_empty()
        {
            return Err(ReconcileError::UnknownDirectory(directory.to_owned()));
        }
        subjects.retain(|subject| self.which.includes(&subject.directory_id, &compared));
        let context = Mutex::new(self.context(&subjects)?);
        let total = subjects.len() as u64;
        subjects.sort_by(|a, b| (&a.tenant_id, &a.directory_id).cmp(&(&b.tenant_id, &b.directory_id)));
        let queue: Mutex<VecDeque<Subject>> = Mutex::new(subjects.into());
        let (done, outcome) = (AtomicU64::new(0), Mutex::new(Vec::new()));
        (self.progress)(0, total);
        let work = || {
            loop {
                let next = queue.lock().pop_front();
                let Some(subject) = next else { return };
                let compared = self.one(&subject).and_then(|report| self.finished(report, &context));
                let stop = compared.is_err();
                outcome.lock().push(compared);
                (self.progress)(done.fetch_add(1, Ordering::SeqCst) + 1, total);
                if stop {
                    queue.lock().clear();
                }
            }
        };
        let finished = Wake::default();
        std::thread::scope(|scope| {
            let workers = AT_ONCE.min(usize::try_from(total).unwrap_or(AT_ONCE));
            let workers: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
            scope.spawn(|| self.apply_until(&finished));
            workers.into_iter().for_each(|worker| drop(worker.join()));
            finished.stop();
        });
        let mut reports = outcome.into_inner().into_iter().collect::<Result<Vec<Report>, _>>()?;
        reports.sort_by(|a, b| (&a.tenant_id, &a.directory_id).cmp(&(&b.tenant_id, &b.directory_id)));
        Ok(reports)
    }

    /// What the operator asked for.
    pub(super) fn concerns(&self, tenant_id: &str, directory_id: &str) -> bool {
        self.tenant.is_none_or(|tenant| tenant == tenant_id)
            && self.directory.is_none_or(|directory| directory == directory_id)
    }

    /// With the differences around it, and on record.
    fn finished(&self, mut report: Report, context: &Mutex<Vec<Report>>) -> Result<Report, ReconcileError> {
        let before = {
            let mut context = context.lock();
            let place = context.iter().position(|of| of.directory_id == report.directory_id);
            place.map(|place| context.swap_remove(place))
        };
        for difference in before.into_iter().flat_map(|before| before.differences) {
            report.add(difference);
        }
        if !self.dry_run {
            self.record(std::slice::from_ref(&report))?;
        }
        Ok(report)
    }

    pub(super) fn settled(&self) -> Result<(), ReconcileError> {
        if self.dry_run { Ok(()) } else { (self.settle)().map_err(ReconcileError::Apply) }
    }

    /// Applies what the lists bring in while further pages are read, so that a large directory takes no longer than its
    /// requests. A failure ends this alone: the comparison meets it again when it waits for the end of applying.
    fn apply_until(&self, finished: &Wake) {
        while !self.dry_run && !finished.is_stopping() && (self.settle)().is_ok() {
            finished.wait(APPLY_EVERY);
        }
    }

    pub(super) fn append<'b>(&self, losses: impl Iterator<Item = &'b Loss>) -> Result<(), ReconcileError> {
        if self.dry_run {
            return Ok(());
        }
        let now = self.clock.now();
        let deliveries: Vec<_> = losses.map(|loss| delivery(&loss.body, now)).collect();
        for some in deliveries.chunks(1_000) {
            self.database.write::<_, DbError>(|conn| append_within(conn, some))?;
        }
        Ok(())
    }

    fn one(&self, subject: &Subject) -> Result<Report, ReconcileError> {
        let Some(item) = &subject.listed else { return self.gone(subject) };
        if subject.is_disputed {
            let named = item.listed.organization_id.as_deref().unwrap_or_default();
            let mut report = Report::of(&subject.tenant_id, &subject.directory_id);
            report.doubt(format!(
                "the API names organization {named} for this directory, which belongs to another tenant"
            ));
            return Ok(report);
        }
        let now = self.clock.now();
        let (mut report, losses) = compare::compare(
            self.database,
            self.client,
            &subject.tenant_id,
            &item.listed,
            self.dry_run,
            now,
        )?;
        let mut held = BTreeSet::new();
        if !self.dry_run {
            if !losses.is_empty() {
                let directory = (subject.tenant_id.clone(), subject.directory_id.clone());
                // Those who came are there before anybody goes: the guard weighs who is active.
                self.settled()?;
                losses::append(self.database, self.rules, &directory, &losses, now)?;
            }
            self.settled()?;
            held = losses::held(self.database, &subject.tenant_id, &losses)?;
        }
        for loss in losses.into_iter().filter(|loss| !loss.is_hidden) {
            let is_held = loss.user_id.as_ref().is_some_and(|id| held.contains(id));
            let done = match (self.dry_run, is_held) {
                (true, _) => Done::None,
                (false, true) => Done::Held,
                (false, false) => Done::Healed,
            };
            report.add(Difference { done, ..loss.difference });
        }
        Ok(report)
    }

    /// A directory that is known and not listed. The API is asked for it by name before it counts as deleted.
    fn gone(&self, subject: &Subject) -> Result<Report, ReconcileError> {
        let mut report = Report::of(&subject.tenant_id, &subject.directory_id);
        let at = self.client.broker_now();
        report.compared_at = at;
        let asked = self.client.object(&Question::directory(&subject.directory_id));
        let (Err(error), Some(at)) = (asked, at) else {
            report.doubt("the directory is not in the list of directories, but the API knows it");
            return Ok(report);
        };
        if error == ApiError::Stopping {
            return Err(error.into());
        }
        if error.status() != Some(404) {
            report.doubt(format!(
                "the directory is not in the list of directories, and could not be asked for: {error}"
            ));
            return Ok(report);
        }
        let directory_id = subject.directory_id.as_str();
        let bodies = self.database.read::<_, DbError>(|conn| {
            let claims = claims::of_directories(conn, &[directory_id])?;
            let mut bodies = Vec::new();
            for (kind, id, fact) in facts::on(conn, &[directory_id])? {
                if kind == EntityKind::Directory && fact.live && fact.version.emitted <= at {
                    let data = known(conn, &fact, &id, directory_id, &claims)?;
                    bodies.push(api::observed(
                        Said::DirectoryGone,
                        directory_id,
                        &id,
                        at,
                        None,
                        &data.to_string(),
                    ));
                }
            }
            Ok(bodies)
        })?;
        for body in bodies {
            let difference = Difference {
                kind: "directory",
                id: directory_id.to_owned(),
                tables: "exists".to_owned(),
                broker: "absent".to_owned(),
                cause: format!("its deletion was missed: not listed at {at}"),
                done: Done::None,
            };
            let loss =
                Loss { difference, body, user_id: None, is_access: true, by_absence: true, is_hidden: false };
            self.append(std::iter::once(&loss))?;
            let done = if self.dry_run { Done::None } else { Done::Healed };
            report.add(Difference { done, ..loss.difference });
        }
        self.settled()?;
        Ok(report)
    }

    /// The key shows directories, and none of those that are known.
    fn refused(
        &self,
        known: BTreeMap<String, String>,
        compared: &Compared,
        reason: String,
    ) -> Result<Vec<Report>, ReconcileError> {
        let mut reports: Vec<Report> = known
            .into_iter()
            .filter(|(directory_id, tenant_id)| {
                self.concerns(tenant_id, directory_id) && self.which.includes(directory_id, compared)
            })
            .map(|(directory_id, tenant_id)| {
                let mut report = Report::of(&tenant_id, &directory_id);
                report.doubt(reason.clone());
                report
            })
            .collect();
        reports.sort_by(|a, b| (&a.tenant_id, &a.directory_id).cmp(&(&b.tenant_id, &b.directory_id)));
        if !self.dry_run {
            self.record(&reports)?;
        }
        Ok(reports)
    }
}
