//! `reconcile` and `backfill`: the tables against the broker's lists.

use std::{
    process::ExitCode,
    sync::{Arc, atomic::AtomicU32},
    time::Duration,
};

use clap::Args;
use indicatif::ProgressBar;
use serde_json::{Value, json};

use super::{
    DIFFERENT, Failure, Format, Unset, expect_any_tenant,
    output::{List, print_text, printable_line},
};
use crate::{
    apply::{ApplyError, Batch, prefetch_batch::Prefetcher},
    config::Config,
    db::Database,
    decide::Rules,
    inbox::waiters::Waiters,
    runtime::{clock::Clock, metrics::Metrics, wake::Wake},
    sync::{
        backfill,
        client::Client,
        reconcile::{Reconcile, ReconcileError, Which},
        report::Report,
    },
    tables::{
        directory_lookup::{self, DirectoryLookupError},
        mappings,
    },
    worker::{
        applier::{Applier, ApplyStep},
        checkpointer::WalGrowth,
    },
};

#[derive(Args)]
pub struct Arguments {
    /// Only the directories of this tenant
    #[arg(long, conflicts_with = "directory")]
    pub(super) tenant: Option<String>,
    /// Only this directory, by id, or by name if only one directory has it
    #[arg(long)]
    directory: Option<String>,
    /// Show the differences and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Exit with 2 if there were differences
    #[arg(long)]
    detailed_exitcode: bool,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Args)]
pub struct Backfill {
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) fn run(database: &Database, config: &Config, arguments: &Arguments) -> Result<ExitCode, Failure> {
    expect_any_tenant(database, arguments.tenant.as_deref())?;
    let (directory, unknown) = directory(database, arguments.directory.as_deref())?;
    let applier = applier(database, config)?;
    let wanted = Wanted {
        tenant: arguments.tenant.as_deref(),
        directory: directory.as_deref(),
        dry_run: arguments.dry_run,
        which: Which::All,
    };
    let reports =
        compared(&applier, config, wanted).map_err(|error| match (error.downcast_ref(), unknown) {
            (Some(ReconcileError::UnknownDirectory(_)), Some(unknown)) => unknown.into(),
            _ => error,
        })?;
    print(&reports, arguments.format)?;
    let found: u64 = reports.iter().map(|report| report.found).sum();
    let incomplete = reports.iter().filter(|report| !report.complete).count();
    match (found, arguments.dry_run) {
        (0, _) => eprintln!("{} directories compared, no differences", reports.len()),
        (n, true) => eprintln!("{n} differences; nothing was changed"),
        (n, false) => {
            let (healed, held) = totals(&reports);
            eprintln!("{n} differences, {healed} healed, {held} held (`rosterd holds list`)");
        }
    }
    if incomplete > 0 {
        eprintln!("{incomplete} directories were not compared to the end; the reason stands with each");
    }
    Ok(match (found > 0 && arguments.detailed_exitcode, incomplete > 0) {
        (true, _) => ExitCode::from(DIFFERENT),
        (false, true) => ExitCode::FAILURE,
        (false, false) => ExitCode::SUCCESS,
    })
}

/// The id of the named directory. A directory that the tables do not have may be in the API's list, so its text counts as an id;
/// the error is for the case that the list does not have it either.
fn directory(
    database: &Database,
    text: Option<&str>,
) -> Result<(Option<String>, Option<DirectoryLookupError>), Failure> {
    let Some(text) = text else { return Ok((None, None)) };
    match database.read(|conn| directory_lookup::named(conn, text)) {
        Ok(id) => Ok((Some(id), None)),
        Err(unknown @ DirectoryLookupError::Unknown { .. }) => Ok((Some(text.to_owned()), Some(unknown))),
        Err(error) => Err(error.into()),
    }
}

pub(super) fn backfill(
    database: &Database,
    config: &Config,
    arguments: &Backfill,
) -> Result<ExitCode, Failure> {
    let applier = applier(database, config)?;
    let begun = backfill::begin(database, Clock::System.now())?;
    if begun.is_resumed {
        eprintln!("goes on with the backfill that began at {}", begun.at);
    }
    let wanted = Wanted { which: Which::Rest(begun.at), ..Wanted::default() };
    let reports = compared(&applier, config, wanted)?;
    let complete = reports.iter().all(|report| report.complete);
    if complete {
        backfill::end(database)?;
    }
    let columns = vec!["tenant_id", "directory_id", "complete", "reason", "people", "groups", "memberships"];
    let rows = reports.iter().map(|report| {
        vec![
            report.tenant_id.as_str().into(),
            report.directory_id.as_str().into(),
            report.complete.into(),
            report.reason.as_deref().into(),
            report.people.into(),
            report.groups.into(),
            report.memberships.into(),
        ]
    });
    List { columns, rows: rows.collect() }.print(arguments.format)?;
    let sum = |of: fn(&Report) -> u64| reports.iter().map(of).sum::<u64>();
    eprintln!(
        "{} directories: {} people, {} groups, {} memberships",
        reports.len(),
        sum(|report| report.people),
        sum(|report| report.groups),
        sum(|report| report.memberships)
    );
    if !complete {
        eprintln!("some directories were not read to the end; run it again, it goes on with those");
    }
    Ok(if complete { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Whatever runs beside this applies as well; a delivery is applied once.
fn applier(database: &Database, config: &Config) -> Result<Applier, Failure> {
    let mapping = database.read::<_, ApplyError>(|conn| Ok(mappings::in_force(conn)?))?;
    Ok(Applier {
        database: database.clone(),
        rules: Rules { mapping: Arc::new(mapping), ..config.rules() }.into(),
        batch: Batch {
            deliveries: config.apply.batch_deliveries,
            bytes: config.apply.batch_bytes,
            ..Batch::default()
        },
        prefetcher: Prefetcher::default(),
        log: WalGrowth::default(),
        retention: config.retention,
        clock: Clock::System,
        metrics: Arc::new(Metrics::default()),
        notices: Wake::default(),
        changes: Arc::default(),
        failures: AtomicU32::new(0),
        waiters: Waiters::default(),
    })
}

#[derive(Default)]
struct Wanted<'a> {
    tenant: Option<&'a str>,
    directory: Option<&'a str>,
    dry_run: bool,
    which: Which,
}

fn compared(applier: &Applier, config: &Config, wanted: Wanted<'_>) -> Result<Vec<Report>, Failure> {
    let Some(settings) = config.api() else {
        return Err(Unset(
            "there is no API key: set WORKOS_API_KEY (or workos.api_key) to a secret key of the environment",
        )
        .into());
    };
    let client = Client::new(&settings, || false)?;
    let rules = applier.rules.read().clone();
    let settling = parking_lot::Mutex::new(());
    let settle = || {
        let _one_at_a_time = settling.lock();
        while applier.step().map_err(|error| error.to_string())? != ApplyStep::Idle {}
        Ok(())
    };
    // On stderr, and only when that is a terminal.
    let bar = ProgressBar::new(0);
    bar.enable_steady_tick(Duration::from_millis(200));
    let progress = |done: u64, total: u64| {
        bar.set_length(total);
        bar.set_position(done);
    };
    let reconcile = Reconcile {
        database: &applier.database,
        client: &client,
        rules: &rules,
        clock: &Clock::System,
        tenant: wanted.tenant,
        directory: wanted.directory,
        which: wanted.which,
        dry_run: wanted.dry_run,
        settle: &settle,
        progress: &progress,
    };
    let reports = reconcile.run();
    bar.finish_and_clear();
    Ok(reports?)
}

fn totals(reports: &[Report]) -> (u64, u64) {
    (reports.iter().map(|report| report.healed).sum(), reports.iter().map(|report| report.held).sum())
}

pub(super) fn print(reports: &[Report], format: Format) -> Result<(), Failure> {
    if format == Format::Json {
        return Ok(print_text(&format!("{:#}\n", json!({ "directories": reports })))?);
    }
    let columns = vec!["tenant_id", "directory_id", "kind", "id", "tables", "broker", "cause", "done"];
    let rows: Vec<Vec<Value>> = reports
        .iter()
        .flat_map(|report| report.differences.iter().map(move |difference| (report, difference)))
        .map(|(report, difference)| {
            vec![
                report.tenant_id.as_str().into(),
                report.directory_id.as_str().into(),
                difference.kind.into(),
                difference.id.as_str().into(),
                difference.tables.as_str().into(),
                difference.broker.as_str().into(),
                difference.cause.as_str().into(),
                difference.done.name().into(),
            ]
        })
        .collect();
    if format == Format::Table {
        for report in reports {
            print_text(&text_of(report))?;
        }
        print_text("\n")?;
    }
    Ok(List { columns, rows }.print(format)?)
}

fn text_of(report: &Report) -> String {
    let Report { people, groups, memberships, found, .. } = report;
    let (tenant, directory) = (printable_line(&report.tenant_id), printable_line(&report.directory_id));
    let at = report.compared_at.map_or_else(|| "not read".to_owned(), |at| format!("as of {at}"));
    let reason = report.reason.as_deref().map_or(String::new(), |reason| {
        format!("; NOT COMPLETE, nobody counts as absent: {}", printable_line(reason))
    });
    format!(
        "{tenant}, directory {directory}, {at}: {people} people, {groups} groups, {memberships} memberships, {found} differences{reason}\n"
    )
}
