//! `rebuild`: derives the tables again from the inbox.

use std::process::ExitCode;

use clap::Args;
use serde_json::{Map, Value};

use super::{Failure, Format, expect_any_tenant, operator::By, output::List};
use crate::{
    config::Config,
    db::Database,
    operator::rebuild::{Difference, Rebuild, RowChange, rebuild},
    runtime::clock::Clock,
};

#[derive(Args)]
pub struct Arguments {
    /// Compare and repair only this tenant's rows
    #[arg(long)]
    pub(super) tenant: Option<String>,
    /// Show the differences and change nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    by: By,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) fn run(database: &Database, config: &Config, arguments: &Arguments) -> Result<ExitCode, Failure> {
    expect_any_tenant(database, arguments.tenant.as_deref())?;
    // A dry run makes no record.
    let by = if arguments.dry_run { String::new() } else { arguments.by.name()? };
    let wanted = Rebuild {
        rules: &config.rules(),
        tenant: arguments.tenant.as_deref(),
        dry_run: arguments.dry_run,
        by: &by,
    };
    let differences = rebuild(database, wanted, Clock::System.now())?;
    let columns = vec!["table", "key", "change", "current", "log", "refused"];
    List { columns, rows: differences.iter().map(row).collect() }.print(arguments.format)?;
    let count = |of: fn(&&Difference) -> bool| differences.iter().filter(of).count();
    let retained = count(|difference| difference.change == RowChange::Retained);
    let refused =
        count(|difference| difference.refused.is_some() && difference.change != RowChange::Retained);
    match (differences.len() - retained, arguments.dry_run) {
        (0, _) => eprintln!("the tables agree with the inbox"),
        (n, true) => eprintln!("{n} rows differ; nothing was changed"),
        (n, false) => eprintln!("{n} rows differed; {} of them were repaired", n - refused),
    }
    if retained > 0 {
        eprintln!(
            "{retained} inactive rows of former tenants remain, because rows of the application reference them; such a row is \
             deleted after the reference is gone"
        );
    }
    if refused > 0 {
        eprintln!(
            "a constraint of the application refuses {refused} repairs: correct it, and run `rosterd rebuild` again"
        );
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

fn row(difference: &Difference) -> Vec<Value> {
    let change = difference.change.name();
    let side = |of: fn(&(&'static str, Value, Value)) -> Value| -> Value {
        let columns: Map<String, Value> =
            difference.columns.iter().map(|column| (column.0.to_owned(), of(column))).collect();
        if columns.is_empty() { Value::Null } else { Value::Object(columns) }
    };
    let (shown, log) = (side(|column| column.1.clone()), side(|column| column.2.clone()));
    let refused = difference.refused.as_deref().into();
    vec![difference.table.name.into(), difference.key.join(" ").into(), change.into(), shown, log, refused]
}
