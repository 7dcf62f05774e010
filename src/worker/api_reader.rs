//! Asks the broker, for as long as there is an API key: for missed events often, for all lists now and then.

use std::{
    sync::Arc,
    thread::JoinHandle,
    time::{Duration, Instant},
};

use crate::{
    apply::ApplyError,
    config::Config,
    db::{Database, DbError},
    decide::Rules,
    inbox::{arrivals::Arrivals, queue},
    runtime::{
        clock::{Clock, Timestamp},
        metrics::{Metrics, Outcome},
        wake::Wake,
    },
    sync::{
        catch_up::{self, PollError},
        client::{ApiError, Client},
        missed,
        reconcile::{Reconcile, ReconcileError},
        report::Report,
        schedule::{Extent, Runs},
    },
    tables::{comparisons, mappings, properties},
};

/// In `properties`: when the last run over all directories began and ended.
const BEGUN: &str = "reconciled_at";
const ENDED: &str = "reconcile_ended_at";

/// How often to look whether something is due.
const STEP: Duration = Duration::from_secs(5);

/// How long applying what was read may take before the comparison goes on without it.
const APPLYING: Duration = Duration::from_secs(600);

pub struct Asker {
    database: Database,
    client: Client,
    rules: Rules,
    clock: Clock,
    metrics: Arc<Metrics>,
    arrivals: Arrivals,
    /// Rung when something was read.
    work: Wake,
    wake: Wake,
    poll: Option<Duration>,
    every_hours: u32,
    alarm_hours: u32,
}

impl Asker {
    /// None without a key, or where nothing is to be asked. Events and lists have a thread each: a comparison may take hours, and
    /// missed events do not wait for it.
    pub fn start(
        config: &Config,
        database: &Database,
        clock: &Clock,
        metrics: &Arc<Metrics>,
        arrivals: Arrivals,
        work: Wake,
    ) -> Result<Vec<(Wake, JoinHandle<()>)>, AskError> {
        let Some(settings) = config.api() else { return Ok(Vec::new()) };
        let poll = config.poll();
        let wake = Wake::default();
        let stopping = wake.clone();
        let asker = Self {
            database: database.clone(),
            client: Client::new(&settings, move || stopping.is_stopping())?,
            rules: config.rules(),
            clock: clock.clone(),
            metrics: metrics.clone(),
            arrivals,
            work,
            wake: wake.clone(),
            poll,
            every_hours: config.reconcile.every_hours,
            alarm_hours: config.reconcile.alarm_hours,
        };
        let asker = Arc::new(asker);
        let mut threads = Vec::new();
        let mut start = |name: &str, run: fn(&Self)| {
            let asker = asker.clone();
            let thread = std::thread::Builder::new().name(name.to_owned()).spawn(move || run(&asker))?;
            threads.push((wake.clone(), thread));
            Ok::<(), std::io::Error>(())
        };
        if poll.is_some() {
            asker.arrivals.want();
            start("events", Self::follow)?;
        }
        if config.reconcile.every_hours > 0 {
            start("lists", Self::compare)?;
        }
        Ok(threads)
    }

    fn follow(&self) {
        let Some(every) = self.poll else { return };
        while !self.wake.is_stopping() {
            self.poll();
            self.wake.wait(every);
        }
    }

    fn compare(&self) {
        let mut alarmed: Option<Instant> = None;
        let mut has_just_started = true;
        while !self.wake.is_stopping() {
            if let Err(error) = self.reconcile_if_due(std::mem::take(&mut has_just_started)) {
                tracing::error!(error = %error, "the directories could not be compared; it is tried again when it is due next");
            }
            if alarmed.is_none_or(|alarmed| alarmed.elapsed() >= Duration::from_secs(3_600)) {
                self.alarm();
                alarmed = Some(Instant::now());
            }
            self.wake.wait(STEP);
        }
    }

    fn count(&self, outcome: &'static str, by: u64) {
        self.metrics.polled.get_or_create(&Outcome { outcome }).inc_by(by);
    }

    fn poll(&self) {
        match catch_up::poll(&self.database, &self.client, self.clock.now()) {
            Ok(polled) => {
                self.count("read", polled.read);
                self.count("new", polled.new);
                if polled.new > 0 {
                    self.work.ring();
                    tracing::info!(
                        events = polled.new,
                        "the API gave events that no webhook had brought yet"
                    );
                }
                if polled.out_of_order {
                    tracing::warn!(
                        "the API does not give the oldest events first; all of the window is read each time"
                    );
                }
                if polled.expired {
                    tracing::warn!(
                        "the API does not know the place any more up to which its events were read; read again from before it"
                    );
                }
                if polled.too_late {
                    tracing::error!(
                        "events were not read for longer than the API keeps them; run `rosterd reconcile` to find what they said"
                    );
                }
            }
            Err(PollError::Api(ApiError::Stopping)) => return,
            Err(error) => {
                self.count("failed", 1);
                tracing::error!(error = %error, "missed events could not be read; it is tried again");
            }
        }
        match missed::settle(&self.database, self.arrivals.last(), self.clock.now()) {
            Ok(settled) => {
                self.metrics.events_missed.inc_by(settled.missed as u64);
                if let Some(since) = settled.went_away {
                    tracing::error!(%since, "the broker's webhooks do not reach this service; it goes on by polling. Look at the endpoint in the broker's dashboard");
                }
                if settled.is_back {
                    tracing::info!("the broker's webhooks reach this service again");
                }
            }
            Err(error) => tracing::error!(error = %error, "missed events could not be counted"),
        }
    }

    /// One process does it. A run that a stop or a crash cuts short continues at the next start; one that fails is due again
    /// after its time.
    fn reconcile_if_due(&self, has_just_started: bool) -> Result<(), ReconcileError> {
        let now = self.clock.now();
        let every = i64::from(self.every_hours) * 3_600;
        let due = self.database.write::<_, DbError>(|conn| {
            let mut at = |name| Ok::<_, DbError>(properties::number(conn, name)?.map(Timestamp::from_micros));
            let runs = Runs { begun: at(BEGUN)?, ended: at(ENDED)? };
            let due = runs.due(now, every, has_just_started);
            if runs.begun.is_none() {
                properties::set(conn, ENDED, &now.micros().to_string())?;
            }
            if runs.begun.is_none() || due == Some(Extent::Whole) {
                properties::set(conn, BEGUN, &now.micros().to_string())?;
            }
            Ok(due)
        })?;
        let compared_since = match due {
            None => return Ok(()),
            Some(Extent::Whole) => None,
            Some(Extent::RestSince(begun)) => Some(begun),
        };
        let mapping = self.database.read::<_, ApplyError>(|conn| Ok(mappings::in_force(conn)?));
        let mapping = mapping.map_err(|error| ReconcileError::Apply(error.to_string()))?;
        let rules = Rules { mapping: Arc::new(mapping), ..self.rules.clone() };
        let reports = Reconcile {
            database: &self.database,
            client: &self.client,
            rules: &rules,
            clock: &self.clock,
            tenant: None,
            directory: None,
            compared_since,
            dry_run: false,
            settle: &|| self.settle(),
            progress: &|_, _| {},
        }
        .run();
        match reports {
            Err(ReconcileError::Compare(error)) if error.is_stop() => return Ok(()),
            reports => self.tell(&reports?),
        }
        let ended = self.clock.now().micros().to_string();
        Ok(self.database.write::<_, DbError>(|conn| Ok(properties::set(conn, ENDED, &ended)?))?)
    }

    fn tell(&self, reports: &[Report]) {
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
        tracing::info!(directories = reports.len(), "the directories were compared with the broker's lists");
    }

    /// Waits until what is in the inbox by now is applied.
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
        Err("the inbox is not applied after ten minutes".to_owned())
    }

    fn alarm(&self) {
        if self.alarm_hours == 0 {
            return;
        }
        let oldest = self.database.read::<_, DbError>(|conn| Ok(comparisons::oldest(conn)?));
        if let Ok(Some(oldest)) = oldest
            && self.clock.now().seconds_since(oldest) > i64::from(self.alarm_hours) * 3_600
        {
            tracing::error!(since = %oldest, "a directory was not compared with the broker's lists for too long; `rosterd sync status` says which and why");
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum AskError {
    #[error("{0}")]
    Api(#[from] ApiError),
    #[error("{0}")]
    Thread(#[from] std::io::Error),
}
