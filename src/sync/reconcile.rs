//! All directories, or some: compared, healed through the inbox, and put on record.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::atomic::{AtomicU64, Ordering},
};

use parking_lot::Mutex;
use serde_json::json;

use super::{
    client::{ApiError, Client},
    compare::{self, CompareError, Loss, against, delivery},
    lists::{self, Item},
    losses,
    report::{Difference, Done, Report},
};
use crate::{
    audit::{self, Actor, kinds},
    broker::api::{self, Listed, Question, Said},
    db::{Database, DbError},
    decide::{DEFAULT_TENANT, Rules, Tenancy, fact::EntityKind, state::NO_CLAIM, tenant},
    inbox::append::append_within,
    runtime::clock::{Clock, Timestamp},
    tables::{
        claims,
        comparisons::{self, Comparison},
        facts,
    },
};

/// Directories that are compared at once: one that is slow, or waits for its limit, holds up nobody else for long.
const AT_ONCE: usize = 4;

#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
    #[error("{0}")]
    Compare(#[from] CompareError),
    #[error("what was read could not be applied: {0}")]
    Apply(String),
    #[error("{0} is not a directory that the API lists or the tables know")]
    UnknownDirectory(String),
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

pub struct Reconcile<'a> {
    pub database: &'a Database,
    pub client: &'a Client,
    pub rules: &'a Rules,
    pub clock: &'a Clock,
    pub tenant: Option<&'a str>,
    pub directory: Option<&'a str>,
    /// Those compared to the end since then are left out: a run that was interrupted goes on.
    pub compared_since: Option<Timestamp>,
    pub dry_run: bool,
    /// Applies all that waits, or waits until somebody else has.
    pub settle: &'a (dyn Fn() -> Result<(), String> + Sync),
    /// Told how many directories are done, of how many.
    pub progress: &'a (dyn Fn(u64, u64) + Sync),
}

/// A directory that is known, or listed, or both.
struct Subject {
    tenant_id: String,
    directory_id: String,
    listed: Option<Item>,
    /// The API names another organization than the tenant that owns it.
    is_disputed: bool,
}

impl Reconcile<'_> {
    /// Reports in the order of tenants and directories.
    pub fn run(&self) -> Result<Vec<Report>, ReconcileError> {
        self.settled()?;
        let listed = self.listed()?;
        let known: BTreeMap<String, String> = self.known()?;
        if let Some(reason) = foreign(&listed, &known) {
            return self.refused(known, reason);
        }
        let mut subjects = self.subjects(listed, known);
        if let Some(directory) = self.directory
            && subjects.is_empty()
        {
            return Err(ReconcileError::UnknownDirectory(directory.to_owned()));
        }
        if let Some(since) = self.compared_since {
            let done = self.database.read::<_, DbError>(|conn| Ok(comparisons::newest(conn, None)?))?;
            let is_done = |subject: &Subject| {
                done.iter().any(|done| {
                    done.directory_id == subject.directory_id
                        && done.complete
                        && done.checked_at >= since.micros()
                })
            };
            subjects.retain(|subject| !is_done(subject));
        }
        let context = Mutex::new(self.context(&subjects)?);
        let total = subjects.len() as u64;
        subjects.sort_by(|a, b| (&a.tenant_id, &a.directory_id).cmp(&(&b.tenant_id, &b.directory_id)));
        let queue: Mutex<VecDeque<Subject>> = Mutex::new(subjects.into());
        let (done, outcome) = (AtomicU64::new(0), Mutex::new(Vec::new()));
        (self.progress)(0, total);
        std::thread::scope(|scope| {
            for _ in 0..AT_ONCE.min(usize::try_from(total).unwrap_or(AT_ONCE)) {
                scope.spawn(|| {
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
                });
            }
        });
        let mut reports = outcome.into_inner().into_iter().collect::<Result<Vec<Report>, _>>()?;
        reports.sort_by(|a, b| (&a.tenant_id, &a.directory_id).cmp(&(&b.tenant_id, &b.directory_id)));
        Ok(reports)
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

    fn settled(&self) -> Result<(), ReconcileError> {
        if self.dry_run { Ok(()) } else { (self.settle)().map_err(ReconcileError::Apply) }
    }

    fn listed(&self) -> Result<Vec<Item>, ReconcileError> {
        // The clock first: what is listed must not be older than the instant it stands for.
        self.client.page(&Question::clock())?;
        let mut listed = Vec::new();
        lists::read(self.client, Question::directories, |page| {
            listed.extend(page);
            Ok::<(), ReconcileError>(())
        })?;
        Ok(listed)
    }

    /// Directories that stand, with their tenants.
    fn known(&self) -> Result<BTreeMap<String, String>, ReconcileError> {
        Ok(self.database.read::<_, DbError>(|conn| {
            let homes = claims::homes(conn, None)?;
            let ids: Vec<&str> = homes.iter().map(|(_, directory)| directory.as_str()).collect();
            let gone: BTreeSet<String> = facts::on(conn, &ids)?
                .into_iter()
                .filter(|(kind, _, fact)| *kind == EntityKind::Directory && !fact.live)
                .map(|(_, id, _)| id)
                .collect();
            Ok(homes
                .into_iter()
                .filter(|(_, directory)| !gone.contains(directory))
                .map(|(tenant, directory)| (directory, tenant))
                .collect())
        })?)
    }

    fn tenant_of(&self, listed: &Listed) -> String {
        match (self.rules.tenancy, listed.organization_id.as_deref().filter(|id| !id.is_empty())) {
            (Tenancy::Multi, Some(organization)) => tenant::of_organization(organization).into_owned(),
            _ => DEFAULT_TENANT.to_owned(),
        }
    }

    fn subjects(&self, listed: Vec<Item>, mut known: BTreeMap<String, String>) -> Vec<Subject> {
        let mut subjects: Vec<Subject> = listed
            .into_iter()
            .map(|item| {
                let tenant = known.remove(&item.listed.id);
                let named = self.tenant_of(&item.listed);
                let is_other =
                    |tenant: &String| *tenant != named && tenant != DEFAULT_TENANT && named != DEFAULT_TENANT;
                Subject {
                    is_disputed: tenant.as_ref().is_some_and(is_other),
                    tenant_id: tenant.unwrap_or(named),
                    directory_id: item.listed.id.clone(),
                    listed: Some(item),
                }
            })
            .collect();
        subjects.extend(known.into_iter().map(|(directory_id, tenant_id)| Subject {
            tenant_id,
            directory_id,
            listed: None,
            is_disputed: false,
        }));
        subjects.retain(|subject| {
            self.tenant.is_none_or(|tenant| tenant == subject.tenant_id)
                && self.directory.is_none_or(|directory| directory == subject.directory_id)
        });
        subjects
    }

    /// Organizations and directories themselves, before their people: a person needs a place.
    fn context(&self, subjects: &[Subject]) -> Result<Vec<Report>, ReconcileError> {
        let Some(at) = self.client.broker_now() else { return Err(ApiError::NoDate.into()) };
        let tenants: BTreeSet<&str> = subjects.iter().map(|subject| subject.tenant_id.as_str()).collect();
        let mut organizations = Vec::new();
        lists::read(self.client, Question::organizations, |page| {
            organizations.extend(
                page.into_iter().filter(|item| tenants.contains(&*tenant::of_organization(&item.listed.id))),
            );
            Ok::<(), ReconcileError>(())
        })?;
        let mut reports: BTreeMap<String, Report> = BTreeMap::new();
        let mut found: Vec<(String, Loss)> = Vec::new();
        self.database.read::<_, DbError>(|conn| {
            let ids: Vec<&str> = organizations.iter().map(|item| item.listed.id.as_str()).collect();
            let standing: Vec<_> = facts::on(conn, &ids)?
                .into_iter()
                .filter(|(kind, _, fact)| *kind == EntityKind::Organization && fact.claim_id == NO_CLAIM)
                .collect();
            for item in &organizations {
                let facts: Vec<_> = standing
                    .iter()
                    .filter(|(_, id, _)| *id == item.listed.id)
                    .map(|(_, _, w)| w.clone())
                    .collect();
                let tenant_id = tenant::of_organization(&item.listed.id).into_owned();
                let home = subjects.iter().find(|subject| subject.tenant_id == tenant_id);
                let difference = against(conn, &[], &facts, Said::Organization, "", at, item)?;
                let home = home.map(|home| home.directory_id.clone());
                found.extend(home.zip(difference.map(|(loss, _)| loss)));
            }
            for subject in subjects {
                let Some(item) = subject.listed.as_ref().filter(|_| !subject.is_disputed) else { continue };
                let directory_id = subject.directory_id.as_str();
                let claims = claims::of_directories(conn, &[directory_id])?;
                let facts: Vec<_> = facts::on(conn, &[directory_id])?
                    .into_iter()
                    .filter(|(kind, _, _)| *kind == EntityKind::Directory)
                    .map(|(_, _, fact)| fact)
                    .collect();
                let difference = against(conn, &claims, &facts, Said::Directory, directory_id, at, item)?;
                found.extend(difference.map(|(loss, _)| (directory_id.to_owned(), loss)));
            }
            Ok(())
        })?;
        self.append(found.iter().map(|(_, loss)| loss))?;
        let done = if self.dry_run { Done::None } else { Done::Healed };
        for (directory_id, loss) in found {
            let tenant_id = subjects.iter().find(|subject| subject.directory_id == directory_id);
            let tenant_id = tenant_id.map_or("", |subject| subject.tenant_id.as_str());
            let report =
                reports.entry(directory_id.clone()).or_insert_with(|| Report::of(tenant_id, &directory_id));
            report.add(Difference { done, ..loss.difference });
        }
        self.settled()?;
        Ok(reports.into_values().collect())
    }

    fn append<'b>(&self, losses: impl Iterator<Item = &'b Loss>) -> Result<(), ReconcileError> {
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
        for loss in losses {
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
                    let data = compare::known(conn, &fact, &id, directory_id, &claims)?;
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
            let loss = Loss { difference, body, user_id: None, is_access: true, by_absence: true };
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
        reason: String,
    ) -> Result<Vec<Report>, ReconcileError> {
        let mut reports: Vec<Report> = known
            .into_iter()
            .map(|(directory_id, tenant_id)| {
                let mut report = Report::of(&tenant_id, &directory_id);
                report.doubt(reason.clone());
                report
            })
            .filter(|report| {
                self.tenant.is_none_or(|tenant| tenant == report.tenant_id)
                    && self.directory.is_none_or(|directory| directory == report.directory_id)
            })
            .collect();
        reports.sort_by(|a, b| (&a.tenant_id, &a.directory_id).cmp(&(&b.tenant_id, &b.directory_id)));
        if !self.dry_run {
            self.record(&reports)?;
        }
        Ok(reports)
    }

    /// The proof: in the table, and in the chain of the tenant.
    fn record(&self, reports: &[Report]) -> Result<(), ReconcileError> {
        let now = self.clock.now();
        for some in reports.chunks(100) {
            self.database.write_in_turn::<_, DbError>(|conn| {
                let mut entries = Vec::with_capacity(some.len());
                for report in some {
                    comparisons::record(conn, &comparison(report, now))?;
                    let change = json!({
                        "complete": report.complete, "reason": report.reason, "compared_at": report.compared_at.map(|at| at.to_string()),
                        "people": report.people, "groups": report.groups, "memberships": report.memberships,
                        "differences": report.found, "healed": report.healed, "held": report.held,
                    });
                    let actor = Actor::Rule("reconcile".to_owned());
                    entries.push(audit::AuditEntry::new(
                        &report.tenant_id,
                        kinds::DIRECTORY_COMPARED,
                        &report.directory_id,
                        &change,
                        actor,
                    ));
                }
                Ok(audit::record(conn, &entries, now)?)
            })?;
        }
        Ok(())
    }
}

/// A key that shows directories, but none of those the tables know, is most likely the key of another environment; and so is
/// one that shows none at all.
fn foreign(listed: &[Item], known: &BTreeMap<String, String>) -> Option<String> {
    let is_shared = listed.iter().any(|item| known.contains_key(&item.listed.id));
    (!known.is_empty() && !is_shared).then(|| {
        "none of the directories of these tables is among those that the API key shows; is it the key of another environment?"
            .to_owned()
    })
}

fn comparison(report: &Report, now: Timestamp) -> Comparison {
    let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    Comparison {
        directory_id: report.directory_id.clone(),
        checked_at: now.micros(),
        tenant_id: report.tenant_id.clone(),
        complete: report.complete,
        reason: report.reason.clone(),
        compared_at: report.compared_at.map(Timestamp::micros),
        people: number(report.people),
        groups: number(report.groups),
        memberships: number(report.memberships),
        differences: number(report.found),
        healed: number(report.healed),
        held: number(report.held),
        // Texts and numbers: writing them cannot fail.
        report: serde_json::to_string(&report.differences).unwrap_or_default(),
    }
}
