//! Reads from the broker's API when there is an API key: missed events every few minutes, complete lists on a schedule.

use std::{sync::Arc, thread::JoinHandle, time::Duration};

use super::reconciler::Comparer;
use crate::{
    config::Config,
    db::Database,
    inbox::arrivals::Arrivals,
    runtime::{
        clock::Clock,
        metrics::{Metrics, Outcome},
        wake::Wake,
    },
    sync::{
        catch_up::{self, PollError},
        client::{ApiError, Client},
        missed,
    },
};

/// Reads missed events.
pub struct EventReader {
    database: Database,
    client: Arc<Client>,
    clock: Clock,
    metrics: Arc<Metrics>,
    arrivals: Arrivals,
    /// Rung when events were read.
    work: Wake,
    wake: Wake,
}

/// Returns no threads without an API key. Events and lists have a thread each: a comparison may take hours, and missed
/// events do not wait for it.
pub fn start(
    config: &Config,
    database: &Database,
    clock: &Clock,
    metrics: &Arc<Metrics>,
    arrivals: Arrivals,
    work: Wake,
) -> Result<Vec<(Wake, JoinHandle<()>)>, ApiReaderError> {
    let Some(settings) = config.api() else { return Ok(Vec::new()) };
    let wake = Wake::default();
    let stopping = wake.clone();
    let client = Arc::new(Client::new(&settings, move || stopping.is_stopping())?);
    let mut threads = Vec::new();
    if let Some(every) = config.poll() {
        let reader = EventReader {
            database: database.clone(),
            client: client.clone(),
            clock: clock.clone(),
            metrics: metrics.clone(),
            arrivals,
            work: work.clone(),
            wake: wake.clone(),
        };
        reader.arrivals.want();
        let follow = move || reader.follow(every);
        threads.push(std::thread::Builder::new().name("events".to_owned()).spawn(follow)?);
    }
    if config.reconcile.every_hours > 0 || config.mail.silent_days > 0 {
        let comparer = Comparer {
            database: database.clone(),
            client,
            rules: config.rules(),
            clock: clock.clone(),
            metrics: metrics.clone(),
            work,
            wake: wake.clone(),
            settings: config.reconcile,
            silent_days: config.mail.silent_days,
        };
        threads.push(std::thread::Builder::new().name("lists".to_owned()).spawn(move || comparer.compare())?);
    }
    Ok(threads.into_iter().map(|thread| (wake.clone(), thread)).collect())
}

impl EventReader {
    fn follow(&self, every: Duration) {
        while !self.wake.is_stopping() {
            self.poll();
            self.wake.wait(every);
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
                        "the API returned events that no webhook had delivered yet"
                    );
                }
                if polled.out_of_order {
                    tracing::warn!(
                        "the API does not return the oldest events first; the whole window is read each time"
                    );
                }
                if polled.expired {
                    tracing::warn!(
                        "the API no longer knows the event up to which its events were read; the service reads again from an earlier time"
                    );
                }
                if polled.too_late {
                    tracing::error!(
                        "events were not read for longer than the API keeps them; run `rosterd reconcile` to find their changes"
                    );
                }
            }
            Err(PollError::Api(ApiError::Stopping)) => return,
            Err(error) => {
                self.count("failed", 1);
                tracing::error!(error = %error, "missed events could not be read; the service tries again");
            }
        }
        match missed::settle(&self.database, self.arrivals.last(), self.clock.now()) {
            Ok(settled) => {
                self.metrics.events_missed.inc_by(settled.missed as u64);
                if let Some(since) = settled.went_away {
                    tracing::error!(%since, "the broker's webhooks do not reach this service; it polls the events instead. Look at the endpoint in the broker's dashboard");
                }
                if settled.is_back {
                    tracing::info!("the broker's webhooks reach this service again");
                }
            }
            Err(error) => tracing::error!(error = %error, "missed events could not be counted"),
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum ApiReaderError {
    #[error("{0}")]
    Api(#[from] ApiError),
    #[error("{0}")]
    Thread(#[from] std::io::Error),
}
