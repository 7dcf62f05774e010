//! `demo`: the main job from end to end, with this binary only.

use std::{
    net::TcpListener,
    path::{Path, PathBuf},
    process::ExitCode,
    time::{Duration, Instant},
};

use clap::Args;

use super::{Failure, list_rows, output::Format, serve::wait_for_signal};
use crate::{
    app::{self, App, Workers},
    broker::Secret,
    config::{self, Config},
    db::{self, Database, DbError, migrate::count_tables},
    inbox::queue,
    outbox,
    runtime::{clock::Clock, private_files},
    simulate::{
        self,
        api::{Api, Faults},
    },
    sync::{
        client::{Client, Settings},
        reconcile::{Reconcile, Which},
    },
    tables::{
        host_tables::{GROUP_MEMBERS, ROLES, TENANTS, USER_ROLES, USERS},
        recompute_jobs,
    },
};

#[derive(Args)]
pub struct Options {
    /// Keep the server running after the demo
    #[arg(long)]
    keep: bool,
    /// Equal seeds give equal people
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Use this empty database instead of a new SQLite file: postgres://…
    #[arg(long, value_name = "URL")]
    database: Option<String>,
}

const SECRET: &str = "whsec_demo_not_a_secret";
/// Enough for the slowest machine. The work takes about a second.
const PATIENCE: Duration = Duration::from_secs(60);
/// Events of each part. With equal seeds the longer part begins with the same events.
const FIRST_SYNC: u64 = 0;
const MONTHS: u64 = 240;
/// Lost webhooks in percent.
const LOST: u8 = 5;

pub(super) fn run(options: &Options) -> Result<ExitCode, Failure> {
    let home = std::env::temp_dir().join(format!("rosterd-demo-{}", std::process::id()));
    let mail = home.join("mail");
    private_files::create_directories(&mail)?;
    let config = settings(options, &home, &mail)?;
    let _alone = db::serve_alone(&config.database_url)?;
    expect_empty(&config)?;
    let app = app::start(&config, Clock::System, Workers::Threads)?;
    println!("rosterd listens on http://{}, with its tables in {}.", app.address, config.database_url);
    println!("Three invented tenants connect their directories, then live through some months: every event");
    println!("signed, in random order, one in five delivered twice.\n");

    // The first sync is applied before later events, because otherwise a person could lose access before the tables
    // show it.
    let synced = play(&app, &simulation(&app, options.seed, FIRST_SYNC))?;
    println!("First sync\n{synced}\n");
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("http://{}", listener.local_addr()?);
    let api = super::simulate::serve(listener, simulate::Options::API_KEY, Faults::default())?;
    let mut months = simulation(&app, options.seed, MONTHS);
    months.lose = LOST;
    let report = play_in(&app, &months, Some(&api))?;
    println!(
        "Some months, with the first sync delivered again among them, and {LOST} in a hundred webhooks lost\n{report}\n"
    );
    api.broker.lock().tick(60);
    heal(&app, &config, url)?;
    show_tables(&app)?;
    show_mail(&mail)?;
    look_further(&app, &config, options.keep, &home);
    if options.keep {
        wait_for_signal()?;
    }
    app.stop();
    Ok(if synced.is_complete() && report.is_complete() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn settings(options: &Options, home: &Path, mail: &Path) -> Result<Config, Failure> {
    let database =
        options.database.clone().unwrap_or_else(|| format!("sqlite://{}/rosterd.db", home.display()));
    let mut config = config::load(Some(Path::new("/dev/null")), |name| match name {
        "DATABASE_URL" => Some(database.clone()),
        "ROSTERD_LISTEN" | "ROSTERD_ADMIN_LISTEN" => Some("127.0.0.1:0".to_owned()),
        "WORKOS_WEBHOOK_SECRET" => Some(SECRET.to_owned()),
        "SMTP_URL" => Some(format!("file://{}", mail.display())),
        "MAIL_FROM" => Some("rosterd <rosterd@host.example>".to_owned()),
        _ => None,
    })?;
    config.mail.fallback = vec!["it-security@host.example".parse()?];
    // A minute is right for administrators, but too long for a demo.
    config.mail.window_seconds = 1;
    config.apply.poll_seconds = 1;
    // Invented directories are small, and one of them ends. Its people would wait in a hold, and no mail would name them.
    config.guard.otherwise.everybody = 0;
    Ok(config)
}

/// Fails unless the database is empty. Invented people must never be among real ones, and a second demo would not
/// begin at its start.
fn expect_empty(config: &Config) -> Result<(), Failure> {
    let tables = Database::new(&config.database_url, 1).read::<_, DbError>(|conn| Ok(count_tables(conn)?))?;
    if tables == 0 {
        return Ok(());
    }
    let database = &config.database_url;
    Err(format!("{database} is not empty, it has {tables} tables; the demo needs an empty database").into())
}

fn simulation(app: &App, seed: u64, events: u64) -> simulate::Options {
    let mut options = simulate::Options::new(format!("http://{}/webhooks/workos", app.address), SECRET);
    (options.seed, options.shuffle, options.duplicates) = (seed, true, 20);
    (options.users, options.events) = (24, events);
    options
}

fn play(app: &App, simulation: &simulate::Options) -> Result<simulate::Report, Failure> {
    play_in(app, simulation, None)
}

/// Finds the lost events by comparison with the broker's lists.
fn heal(app: &App, config: &Config, url: String) -> Result<(), Failure> {
    let Some(key) = Secret::new(simulate::Options::API_KEY) else { return Ok(()) };
    let settings = Settings { url, key, per_second: 1_000, of_directory_per_second: None };
    let (client, rules, database) = (Client::new(&settings, || false)?, config.rules(), &app.database);
    let reports = Reconcile {
        database,
        client: &client,
        rules: &rules,
        clock: &Clock::System,
        tenant: None,
        directory: None,
        which: Which::All,
        dry_run: false,
        settle: &|| applied(database).map_err(|error| error.to_string()),
        progress: &|_, _| {},
    }
    .run()?;
    println!("rosterd reconcile: the changes of the lost webhooks");
    super::reconcile::print(&reports, Format::Table)?;
    println!();
    wait_until_quiet(app)
}

/// Waits until the workers have applied the inbox.
fn applied(database: &Database) -> Result<(), DbError> {
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        let waiting = database.read::<_, DbError>(|conn| Ok(queue::backlog(conn)?.0))?;
        if waiting == 0 {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

fn play_in(
    app: &App,
    simulation: &simulate::Options,
    api: Option<&Api>,
) -> Result<simulate::Report, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let report = runtime.block_on(simulate::run_in(simulation, api))?;
    wait_until_quiet(app)?;
    Ok(report)
}

fn wait_until_quiet(app: &App) -> Result<(), Failure> {
    let begun = Instant::now();
    loop {
        let waiting = app.database.read::<_, DbError>(|conn| {
            let (deliveries, notices) = (queue::backlog(conn)?.0, outbox::waiting(conn)?.0);
            Ok(deliveries + notices + i64::from(recompute_jobs::next(conn)?.is_some()))
        })?;
        if waiting == 0 {
            return Ok(());
        }
        if begun.elapsed() > PATIENCE {
            return Err(format!(
                "{waiting} entries of the queue still wait after a minute; RUST_LOG=rosterd=debug shows the reason"
            )
            .into());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn show_tables(app: &App) -> Result<(), Failure> {
    let tenants = list_rows::read(&app.database, TENANTS, None, Some(&["id", "name"]))?;
    let ids: Vec<_> = tenants.rows.iter().filter_map(|row| Some(row.first()?.as_str()?.to_owned())).collect();
    println!("tenants");
    tenants.print(Format::Table)?;
    for tenant in ids {
        println!("\nusers of {tenant}");
        list_rows::read(
            &app.database,
            USERS,
            Some(&tenant),
            Some(&["name", "email", "status", "deprovisioned_at"]),
        )?
        .print(Format::Table)?;
    }
    println!("\nroles, and who has which");
    list_rows::read(&app.database, ROLES, None, None)?.print(Format::Table)?;
    let granted =
        list_rows::read(&app.database, USER_ROLES, None, Some(&["tenant_id", "user_id", "role_slug"]))?;
    let members = list_rows::read(&app.database, GROUP_MEMBERS, None, None)?;
    println!(
        "{} role assignments, {} group memberships of active users\n",
        granted.rows.len(),
        members.rows.len()
    );
    Ok(())
}

fn show_mail(directory: &Path) -> Result<(), Failure> {
    let mut mails: Vec<PathBuf> =
        std::fs::read_dir(directory)?.filter_map(|entry| Some(entry.ok()?.path())).collect();
    mails.retain(|path| path.extension().is_some_and(|extension| extension == "eml"));
    mails.sort();
    println!("{} mails told administrators who lost access:", mails.len());
    for path in mails {
        let text = std::fs::read_to_string(&path)?;
        let subject = text.lines().find_map(|line| line.strip_prefix("Subject: ")).unwrap_or("(no subject)");
        println!("  {subject}\n    {}", path.display());
    }
    Ok(())
}

fn look_further(app: &App, config: &Config, keep: bool, home: &Path) {
    println!("\nLook further:");
    println!("  export DATABASE_URL={}", config.database_url);
    println!("  rosterd users list --tenant <tenant> --format json");
    println!("  rosterd inbox list");
    if keep {
        println!("  curl http://{}/readyz", app.admin_address);
        println!("  curl http://{}/metrics", app.admin_address);
        println!("It stays up until you press ctrl-c. Everything is in {}.", home.display());
    } else {
        println!("Everything is in {}; delete it when you do not need it any more.", home.display());
    }
}
