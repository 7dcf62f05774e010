//! The verbs of the command line. Exit codes: 0 done, 1 failed, 2 wrong usage.

mod audit;
mod demo;
mod directories;
mod doctor;
mod explain;
mod holds;
mod inbox;
mod lists;
mod mapping;
mod notices;
mod operator;
mod output;
mod rebuild;
mod reconcile;
mod roles;
mod serve;
mod simulate;
mod sync;
mod users;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Parser, Subcommand};

use crate::{
    config::{self, Config},
    db::{
        Database, Url,
        migrate::{is_migrated, migrate},
    },
    operator::known_tenant,
    runtime::telemetry,
};

pub use output::Format;

/// The error of a verb. It is printed as one line.
type Failure = Box<dyn std::error::Error>;

/// The command line, or its environment, lacks something. The exit code is 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Misuse(String);

const USAGE: u8 = 2;

#[derive(Parser)]
#[command(
    name = "rosterd",
    version,
    about = "Keeps an application's users and roles equal to what its customers' directories say"
)]
struct Cli {
    /// Settings file; default: rosterd.toml in the working directory, if it exists
    #[arg(long, global = true, env = "ROSTERD_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Show the main job with three invented tenants, on an embedded database
    Demo(demo::Options),
    /// Receive webhooks and keep the tables
    Serve,
    /// Bring the schema up to date and do nothing else
    Migrate,
    /// Import everything that the broker's API lists, as the first step with existing customers; sends no mail about the past
    Backfill(reconcile::Backfill),
    /// Compare the tables with the broker's API and repair the differences
    Reconcile(reconcile::Arguments),
    /// When each directory was last compared with the broker's API
    Sync(sync::Verbs),
    /// Send the events of an invented broker to a running rosterd, for trials and load tests
    Simulate(simulate::Arguments),
    /// List users as the application reads them, or erase a leaver's personal data
    Users(users::Verbs),
    /// List directories with the tenant of each, or move one to another organization
    Directories(directories::Verbs),
    /// List groups as the application reads them
    Groups(lists::Verbs),
    /// List roles as the application reads them, or grant and revoke roles manually
    Roles(roles::Verbs),
    /// Show, check, preview or apply the rules that turn groups and attributes into roles
    Mapping(mapping::Verbs),
    /// Explain why a person holds a role or has no access
    Explain(explain::Arguments),
    /// Show and decide mass changes that wait for a decision
    Holds(holds::Verbs),
    /// Show deliveries; retry or discard dead letters
    Inbox(inbox::Verbs),
    /// List, show, retry or preview mails to administrators
    Notices(notices::Verbs),
    /// Rebuild the tables from the inbox; show or repair differences
    Rebuild(rebuild::Arguments),
    /// Show and verify the audit trail, receipts of leavers, access reviews
    Audit(audit::Verbs),
    /// Check settings, database, clock, mail and API, and say what to do
    Doctor(doctor::Options),
    /// Print every setting with its meaning and default
    Config,
}

pub fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(&cli) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("rosterd: {}", output::printable(&error.to_string()));
            if error.is::<Misuse>() { ExitCode::from(USAGE) } else { ExitCode::FAILURE }
        }
    }
}

fn run(cli: &Cli) -> Result<ExitCode, Failure> {
    let config = || config::load(cli.config.as_deref(), |name| std::env::var(name).ok());
    match &cli.verb {
        Verb::Config => {
            print!("{}", config::DEFAULTS);
            return Ok(ExitCode::SUCCESS);
        }
        Verb::Serve => {
            telemetry::start("rosterd=info,actix_server=warn");
            return serve::run(&config()?);
        }
        _ => telemetry::start("rosterd=warn"),
    }
    match &cli.verb {
        Verb::Demo(options) => demo::run(options),
        Verb::Simulate(options) => simulate::run(options),
        Verb::Doctor(options) => Ok(doctor::run(config(), options)),
        Verb::Migrate => {
            let ran = migrate(&Database::new(&config()?.database_url, 2))?;
            println!(
                "{}",
                if ran.is_empty() { "the schema is up to date".to_owned() } else { ran.join("\n") }
            );
            Ok(ExitCode::SUCCESS)
        }
        Verb::Users(verbs) => {
            let config = config()?;
            users::run(&open(&config)?, &config, verbs)
        }
        Verb::Directories(verbs) => {
            let config = config()?;
            directories::run(&open(&config)?, &config, verbs)
        }
        Verb::Groups(verbs) => lists::groups(&open(&config()?)?, verbs),
        Verb::Roles(verbs) => {
            let config = config()?;
            roles::run(&open(&config)?, &config, verbs)
        }
        Verb::Mapping(verbs) if mapping::is_offline(verbs) => mapping::check_only(verbs),
        Verb::Mapping(verbs) => {
            let config = config()?;
            mapping::run(&open(&config)?, &config, verbs)
        }
        Verb::Explain(arguments) => {
            let config = config()?;
            explain::run(&open(&config)?, &config, arguments)
        }
        Verb::Holds(verbs) => {
            let config = config()?;
            holds::run(&open(&config)?, &config, verbs)
        }
        Verb::Rebuild(arguments) => {
            let config = config()?;
            rebuild::run(&open(&config)?, &config, arguments)
        }
        Verb::Reconcile(arguments) => {
            let config = config()?;
            reconcile::run(&open_wide(&config)?, &config, arguments)
        }
        Verb::Backfill(arguments) => {
            let config = config()?;
            let database = Database::new(&config.database_url, ASKING);
            migrate(&database)?;
            reconcile::backfill(&database, &config, arguments)
        }
        Verb::Sync(verbs) => sync::run(&open(&config()?)?, verbs),
        Verb::Notices(verbs) if notices::is_offline(verbs) => notices::preview_only(&config()?, verbs),
        Verb::Notices(verbs) => notices::run(&open(&config()?)?, verbs),
        Verb::Audit(verbs) => audit::run(&open(&config()?)?, verbs),
        Verb::Inbox(verbs) => inbox::run(&open(&config()?)?, verbs),
        Verb::Serve | Verb::Config => Ok(ExitCode::SUCCESS),
    }
}

/// The number of connections while several directories are compared at once.
const ASKING: u32 = 6;

fn open_wide(config: &Config) -> Result<Database, Failure> {
    open(config).map(|_narrow| Database::new(&config.database_url, ASKING))
}

/// Opens an existing database. Only `serve` and `migrate` create one.
fn open(config: &Config) -> Result<Database, Failure> {
    if let Url::Sqlite(path) = &config.database_url
        && !Path::new(path).exists()
    {
        return Err(format!(
            "there is no database at {path}; correct DATABASE_URL, or create the database with `rosterd migrate`"
        )
        .into());
    }
    let database = Database::new(&config.database_url, 2);
    if !is_migrated(&database)? {
        return Err("the database has no tables of rosterd; correct DATABASE_URL, or create the tables with `rosterd migrate`".into());
    }
    Ok(database)
}

/// Refuses a tenant that does not exist, and names those with a similar id or name.
fn expect_tenant(database: &Database, tenant: &str) -> Result<(), Failure> {
    Ok(database.read(|conn| known_tenant::expect(conn, tenant))?)
}

/// The same for a verb that is about all tenants without one.
fn expect_any_tenant(database: &Database, tenant: Option<&str>) -> Result<(), Failure> {
    tenant.map_or(Ok(()), |tenant| expect_tenant(database, tenant))
}
