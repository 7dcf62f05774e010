//! A broker that accepts only a 2xx as an answer, and remembers the events that got one.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rosterd::{runtime::clock::Clock, simulate::Event};
use serde_json::Value;

use crate::harness::{SECRET, broker::signature};

const CONCURRENCY: usize = 12;
/// The percentage of events that are delivered twice.
const DUPLICATES: u32 = 15;
const PAUSE: Duration = Duration::from_millis(15);

/// The answers of the receivers.
#[derive(Clone, Debug, Default)]
pub struct Answers {
    /// Every event that got a 2xx.
    pub acknowledged: BTreeSet<String>,
    /// How often each event was answered as new.
    pub accepted: BTreeMap<String, usize>,
    /// The number of 503s.
    pub refused: usize,
    /// Connections that were refused or broke before an answer.
    pub unanswered: usize,
    /// Answers that no correct delivery may get.
    pub wrong: Vec<String>,
}

#[derive(Default)]
struct Shared {
    /// Deliveries in the order of the wire, with duplicates.
    deliveries: Vec<Event>,
    allowed: AtomicUsize,
    taken: AtomicUsize,
    done: AtomicUsize,
    receivers: Mutex<Vec<SocketAddr>>,
    answers: Mutex<Answers>,
    stopping: AtomicBool,
}

pub struct Load {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Load {
    /// Delivers nothing yet. `allow` begins.
    pub fn start(events: &[Event], dice: &mut ChaCha8Rng) -> Self {
        let deliveries = on_the_wire(events, dice);
        let shared = Arc::new(Shared { deliveries, ..Shared::default() });
        let seeds: Vec<u64> = (0..CONCURRENCY).map(|_| dice.random()).collect();
        let sending = shared.clone();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let client =
                reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(10)).build().unwrap();
            runtime.block_on(async {
                let senders = seeds.into_iter().map(|seed| {
                    let (shared, client) = (sending.clone(), client.clone());
                    tokio::spawn(async move { shared.send(&client, ChaCha8Rng::seed_from_u64(seed)).await })
                });
                for sender in senders.collect::<Vec<_>>() {
                    sender.await.unwrap();
                }
            });
        });
        Self { shared, thread: Some(thread) }
    }

    /// The number of deliveries.
    pub fn len(&self) -> usize {
        self.shared.deliveries.len()
    }

    /// The number of deliveries with a 2xx.
    pub fn done(&self) -> usize {
        self.shared.done.load(Ordering::SeqCst)
    }

    /// Allows this number of deliveries, counted from the first.
    pub fn allow(&self, deliveries: usize) {
        self.shared.allowed.fetch_max(deliveries.min(self.len()), Ordering::SeqCst);
    }

    pub fn allowed(&self) -> usize {
        self.shared.allowed.load(Ordering::SeqCst)
    }

    pub fn wait_for(&self, deliveries: usize) {
        self.wait("deliveries to get their 2xx", || self.done() >= deliveries);
    }

    /// Waits for this number of further 503s.
    pub fn wait_for_refusals(&self, more: usize) {
        let refused = || self.shared.answers.lock().refused;
        let enough = refused() + more;
        self.wait("deliveries to be refused", || refused() >= enough);
    }

    fn wait(&self, what: &str, done: impl Fn() -> bool) {
        let mut moved = (self.done(), Instant::now());
        while !done() {
            if self.done() > moved.0 {
                moved = (self.done(), Instant::now());
            }
            if moved.1.elapsed() > Duration::from_secs(40) {
                let Answers { refused, unanswered, wrong, .. } = self.answers();
                panic!(
                    "waited for {what}: {} of {} done, {refused} refused, {unanswered} unanswered, wrong: {wrong:?}",
                    self.done(),
                    self.len(),
                );
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    pub fn answers(&self) -> Answers {
        self.shared.answers.lock().clone()
    }

    pub fn add(&self, receiver: SocketAddr) {
        self.shared.receivers.lock().push(receiver);
    }

    pub fn remove(&self, receiver: SocketAddr) {
        self.shared.receivers.lock().retain(|one| *one != receiver);
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

/// In the broker's order, with second copies somewhere later.
fn on_the_wire(events: &[Event], dice: &mut ChaCha8Rng) -> Vec<Event> {
    let mut wire: Vec<(usize, &Event)> = events.iter().enumerate().collect();
    for (n, event) in events.iter().enumerate() {
        if dice.random_ratio(DUPLICATES, 100) {
            wire.push((n + dice.random_range(0..100), event));
        }
    }
    wire.sort_by_key(|(place, _)| *place);
    wire.into_iter().map(|(_, event)| event.clone()).collect()
}

enum Answer {
    Stored,
    TryAgain,
}

impl Shared {
    async fn send(&self, client: &reqwest::Client, mut dice: ChaCha8Rng) {
        while !self.stopping.load(Ordering::SeqCst) {
            let Some(event) = self.take() else {
                if self.taken.load(Ordering::SeqCst) >= self.deliveries.len() {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(2)).await;
                continue;
            };
            while !self.stopping.load(Ordering::SeqCst) {
                if let Answer::Stored = self.attempt(client, event, &mut dice).await {
                    self.done.fetch_add(1, Ordering::SeqCst);
                    break;
                }
                tokio::time::sleep(PAUSE.mul_f64(dice.random_range(0.5..1.5))).await;
            }
        }
    }

    fn take(&self) -> Option<&Event> {
        let allowed = self.allowed.load(Ordering::SeqCst);
        let next = |taken: usize| (taken < allowed).then_some(taken + 1);
        let taken = self.taken.fetch_update(Ordering::SeqCst, Ordering::SeqCst, next).ok()?;
        self.deliveries.get(taken)
    }

    async fn attempt(&self, client: &reqwest::Client, event: &Event, dice: &mut ChaCha8Rng) -> Answer {
        let receivers = self.receivers.lock().clone();
        if receivers.is_empty() {
            return Answer::TryAgain;
        }
        let receiver = receivers[dice.random_range(0..receivers.len())];
        let request = client
            .post(format!("http://{receiver}/webhooks/workos"))
            .header("WorkOS-Signature", signature(SECRET, Clock::System.now().millis(), &event.body))
            .body(event.body.clone());
        let Ok(response) = request.send().await else {
            self.answers.lock().unanswered += 1;
            return Answer::TryAgain;
        };
        let status = response.status().as_u16();
        if status == 200 {
            // The status line is the acknowledgement, even if the body does not arrive.
            self.answers.lock().acknowledged.insert(event.id.clone());
        }
        let body = response.text().await;
        let mut answers = self.answers.lock();
        match (status, body) {
            (200, Ok(body)) => {
                let body: Value = serde_json::from_str(&body).unwrap_or_default();
                match body["status"].as_str() {
                    Some("accepted") => *answers.accepted.entry(event.id.clone()).or_default() += 1,
                    Some("duplicate") => {}
                    _ => answers.wrong.push(format!("200 {body}")),
                }
                Answer::Stored
            }
            (200, Err(_)) => Answer::Stored,
            (503, _) => {
                answers.refused += 1;
                Answer::TryAgain
            }
            (_, body) => {
                answers.wrong.push(format!("{status} {body:?}"));
                Answer::TryAgain
            }
        }
    }
}
