//! Delivers events like a broker: many at once, and again with growing pauses while the receiver is busy or does not
//! answer. With a rate it does not wait for answers (open loop).

use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use indicatif::ProgressBar;
use reqwest::StatusCode;
use tokio::task::JoinSet;

use super::SimulateError;
use super::attempt::{Attempt, Endpoint};
use super::event::Event;
use super::report::{Report, Tally};

const ATTEMPTS: u32 = 8;
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    /// Deliveries a second; 0 is as fast as the receiver answers.
    pub rate: u32,
    pub concurrency: u16,
}

struct Sender<I> {
    endpoint: Endpoint,
    pace: Pace,
    started: Instant,
    feed: Arc<Mutex<I>>,
    /// The number of deliveries taken from the feed.
    taken: Mutex<u64>,
    tally: Mutex<Tally>,
    /// Set if no further delivery can succeed: nothing was accepted, and the first answer tells the reason.
    stopped: Mutex<Option<SimulateError>>,
    progress: ProgressBar,
}

/// Delivers all of the feed. The caller owns the feed and can read it afterwards.
pub(super) async fn deliver<I>(
    endpoint: Endpoint,
    pace: Pace,
    feed: Arc<Mutex<I>>,
    progress: ProgressBar,
) -> Result<Report, SimulateError>
where
    I: Iterator<Item = Arc<Event>> + Send + 'static,
{
    let sender = Arc::new(Sender {
        endpoint,
        pace,
        started: Instant::now(),
        feed,
        taken: Mutex::new(0),
        tally: Mutex::new(Tally::new().map_err(SimulateError::Histogram)?),
        stopped: Mutex::new(None),
        progress,
    });
    let mut workers = JoinSet::new();
    for _ in 0..pace.concurrency.max(1) {
        workers.spawn(Arc::clone(&sender).work());
    }
    while let Some(ended) = workers.join_next().await {
        ended.map_err(SimulateError::Worker)?;
    }
    let took = sender.started.elapsed();
    sender.progress.finish_and_clear();
    let Some(sender) = Arc::into_inner(sender) else { return Err(SimulateError::Unfinished) };
    if let Some(error) = sender.stopped.into_inner().unwrap_or_else(PoisonError::into_inner) {
        return Err(error);
    }
    Ok(sender.tally.into_inner().unwrap_or_else(PoisonError::into_inner).into_report(took))
}

impl<I: Iterator<Item = Arc<Event>>> Sender<I> {
    async fn work(self: Arc<Self>) {
        while let Some((event, due)) = self.next() {
            if due > Instant::now() {
                tokio::time::sleep_until(due.into()).await;
            }
            self.see_through(&event, due).await;
            self.progress.inc(1);
        }
    }

    /// The next delivery and its due time. Without a rate that is now. With a rate it is the time in the schedule, so
    /// the latency includes the wait for a free worker.
    fn next(&self) -> Option<(Arc<Event>, Instant)> {
        if lock(&self.stopped).is_some() || lock(&self.tally).gave_up {
            return None;
        }
        // One lock for both, so that the schedule follows the feed.
        let mut taken = lock(&self.taken);
        let event = lock(&self.feed).next()?;
        let due = match u64::from(self.pace.rate) {
            0 => Instant::now(),
            rate => self.started + Duration::from_nanos(taken.saturating_mul(1_000_000_000) / rate),
        };
        *taken += 1;
        Some((event, due))
    }

    async fn see_through(&self, event: &Event, due: Instant) {
        let mut pause = FIRST_PAUSE;
        for attempt in 1..=ATTEMPTS {
            let met = self.endpoint.attempt(event).await;
            let ControlFlow::Continue(wished) = self.count(met, attempt == ATTEMPTS, due) else { return };
            tokio::time::sleep(wished.unwrap_or(pause).min(LONGEST_PAUSE)).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Counts the outcome. Continues, after the receiver's pause if it gave one, if another attempt may succeed.
    fn count(&self, met: Attempt, is_last: bool, due: Instant) -> ControlFlow<(), Option<Duration>> {
        let mut tally = lock(&self.tally);
        match met {
            Attempt::Accepted => {
                tally.accepted += 1;
                tally.time(self.started.elapsed(), due.elapsed());
            }
            Attempt::Duplicate => {
                tally.duplicates += 1;
                tally.time(self.started.elapsed(), due.elapsed());
            }
            Attempt::Refused { status, detail } => {
                tally.refused += 1;
                if tally.accepted + tally.duplicates == 0 {
                    self.stop_if_pointless(status, &detail);
                }
                tally.first_problem.get_or_insert_with(|| format!("{status} {detail}"));
            }
            Attempt::Again { reason, .. } if is_last => {
                tally.failed += 1;
                tally.failed_in_a_row += 1;
                // All attempts of every worker have failed. The rest would also fail, after hours.
                tally.gave_up |= tally.failed_in_a_row >= u64::from(self.pace.concurrency);
                tally.first_problem.get_or_insert(reason);
            }
            Attempt::Again { pause, .. } => {
                tally.retried += 1;
                return ControlFlow::Continue(pause);
            }
        }
        ControlFlow::Break(())
    }

    fn stop_if_pointless(&self, status: StatusCode, detail: &str) {
        let (url, detail) = (self.endpoint.url.to_string(), detail.to_owned());
        let error = match status {
            StatusCode::UNAUTHORIZED => SimulateError::WrongSecret { url, detail },
            StatusCode::NOT_FOUND => SimulateError::NoReceiver { url },
            _ => return,
        };
        lock(&self.stopped).get_or_insert(error);
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
