//! Compares all directories, or some: repairs differences through the inbox, and records the result.

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
    broker::api::{self, ListStatement, Question},
    db::{Database, DbError},
    decide::{Rules, fact::EntityKind},
    inbox::insert::append_within,
    runtime::{
        clock::{Clock, Timestamp},
        wake::Wake,
    },
    tables::{claims, comparisons, facts},
};

/// The number of directories that are compared at once. A directory that is slow, or waits for its limit, does not
/// delay the others for long.
const AT_ONCE: usize = 4;

/// The pause between two looks for something to apply.
const APPLY_EVERY: Duration = Duration::from_millis(250);

#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
    #[error("{0}")]
    Compare(#[from] CompareError),
    #[error("the stored differences could not be applied: {0}")]
    Apply(String),
    #[error("directory {0} is neither in the API's list nor in the tables")]
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

/// The directories to compare.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Which {
    #[default]
    All,
    /// All except those whose comparison was complete since then: an interrupted run continues.
    Rest(Timestamp),
    /// The directories that are due.
    Due(Schedule),
    Of(BTreeSet<String>),
}

/// The time of each directory's last comparison, and of its last complete one.
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
    /// Applies everything that waits, or waits until another process has applied it.
    pub settle: &'a (dyn Fn() -> Result<(), String> + Sync),
    /// Called with the number of finished directories, and of all.
    pub progress: &'a (dyn Fn(u64, u64) + Sync),
}

impl Reconcile<'_> {
    /// Returns reports in the order of tenants and directories.
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

    /// Whether the operator asked for this directory.
    pub(super) fn is_requested(&self, tenant_id: &str, directory_id: &str) -> bool {
        self.tenant.is_none_or(|tenant| tenant == tenant_id)
            && self.directory.is_none_or(|directory| directory == directory_id)
    }

    /// Adds the differences of the directory itself and its organization, and records the report.
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

    /// Applies stored differences while further pages are read, so that a large directory takes no longer than its
    /// requests. A failure ends only this thread: the comparison fails, too, when it waits for the end of applying.
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
                // New people are applied before losses: the guard counts the active people.
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

    /// Compares a directory that is known and not listed. It counts as deleted only if the API does not know its id
    /// either.
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
                "the directory is not in the list of directories, and the API does not answer about it: {error}"
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
                        ListStatement::DirectoryGone,
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

    /// Reports for a key that lists none of the known directories.
    fn refused(
        &self,
        known: BTreeMap<String, String>,
        compared: &Compared,
        reason: String,
    ) -> Result<Vec<Report>, ReconcileError> {
        let mut reports: Vec<Report> = known
            .into_iter()
            .filter(|(directory_id, tenant_id)| {
                self.is_requested(tenant_id, directory_id) && self.which.includes(directory_id, compared)
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
