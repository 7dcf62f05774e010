//! The verbs of the command line.

mod audit;
mod changes;
mod config;
mod consumers;
mod demo;
mod directories;
mod doctor;
mod endpoints;
mod exit_code;
mod explain;
mod holds;
mod inbox;
mod list_rows;
#[cfg(test)]
mod list_schemas;
mod mapping;
mod migrate;
mod notices;
mod operator;
mod output;
mod rebuild;
mod recipients;
mod reconcile;
mod roles;
mod serve;
mod shell;
mod simulate;
mod sync;
mod tenants;
mod tokens;
mod users;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{CommandFactory, Parser, Subcommand};

use crate::{
    config::{self as settings, Config, ConfigError},
    db::{
        Database, Url,
        migrate::{expect_all_rows, is_migrated, migrate},
    },
    operator::known_tenant,
    runtime::telemetry,
    tables::tenant_lookup::{self, TenantLookupError},
};

use exit_code::{DIFFERENT, Misuse, USAGE, Unset};

pub use output::Format;

/// The error of a verb. It is printed as one line.
type Failure = Box<dyn std::error::Error>;

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
    /// Bring the schema up to date; on PostgreSQL also set the rights of other roles
    Migrate(migrate::Arguments),
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
    /// List tenants with the number of people who have access
    Tenants(tenants::Verbs),
    /// List directories with the tenant of each, or move one to another organization
    Directories(directories::Verbs),
    /// Make, list or revoke tokens of applications that read a tenant by SCIM
    Tokens(tokens::Verbs),
    /// List groups as the application reads them
    Groups(list_rows::Verbs),
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
    /// List, show, retry or preview mails to administrators, or send a test mail
    Notices(notices::Verbs),
    /// List, add or remove the recipients of a tenant's mails
    Recipients(recipients::Verbs),
    /// Print the change feed: a record for each row that appears, changes or disappears
    Changes(changes::Verbs),
    /// List, add or remove programs that read the change feed
    Consumers(consumers::Verbs),
    /// Add, list, try out or remove addresses that get the records of the change feed as signed webhooks
    Endpoints(endpoints::Verbs),
    /// Rebuild the tables from the inbox; show or repair differences
    Rebuild(rebuild::Arguments),
    /// Show and verify the audit trail, receipts of leavers, access reviews
    Audit(audit::Verbs),
    /// Check settings, database, clock, mail and API, and say what to do
    Doctor(doctor::Options),
    /// Print every setting with its meaning and default; show or check the settings in force
    Config(config::Verbs),
    /// Print the completions of a shell, as in: rosterd completions bash > /etc/bash_completion.d/rosterd
    Completions(shell::Shell),
    /// Print the manual page, as in: rosterd man > /usr/local/share/man/man1/rosterd.1
    Man,
}

pub fn main() -> ExitCode {
    let mut cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            drop(error.print());
            // Help and version are no errors, and are written to stdout.
            return if error.use_stderr() { ExitCode::from(USAGE) } else { ExitCode::SUCCESS };
        }
    };
    match run(&mut cli) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("rosterd: {}", output::printable(&error.to_string()));
            ExitCode::from(exit_code::of(error.as_ref()))
        }
    }
}

fn run(cli: &mut Cli) -> Result<ExitCode, Failure> {
    let file = cli.config.clone();
    let read = || settings::settings(file.as_deref(), |name| std::env::var(name).ok());
    let config = || read().map(|settings| settings.config);
    match &cli.verb {
        Verb::Config(verbs) => return config::run(verbs, read),
        Verb::Completions(of) => return shell::completions(Cli::command(), of),
        Verb::Man => return shell::man(Cli::command()),
        Verb::Serve => return serve::run(read),
        _ => telemetry::start("rosterd=warn"),
    }
    match &mut cli.verb {
        Verb::Demo(options) => demo::run(options),
        Verb::Simulate(options) => simulate::run(options),
        Verb::Doctor(options) => Ok(doctor::run(config(), options)),
        Verb::Migrate(arguments) => migrate::run(&Database::new(&config()?.database_url, 2), arguments),
        Verb::Users(verbs) => {
            let (config, database) = opened(config, verbs.tenant())?;
            users::run(&database, &config, verbs)
        }
        Verb::Tenants(verbs) => tenants::run(&open(&config()?)?, verbs),
        Verb::Directories(verbs) => {
            let (config, database) = opened(config, verbs.tenant())?;
            directories::run(&database, &config, verbs)
        }
        Verb::Tokens(verbs) => {
            let (config, database) = opened(config, verbs.tenant())?;
            tokens::run(&database, &config, verbs)
        }
        Verb::Groups(verbs) => list_rows::groups(&opened(config, verbs.tenant())?.1, verbs),
        Verb::Roles(verbs) => {
            let (config, database) = opened(config, verbs.tenant())?;
            roles::run(&database, &config, verbs)
        }
        Verb::Mapping(verbs) if mapping::is_offline(verbs) => mapping::check_only(verbs),
        Verb::Mapping(verbs) => {
            let (config, database) = opened(config, verbs.tenant())?;
            mapping::run(&database, &config, verbs)
        }
        Verb::Explain(arguments) => {
            let (config, database) = opened(config, Some(&mut arguments.tenant))?;
            explain::run(&database, &config, arguments)
        }
        Verb::Holds(verbs) => {
            let (config, database) = opened(config, verbs.tenant())?;
            holds::run(&database, &config, verbs)
        }
        Verb::Rebuild(arguments) => {
            let (config, database) = opened(config, arguments.tenant.as_mut())?;
            rebuild::run(&database, &config, arguments)
        }
        Verb::Reconcile(arguments) => {
            let (config, database) = opened(config, arguments.tenant.as_mut())?;
            drop(database);
            reconcile::run(&asking(&config), &config, arguments)
        }
        Verb::Backfill(arguments) => {
            let config = config()?;
            let database = asking(&config);
            migrate(&database)?;
            reconcile::backfill(&database, &config, arguments)
        }
        Verb::Sync(verbs) => sync::run(&opened(config, verbs.tenant())?.1, verbs),
        Verb::Notices(verbs) if notices::is_offline(verbs) => notices::run_offline(&config()?, verbs),
        Verb::Notices(verbs) => {
            let (config, database) = opened(config, verbs.tenant())?;
            notices::run(&database, &config, verbs)
        }
        Verb::Recipients(verbs) => {
            let (config, database) = opened(config, verbs.tenant())?;
            recipients::run(&database, &config, verbs)
        }
        Verb::Changes(verbs) => changes::run(&opened(config, verbs.tenant())?.1, verbs),
        Verb::Consumers(verbs) => consumers::run(&open(&config()?)?, verbs),
        Verb::Endpoints(verbs) => {
            let (config, database) = opened(config, verbs.tenant())?;
            endpoints::run(&database, &config, verbs)
        }
        Verb::Audit(verbs) => audit::run(&opened(config, verbs.tenant())?.1, verbs),
        Verb::Inbox(verbs) => inbox::run(&open(&config()?)?, verbs),
        Verb::Serve | Verb::Config(_) | Verb::Completions(_) | Verb::Man => Ok(ExitCode::SUCCESS),
    }
}

/// The number of connections while several directories are compared at once.
const ASKING: u32 = 6;

fn asking(config: &Config) -> Database {
    Database::new(&config.database_url, ASKING).recording(config.changes.recording())
}

/// The settings and the database, with the tenant of the command by its id.
fn opened(
    config: impl Fn() -> Result<Config, ConfigError>,
    tenant: Option<&mut String>,
) -> Result<(Config, Database), Failure> {
    let config = config()?;
    let database = open(&config)?;
    // The audit trail of no tenant has an empty name.
    if let Some(text) = tenant.filter(|text| !text.is_empty()) {
        *text = named(&database, text)?;
    }
    Ok((config, database))
}

/// The id of the tenant with this id or name.
fn named(database: &Database, text: &str) -> Result<String, Failure> {
    database.read::<_, Failure>(|conn| match tenant_lookup::named(conn, text) {
        // A tenant without a row may have an audit trail. Otherwise the error names similar tenants.
        Err(TenantLookupError::Unknown(_)) => {
            known_tenant::expect(conn, text)?;
            Ok(text.to_owned())
        }
        found => Ok(found?),
    })
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
    let database = Database::new(&config.database_url, 2).recording(config.changes.recording());
    if !is_migrated(&database)? {
        return Err("the database has no tables of rosterd; correct DATABASE_URL, or create the tables with `rosterd migrate`".into());
    }
    expect_all_rows(&database)?;
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
