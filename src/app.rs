//! Starts the service (schema, receiver, appender, applier, notifier) and stops its parts in order. A stop over
//! its time limit and a crash lose nothing: a delivery gets 200 only after its commit.

mod reload;
mod start_error;

use std::{
    net::{SocketAddr, TcpListener},
    sync::{Arc, atomic::AtomicU32, mpsc},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use crate::{
    apply::{Batch, prefetch_batch::Prefetcher},
    config::{Config, MailSettings},
    db::{Database, migrate::migrate, probe},
    decide::{Rules, Tenancy},
    inbox::{
        arrivals::Arrivals, bytes_in_flight::Room, group_commit::Appender, memory_queue::MemoryQueue,
        storing::StoringState, waiters::Waiters,
    },
    notify::Notifier,
    operator::holds,
    provision::writer::Writer,
    receive::{self, Health, HttpLimits, Receiver, ScimParts},
    runtime::{clock::Clock, metrics::Metrics, shared::Shared, telemetry::Sparse, wake::Wake},
    tables::{properties, recompute_jobs},
    worker::{
        applier::Applier,
        checkpointer::{self, WalGrowth},
        endpoint_sender, event_poller, heads_sender, notifier,
    },
};
use actix_web::dev::ServerHandle;
use reload::Reloadable;
use tokio::sync::Notify;

pub use reload::Reloaded;
pub use start_error::StartError;

/// A running service.
pub struct App {
    /// The bound address for webhooks.
    pub address: SocketAddr,
    /// The bound address for metrics and health checks.
    pub admin_address: SocketAddr,
    /// The bound address for SCIM, if there is one.
    pub scim_address: Option<SocketAddr>,
    /// The database of all parts.
    pub database: Database,
    /// SCIM requests that wait until their delivery is applied.
    pub waiters: Waiters,
    /// Stored deliveries that the applier has not read yet.
    pub recent: MemoryQueue,
    /// The time of the last webhook.
    pub arrivals: Arrivals,
    /// The counters behind `/metrics`.
    pub metrics: Arc<Metrics>,
    stop_timeout: Duration,
    servers: Vec<ServerHandle>,
    http: JoinHandle<()>,
    appender: Appender,
    append: JoinHandle<()>,
    provision: Option<JoinHandle<()>>,
    workers: Vec<(Wake, JoinHandle<()>)>,
    reloadable: Reloadable,
}

/// What runs the applier and the notifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Workers {
    /// Threads of this process.
    Threads,
    /// Nothing: tests call the steps themselves until the queues are empty, and need not sleep.
    Manual,
}

/// Migrates the schema, binds the addresses and starts all threads. Only tests use another `clock` than the system's.
pub fn start(config: &Config, clock: Clock, workers: Workers) -> Result<App, StartError> {
    if config.workos.webhook_secrets.is_empty() {
        return Err(StartError::NoSecret);
    }
    let database = Database::new(&config.database_url, config.database_connections)
        .recording(config.changes.recording());
    migrate(&database)?;
    settle_tenancy(&database, config.tenancy)?;
    settle_policy(&database, &config.rules())?;
    database.write_serialized(|conn| holds::release_unguarded(conn, &config.guard, clock.now()))?;
    // The inbox accepts deliveries all the same. The applier applies them after the operator has granted the privileges.
    for missing_privileges in probe::missing_privileges(&database)? {
        tracing::error!(%missing_privileges, "nothing can be applied: {}", probe::ADVICE);
    }
    let public = listen(config.http.listen, "ROSTERD_LISTEN")?;
    let admin = listen(config.http.admin_listen, "ROSTERD_ADMIN_LISTEN")?;
    let scim = config.scim.listen.map(|address| listen(address, "ROSTERD_SCIM_LISTEN")).transpose()?;
    let scim_address = scim.as_ref().map(TcpListener::local_addr).transpose()?;
    let (address, admin_address) = (public.local_addr()?, admin.local_addr()?);

    let metrics = Arc::new(Metrics::default());
    let (recent, work, storing) = (MemoryQueue::default(), Wake::default(), StoringState::default());
    let (arrivals, waiters) = (Arrivals::default(), Waiters::default());
    let (appender, append) = Appender::start(
        database.clone(),
        recent.clone(),
        work.clone(),
        metrics.clone(),
        storing.clone(),
        arrivals.clone(),
        config.http.max_waiting,
    )?;
    let (scim, provision) = match scim {
        Some(listener) => {
            let (parts, thread) = scim_parts(config, &database, &clock, &metrics, &waiters, &work)?;
            (Some((listener, parts)), Some(thread))
        }
        None => (None, None),
    };
    let reloadable = Reloadable::of(config);
    let workers = match workers {
        Workers::Threads => {
            let settings = (config, reloadable.mail.clone());
            let shared = (recent.clone(), arrivals.clone(), waiters.clone());
            start_workers(settings, &database, &clock, &metrics, shared, work)?
        }
        Workers::Manual => Vec::new(),
    };
    let receiver = Receiver {
        appender: appender.clone(),
        clock: clock.clone(),
        secrets: reloadable.secrets.clone(),
        tolerance_ms: i64::from(config.workos.tolerance_seconds) * 1_000,
        max_body_bytes: config.http.max_body_bytes,
        // With less room than one body, the largest bodies would never be accepted.
        room: Room::new(config.http.max_bytes_in_flight.max(config.http.max_body_bytes)),
        body_timeout: Duration::from_secs(config.http.body_timeout_seconds),
        commit_timeout: Duration::from_secs(config.http.commit_timeout_seconds),
        metrics: metrics.clone(),
        refusals: Sparse::default(),
    };
    let health = Health { database: database.clone(), clock, storing };
    let stop_timeout = Duration::from_secs(config.http.stop_timeout_seconds);
    let limits = HttpLimits {
        connections: receive::public_connections(
            config.http.max_connections,
            receive::raise_file_limit(),
            config.database_connections,
        ),
        head_timeout: Duration::from_secs(config.http.head_timeout_seconds.max(1)),
        keep_alive: Duration::from_secs(config.http.keep_alive_seconds.max(1)),
        stop_timeout,
    };
    if limits.connections < config.http.max_connections {
        tracing::warn!(
            connections = limits.connections,
            wanted = config.http.max_connections,
            "the limit of open files allows fewer connections than http.max_connections; raise it (ulimit -n, LimitNOFILE)"
        );
    }
    let (servers, http) = serve(public, admin, scim, receiver, health, metrics.clone(), limits)?;
    Ok(App {
        address,
        admin_address,
        scim_address,
        database,
        waiters,
        recent,
        arrivals,
        metrics,
        stop_timeout,
        servers,
        http,
        appender,
        append,
        provision,
        workers,
        reloadable,
    })
}

fn start_workers(
    (config, mail): (&Config, Shared<MailSettings>),
    database: &Database,
    clock: &Clock,
    metrics: &Arc<Metrics>,
    (recent, arrivals, waiters): (MemoryQueue, Arrivals, Waiters),
    work: Wake,
) -> Result<Vec<(Wake, JoinHandle<()>)>, StartError> {
    let (notices, log) = (Wake::default(), WalGrowth::default());
    let changes = Arc::new(Notify::new());
    let poll = Duration::from_secs(config.apply.poll_seconds.max(1));
    // Wrong mail settings stop the start here, and not at the first mail.
    drop(Notifier::new(&config.mail)?);
    let applier = Applier {
        database: database.clone(),
        rules: config.rules().into(),
        batch: Batch {
            deliveries: config.apply.batch_deliveries,
            bytes: config.apply.batch_bytes,
            ..Batch::default()
        },
        prefetcher: Prefetcher::of(recent),
        log: log.clone(),
        retention: config.retention,
        clock: clock.clone(),
        metrics: metrics.clone(),
        notices: notices.clone(),
        changes: changes.clone(),
        failures: AtomicU32::new(0),
        waiters,
    };
    let apply = applier.start(work.clone(), poll)?;
    let checkpoint = checkpointer::start(database, &log)?;
    let ask = event_poller::start(config, database, clock, metrics, arrivals, work.clone())?;
    let heads = heads_sender::start(
        &config.audit.heads_daily,
        database,
        clock.clone(),
        metrics.clone(),
        notices.clone(),
    )?;
    let endpoints =
        endpoint_sender::start(database, clock.clone(), config.endpoints.limits(), metrics.clone(), changes)?;
    let (clock, metrics) = (clock.clone(), metrics.clone());
    let notify = notifier::start(mail, database, clock, metrics, notices.clone(), poll)?;
    Ok([(work, apply), (notices, notify), endpoints]
        .into_iter()
        .chain(checkpoint)
        .chain(ask)
        .chain(heads)
        .collect())
}

fn listen(address: SocketAddr, variable: &'static str) -> Result<TcpListener, StartError> {
    receive::listen(address).map_err(|error| StartError::Listen { address, variable, error })
}

/// The parts of the SCIM server, and the thread that carries out its writes.
fn scim_parts(
    config: &Config,
    database: &Database,
    clock: &Clock,
    metrics: &Arc<Metrics>,
    waiters: &Waiters,
    work: &Wake,
) -> std::io::Result<(ScimParts, JoinHandle<()>)> {
    let waiting = config.http.max_waiting;
    let (writer, thread) = Writer::start(database.clone(), work.clone(), waiters.clone(), waiting)?;
    let parts = ScimParts {
        database: database.clone(),
        writer,
        clock: clock.clone(),
        base_url: config.scim.base_url.clone(),
        room: Room::new(config.http.max_bytes_in_flight.max(config.scim.max_body_bytes)),
        max_body_bytes: config.scim.max_body_bytes,
        body_timeout: Duration::from_secs(config.http.body_timeout_seconds),
        apply_timeout: Duration::from_secs(config.scim.apply_timeout_seconds),
        metrics: metrics.clone(),
    };
    Ok((parts, thread))
}

/// All servers run in one thread. It ends when both have stopped.
fn serve(
    public: TcpListener,
    admin: TcpListener,
    scim: Option<(TcpListener, ScimParts)>,
    receiver: Receiver,
    health: Health,
    metrics: Arc<Metrics>,
    limits: HttpLimits,
) -> std::io::Result<(Vec<ServerHandle>, JoinHandle<()>)> {
    let (started, handles) = mpsc::channel();
    let thread = std::thread::Builder::new().name("http".to_owned()).spawn(move || {
        actix_web::rt::System::new().block_on(async move {
            let servers = receive::public(public, receiver, health.clone(), limits).and_then(|public| {
                let scim =
                    scim.map(|(listener, parts)| receive::scim(listener, parts, limits)).transpose()?;
                Ok((public, receive::admin(admin, metrics, health)?, scim))
            });
            let (public, admin, scim) = match servers {
                Ok(servers) => servers,
                Err(error) => return drop(started.send(Err(error))),
            };
            let handles = [public.handle(), admin.handle()].into_iter();
            drop(
                started.send(Ok(handles.chain(scim.as_ref().map(actix_web::dev::Server::handle)).collect())),
            );
            let scim = async {
                match scim {
                    Some(scim) => scim.await,
                    None => Ok(()),
                }
            };
            let (public, admin, scim) = tokio::join!(public, admin, scim);
            for error in [public.err(), admin.err(), scim.err()].into_iter().flatten() {
                tracing::error!(%error, "HTTP listener stopped: {error}");
            }
        });
    })?;
    let gone = || std::io::Error::other("the HTTP thread ended before it listened");
    Ok((handles.recv().map_err(|_closed| gone())??, thread))
}

impl App {
    /// Accepts no more requests, answers the open ones and ends the workers. Returns false when the time limit was
    /// exceeded. Nothing is lost then: each acknowledged delivery is committed, and open transactions are rolled back.
    pub fn stop(self) -> bool {
        let deadline = Instant::now() + self.stop_timeout;
        for server in &self.servers {
            // The call requests the stop. The end of the thread shows that the server has stopped.
            drop(server.stop(true));
        }
        for (wake, _) in &self.workers {
            wake.stop();
        }
        let mut in_time = ended(self.http, deadline);
        // The last sender: the thread commits and answers the waiting deliveries, and then ends.
        drop(self.appender);
        in_time &= ended(self.append, deadline);
        if let Some(provision) = self.provision {
            in_time &= ended(provision, deadline);
        }
        for (_, worker) in self.workers {
            in_time &= ended(worker, deadline);
        }
        in_time
    }
}

fn ended(thread: JoinHandle<()>, deadline: Instant) -> bool {
    while !thread.is_finished() {
        if Instant::now() >= deadline {
            return false;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    thread.join().is_ok()
}

/// The first start stores the tenancy. Later starts must have the same setting.
fn settle_tenancy(database: &Database, tenancy: Tenancy) -> Result<(), StartError> {
    let name = match tenancy {
        Tenancy::Multi => "multi",
        Tenancy::Single => "single",
    };
    database.write(|conn| match properties::get(conn, properties::TENANCY)? {
        Some(was) if was != name => Err(StartError::Tenancy { was }),
        Some(_) => Ok(()),
        None => {
            properties::set(conn, properties::TENANCY, name)?;
            Ok(())
        }
    })
}

/// A new policy for deleted directories also applies to directories that were deleted before: they are recomputed.
fn settle_policy(database: &Database, rules: &Rules) -> Result<(), StartError> {
    let policy = format!("{:?}", rules.directory_deleted);
    database.write_serialized(|conn| {
        let known = properties::get(conn, properties::DIRECTORY_DELETED)?;
        if known.as_deref() == Some(policy.as_str()) {
            return Ok(());
        }
        if known.is_some() {
            recompute_jobs::request_deleted(conn)?;
        }
        properties::set(conn, properties::DIRECTORY_DELETED, &policy)?;
        Ok(())
    })
}
