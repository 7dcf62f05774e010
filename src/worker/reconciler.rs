//! Compares each directory with the broker's lists when it is due. Runs when there is an API key.

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

use crate::{
    apply::ApplyError,
    config,
    db::{Database, DbError},
    decide::Rules,
    inbox::queue,
    runtime::{
        clock::Clock,
        metrics::{Metrics, Outcome},
        wake::Wake,
    },
    sync::{
        client::Client,
        not_compared,
        reconcile::{Reconcile, ReconcileError, Which},
        report::Report,
        runs, silence,
    },
    tables::mappings,
};

/// How often to look whether a directory is due.
const LOOK: Duration = Duration::from_secs(60);

/// After a run that could not begin, for example because the API did not answer.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(300);

/// How often to look for silent directories and overdue comparisons. Both are counted in hours and days.
const NOTICES: Duration = Duration::from_secs(600);

/// How long the comparison waits until the deliveries that it has read are applied.
const APPLYING: Duration = Duration::from_secs(600);

pub(super) struct Comparer {
    pub(super) database: Database,
    pub(super) client: Arc<Client>,
    pub(super) rules: Rules,
    pub(super) clock: Clock,
    pub(super) metrics: Arc<Metrics>,
    /// Rung when deliveries were stored.
    pub(super) work: Wake,
    pub(super) wake: Wake,
    pub(super) settings: config::Reconcile,
    pub(super) silent_days: u32,
}

impl Comparer {
    pub(super) fn compare(&self) {
        let mut noticed: Option<Instant> = None;
        let mut has_just_started = true;
        while !self.wake.is_stopping() {
            let mut pause = LOOK;
            if let Err(error) = self.reconcile_if_due(std::mem::take(&mut has_just_started)) {
                pause = PAUSE_AFTER_FAILURE;
                tracing::error!(error = %error, "the directories could not be compared; the service tries again in five minutes");
            }
            if noticed.is_none_or(|noticed| noticed.elapsed() >= NOTICES) {
                self.notice();
                noticed = Some(Instant::now());
            }
            self.wake.wait(pause);
        }
    }

    fn reconcile_if_due(&self, has_just_started: bool) -> Result<(), ReconcileError> {
        let every = i64::from(self.settings.every_hours) * 3_600;
        if every == 0 {
            return Ok(());
        }
        let begun = runs::begin(&self.database, self.clock.now(), every, has_just_started)?;
        let Some(schedule) = begun else { return Ok(()) };
        let reports = self.run(Which::Due(schedule));
        runs::end(&self.database, self.clock.now())?;
        match reports {
            Err(_) if self.wake.is_stopping() => Ok(()),
            reports => {
                self.log(&reports?);
                Ok(())
            }
        }
    }

    fn run(&self, which: Which) -> Result<Vec<Report>, ReconcileError> {
        let mapping = self.database.read::<_, ApplyError>(|conn| Ok(mappings::in_force(conn)?));
        let mapping = mapping.map_err(|error| ReconcileError::Apply(error.to_string()))?;
        let rules = Rules { mapping: Arc::new(mapping), ..self.rules.clone() };
        Reconcile {
            database: &self.database,
            client: &self.client,
            rules: &rules,
            clock: &self.clock,
            tenant: None,
            directory: None,
            which,
            dry_run: false,
            settle: &|| self.settle(),
            progress: &|_, _| {},
        }
        .run()
    }

    fn notice(&self) {
        let now = self.clock.now();
        let ask = |ids: BTreeSet<String>| {
            let reports = self.run(Which::Of(ids))?;
            self.log(&reports);
            Ok(reports)
        };
        match silence::look(&self.database, now, self.silent_days, ask) {
            Err(_) if self.wake.is_stopping() => return,
            Err(error) => tracing::error!(error = %error, "the search for silent directories failed"),
            Ok(silent) => {
                for one in silent {
                    tracing::warn!(tenant.id = %one.tenant_id, directory.id = %one.directory_id, "a directory is silent, and could not be compared completely");
                }
            }
        }
        // Without automatic comparisons each directory would be reported.
        if self.settings.alarm_hours == 0 || self.settings.every_hours == 0 {
            return;
        }
        match not_compared::look(&self.database, self.settings.alarm_hours, now) {
            Ok(changes) => {
                for (id, since) in &changes.late {
                    tracing::error!(directory.id = %id, %since, "a directory was not compared with the broker's lists for too long; `rosterd sync status` gives the reason");
                }
                for id in changes.over.keys() {
                    tracing::info!(directory.id = %id, "a directory was compared with the broker's lists again");
                }
            }
            Err(error) => tracing::error!(error = %error, "the age of comparisons could not be read"),
        }
    }

    fn log(&self, reports: &[Report]) {
        for report in reports {
            let count = |outcome, by| {
                self.metrics.differences.get_or_create(&Outcome { outcome }).inc_by(by);
            };
            count("healed", report.healed);
            count("held", report.held);
            if let Some(reason) = &report.reason {
                tracing::warn!(tenant.id = %report.tenant_id, directory.id = %report.directory_id, %reason, "a directory was not compared to the end; nobody is removed for being absent from its lists");
            }
            if report.found > 0 {
                tracing::warn!(tenant.id = %report.tenant_id, directory.id = %report.directory_id, differences = report.found, healed = report.healed, held = report.held, "a directory differed from the broker's lists");
            }
        }
        if !reports.is_empty() {
            tracing::info!(directories = reports.len(), "directories were compared with the broker's lists");
        }
    }

    /// Waits until everything that is in the inbox now has been applied.
    fn settle(&self) -> Result<(), String> {
        let newest = self
            .database
            .read::<Option<i64>, DbError>(|conn| Ok(queue::newest(conn)?))
            .map_err(|error| error.to_string())?;
        let Some(newest) = newest else { return Ok(()) };
        self.work.ring();
        let begun = Instant::now();
        while begun.elapsed() < APPLYING {
            if self.wake.is_stopping() {
                return Err("the service is stopping".to_owned());
            }
            let now = self.clock.now().micros();
            let waiting = self.database.read::<i64, DbError>(|conn| Ok(queue::due_until(conn, newest, now)?));
            if waiting.map_err(|error| error.to_string())? == 0 {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Err("the inbox was not applied within ten minutes".to_owned())
    }
}
