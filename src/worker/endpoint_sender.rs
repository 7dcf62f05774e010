//! Posts the records of the change feed to the endpoints. Each endpoint is a task of its own, so one that is slow or fails
//! delays no other one.
//!
//! Several processes may serve one database: a process posts to an endpoint while it has the lease, and its writes have an
//! effect only while the fence has the number of its lease. A crash loses only the memory of what was posted since the last
//! write; those records are posted again.

mod course_run;
pub mod post;
mod resolver;

use std::{
    collections::HashMap,
    sync::Arc,
    thread::JoinHandle,
    time::{Duration, Instant},
};

use diesel::QueryResult;
use tokio::{
    sync::{Notify, watch},
    task,
    time::{sleep, timeout},
};

use super::watchdog::{self, Shift};
use crate::{
    db::{Conn, Database, DbError},
    endpoints::{
        EndpointLimits,
        stored::{self, Endpoint, Lease},
    },
    feed::head,
    runtime::{
        clock::{Clock, Timestamp},
        metrics::{Metrics, Outcome},
        wake::Wake,
    },
};
use course_run::CourseRun;
use post::Poster;

/// The interval in which records of other processes are noticed.
const POLL: Duration = Duration::from_millis(100);
/// The interval in which new and changed endpoints are noticed.
const LOOK: Duration = Duration::from_secs(1);
/// The pause after a failure of the database.
const PAUSE: Duration = Duration::from_secs(1);

/// Seconds by which a lease is longer than a request.
const LEASE_MARGIN: u64 = 10;
/// Within this time after the last extension of the lease, requests begin. So they end before the lease does.
const SENDING: Duration = Duration::from_secs(8);

/// Attempts to give a lease back.
const RELEASES: usize = 20;

/// At the end of the service, the tasks have this time.
const END: Duration = Duration::from_secs(3);

/// Why posting to an endpoint begins again.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The database failed.
    #[error("{0}")]
    Database(#[from] DbError),
    /// A thread ended.
    #[error("{0}")]
    Task(#[from] task::JoinError),
    /// The secret cannot be read.
    #[error("the secret of the endpoint cannot be read; make a new one with `rosterd endpoints rotate`")]
    Secret,
}

impl From<diesel::result::Error> for SendError {
    fn from(error: diesel::result::Error) -> Self {
        Self::Database(error.into())
    }
}

/// The parts that all tasks share.
#[derive(Clone)]
struct Shared {
    database: Database,
    clock: Clock,
    limits: EndpointLimits,
    metrics: Arc<Metrics>,
    poster: Poster,
}

impl Shared {
    /// Runs a call of the database, which blocks, beside the tasks.
    async fn call<T: Send + 'static>(
        &self,
        run: impl FnOnce(&Database) -> Result<T, SendError> + Send + 'static,
    ) -> Result<T, SendError> {
        let database = self.database.clone();
        task::spawn_blocking(move || run(&database)).await?
    }

    async fn read<T: Send + 'static>(
        &self,
        run: impl FnOnce(&mut Conn) -> QueryResult<T> + Send + 'static,
    ) -> Result<T, SendError> {
        self.call(|database| database.read(|conn| Ok(run(conn)?))).await
    }

    async fn write<T: Send + 'static>(
        &self,
        run: impl FnOnce(&mut Conn) -> QueryResult<T> + Send + 'static,
    ) -> Result<T, SendError> {
        self.call(|database| database.write(|conn| Ok(run(conn)?))).await
    }

    fn lease_until(&self) -> Timestamp {
        let seconds = self.limits.timeout_seconds.saturating_add(LEASE_MARGIN);
        self.clock.now().plus_seconds(i64::try_from(seconds).unwrap_or(i64::MAX))
    }

    fn count(&self, outcome: &'static str, number: i64) {
        let counter = self.metrics.webhooks.get_or_create(&Outcome { outcome }).clone();
        counter.inc_by(u64::try_from(number).unwrap_or_default());
    }
}

/// Starts the thread. `changes` is notified when rows may have changed.
pub fn start(
    database: &Database,
    clock: Clock,
    limits: EndpointLimits,
    metrics: Arc<Metrics>,
    changes: Arc<Notify>,
) -> std::io::Result<(Wake, JoinHandle<()>)> {
    let (database, watch) = database.watched();
    let poster = Poster::new(Duration::from_secs(limits.timeout_seconds.max(1)))?;
    let wake = Wake::default();
    let shared = Shared { database: database.clone(), clock, limits, metrics, poster };
    let thread = watchdog::start("endpoints", (database, watch), wake.clone(), move |shift| {
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => {
                return tracing::error!(%error, "no webhooks are sent to endpoints: a thread could not be started");
            }
        };
        runtime.block_on(supervise(&shared, shift, &changes));
        // A call of the database may never return.
        runtime.shutdown_background();
    })?;
    Ok((wake, thread))
}

type Tasks = HashMap<String, task::JoinHandle<()>>;

async fn supervise(shared: &Shared, shift: &Shift, changes: &Notify) {
    let (newest, head) = watch::channel(0);
    let mut tasks = Tasks::new();
    let mut looked: Option<Instant> = None;
    let mut is_alone = shared.database.has_one_writer();
    while !shift.is_over() {
        let outcome = async {
            if is_alone {
                shared.write(stored::release_all).await?;
                is_alone = false;
            }
            if looked.is_none_or(|looked| looked.elapsed() >= LOOK) {
                looked = Some(Instant::now());
                begin_tasks(shared, &mut tasks, &head).await?;
            }
            if !tasks.is_empty() {
                let seq = shared.read(head::get).await?.seq;
                newest.send_if_modified(|known| std::mem::replace(known, seq) != seq);
            }
            Ok::<_, SendError>(())
        };
        if let Err(error) = outcome.await {
            tracing::error!(%error, "endpoints cannot be read; their records wait");
            sleep(PAUSE).await;
        }
        tokio::select! {
            () = changes.notified() => {}
            () = sleep(POLL) => {}
        }
    }
    drop((newest, head));
    let all = async {
        for (_, task) in tasks {
            drop(task.await);
        }
    };
    drop(timeout(END, all).await);
}

/// Takes the leases that are free, and begins a task for each.
async fn begin_tasks(
    shared: &Shared,
    tasks: &mut Tasks,
    head: &watch::Receiver<i64>,
) -> Result<(), SendError> {
    tasks.retain(|_, task| !task.is_finished());
    // The head is read last, so no position is behind it.
    let (endpoints, newest) = shared.read(|conn| Ok((stored::all(conn)?, head::get(conn)?))).await?;
    for endpoint in endpoints.into_iter().filter(|endpoint| endpoint.disabled.is_none()) {
        if endpoint.settled_seq > newest.seq {
            go_back(shared, &endpoint, newest.seq).await?;
            continue;
        }
        let now = shared.clock.now();
        if tasks.contains_key(&endpoint.id) || endpoint.lease_until > now {
            continue;
        }
        let (wanted, until) = (endpoint.clone(), shared.lease_until());
        let Some(lease) = shared.write(move |conn| stored::take(conn, &wanted, until, now)).await? else {
            continue;
        };
        let id = endpoint.id.clone();
        tasks.insert(id, task::spawn(post_all(shared.clone(), endpoint, lease, head.clone())));
    }
    Ok(())
}

async fn post_all(shared: Shared, endpoint: Endpoint, lease: Lease, head: watch::Receiver<i64>) {
    let id = endpoint.id.clone();
    if let Err(error) = CourseRun::run(shared.clone(), endpoint, lease.clone(), head).await {
        tracing::error!(endpoint = %id, %error, "posting to an endpoint begins again at its stored position");
        sleep(PAUSE).await;
    }
    // Without success the lease ends by itself.
    for _ in 0..RELEASES {
        let lease = lease.clone();
        match shared.write(move |conn| stored::release(conn, &lease)).await {
            Ok(()) => return,
            Err(_) => sleep(PAUSE).await,
        }
    }
}

/// The database has lost transactions, and their numbers are used again.
async fn go_back(shared: &Shared, endpoint: &Endpoint, seq: i64) -> Result<(), SendError> {
    tracing::warn!(endpoint = %endpoint.id, was = endpoint.settled_seq, now = seq, "the change feed ends before the position of an endpoint: the database has lost transactions; the endpoint gets the records after its new end");
    let id = endpoint.id.clone();
    shared.write(move |conn| stored::replay(conn, &id, seq + 1)).await?;
    Ok(())
}
