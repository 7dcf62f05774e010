//! A comparison of one large directory with the broker's lists, of the simulator in a process of its own:
//!
//!   cargo bench --bench reconcile -- sqlite:///tmp/reconcile.db [people] [limit]
//!
//! The database must be empty; a SQLite file is deleted first. The first comparison brings everybody in, the second finds no
//! difference. With `limit` the API allows four requests a second for the directory, as the broker does.

use std::{
    io::{BufRead, BufReader},
    net::TcpListener,
    process::{Child, Command, Stdio},
    sync::{Arc, atomic::AtomicU32},
    time::Instant,
};

use rosterd::{
    apply::{Batch, prefetch_batch::Prefetcher},
    broker::Secret,
    config,
    db::{Database, Url, migrate::migrate},
    decide::Rules,
    runtime::{clock::Clock, metrics::Metrics, wake::Wake},
    simulate::{
        DEFAULT_START, Plan,
        api::{Api, Faults},
    },
    sync::{
        client::{Client, OF_DIRECTORY_PER_SECOND, Settings},
        reconcile::{Reconcile, Which},
        report::Report,
    },
    worker::{
        applier::{Applier, ApplyStep},
        checkpointer::WalGrowth,
    },
};

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

const KEY: &str = "sk_bench";
const PAGE: usize = 100;

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let people = |text: Option<&String>| text.map_or(Ok(50_000), |text| text.parse::<u32>());
    let is_limited = arguments.get(2).is_some_and(|word| word == "limit");
    match arguments.first().map(String::as_str) {
        None => println!("give a database URL"),
        Some("api") => serve(people(arguments.get(1))?, is_limited)?,
        Some(url) => measure(url, people(arguments.get(1))?, is_limited)?,
    }
    Ok(())
}

/// The API in a process of its own. The first line tells its address and how many requests of each kind are the least.
fn serve(people: u32, limits_rate: bool) -> Outcome<()> {
    let api = Api::new(KEY, Faults { limits_rate, ..Faults::default() });
    let plan = Plan { tenants: 1, users: people, events: 0, seed: 1, start: DEFAULT_START };
    let (mut users, mut members) = (0_usize, std::collections::BTreeMap::<String, usize>::new());
    for event in plan.events() {
        let body: serde_json::Value = serde_json::from_slice(&event.body)?;
        match text(&body, "/event") {
            "dsync.user.created" => users += 1,
            "dsync.group.created" => {
                members.entry(text(&body, "/data/id").to_owned()).or_default();
            }
            "dsync.group.user_added" => {
                *members.entry(text(&body, "/data/group/id").to_owned()).or_default() += 1;
            }
            _ => {}
        }
        // Only what lists show: half a million events would be most of the memory.
        let data = body.get("data").cloned().unwrap_or_default();
        api.broker.lock().happen(text(&body, "/event"), data);
    }
    api.broker.lock().tick(DEFAULT_START / 1_000 + 30 * 86_400);
    let pages = |of: usize| of.div_ceil(PAGE).max(1);
    let limited = pages(users) + members.values().map(|of| pages(*of)).sum::<usize>();
    // The clock, the directories, the organizations, the directory once more at the end.
    let others = 4 + pages(members.len());
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("{} {limited} {others}", listener.local_addr()?);
    actix_web::rt::System::new().block_on(async move { api.serve(listener)?.await })?;
    Ok(())
}

fn text<'a>(body: &'a serde_json::Value, place: &str) -> &'a str {
    body.pointer(place).and_then(serde_json::Value::as_str).unwrap_or_default()
}

struct TestApi {
    child: Child,
    url: String,
    /// The fewest that the directory's limit counts, and the fewest of the others.
    limited: u64,
    others: u64,
}

impl TestApi {
    fn start(people: u32, is_limited: bool) -> Outcome<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["api", &people.to_string()]).args(is_limited.then_some("limit"));
        let mut child = command.stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        if let Some(stdout) = child.stdout.take() {
            BufReader::new(stdout).read_line(&mut line)?;
        }
        let words: Vec<&str> = line.split_whitespace().collect();
        let [address, limited, others] = words.as_slice() else { return Err("the API did not start".into()) };
        Ok(Self {
            child,
            url: format!("http://{address}"),
            limited: limited.parse()?,
            others: others.parse()?,
        })
    }
}

impl Drop for TestApi {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn measure(url: &str, people: u32, is_limited: bool) -> Outcome<()> {
    if let Some(path) = url.strip_prefix("sqlite://") {
        for end in ["", "-wal", "-shm"] {
            drop(std::fs::remove_file(format!("{path}{end}")));
        }
    }
    let api = TestApi::start(people, is_limited)?;
    let database = Database::new(&Url::parse(url)?, 8);
    migrate(&database)?;
    let defaults = config::load(Some(std::path::Path::new("/dev/null")), |name| match name {
        "DATABASE_URL" => Some(url.to_owned()),
        "WORKOS_WEBHOOK_SECRET" => Some("secret".to_owned()),
        _ => None,
    })?;
    let applier = Applier {
        database,
        rules: Rules::default().into(),
        batch: Batch {
            deliveries: defaults.apply.batch_deliveries,
            bytes: defaults.apply.batch_bytes,
            ..Batch::default()
        },
        prefetcher: Prefetcher::default(),
        log: WalGrowth::default(),
        retention: defaults.retention,
        clock: Clock::System,
        metrics: Arc::new(Metrics::default()),
        notices: Wake::default(),
        changes: Arc::default(),
        failures: AtomicU32::new(0),
        waiters: rosterd::inbox::waiters::Waiters::default(),
    };
    for name in ["everybody is new", "no difference"] {
        compare(&applier, &api, is_limited, name)?;
    }
    Ok(())
}

fn compare(applier: &Applier, api: &TestApi, is_limited: bool, name: &str) -> Outcome<()> {
    let settings = Settings {
        url: api.url.clone(),
        key: Secret::new(KEY).ok_or("an empty key")?,
        per_second: if is_limited { 20 } else { 1_000_000 },
        of_directory_per_second: is_limited.then_some(OF_DIRECTORY_PER_SECOND),
    };
    let client = Client::new(&settings, || false)?;
    let rules = applier.rules.read().clone();
    let settle = || {
        while applier.step().map_err(|error| error.to_string())? != ApplyStep::Idle {}
        Ok(())
    };
    let begun = Instant::now();
    let reports: Vec<Report> = Reconcile {
        database: &applier.database,
        client: &client,
        rules: &rules,
        clock: &Clock::System,
        tenant: None,
        directory: None,
        which: Which::All,
        dry_run: false,
        settle: &settle,
        progress: &|_, _| {},
    }
    .run()?;
    let seconds = begun.elapsed().as_secs_f64();
    let report = reports.first().ok_or("nothing was compared")?;
    if !report.complete {
        return Err(format!("not complete: {:?}", report.reason).into());
    }
    println!(
        "{name}: {} people, {} groups, {} memberships, {} differences in {seconds:.1} s ({:.0} people/s), peak memory {} MiB",
        report.people,
        report.groups,
        report.memberships,
        report.found,
        report.people as f64 / seconds,
        peak_mebibytes(),
    );
    let least = api.limited + api.others;
    println!("  {} requests, the least possible {least}", client.requests());
    if is_limited {
        let bound = (api.limited - 1) as f64 / f64::from(OF_DIRECTORY_PER_SECOND);
        println!("  the limit's own bound {bound:.1} s: {:.2} ×", seconds / bound);
    }
    Ok(())
}

/// Of this process, as Linux counts it; 0 elsewhere.
fn peak_mebibytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kibibytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kibibytes.unwrap_or_default() / 1_024
}
