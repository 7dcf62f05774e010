//! `rebuild`: derives the tables again from the inbox.

use std::process::ExitCode;

use clap::Args;
use serde_json::{Map, Value};

use super::{Failure, Format, expect_any_tenant, operator::By, output::List};
use crate::{
    config::Config,
    db::Database,
    operator::rebuild::{Difference, Rebuild, rebuild},
    runtime::clock::Clock,
};

#[derive(Args)]
pub struct Arguments {
    /// Compare and repair only this tenant's rows
    #[arg(long)]
    tenant: Option<String>,
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
    let columns = vec!["table", "key", "change", "shown", "log"];
    List { columns, rows: differences.iter().map(row).collect() }.print(arguments.format)?;
    match (differences.len(), arguments.dry_run) {
        (0, _) => eprintln!("the tables agree with the inbox"),
        (n, true) => eprintln!("{n} rows differ; nothing was changed"),
        (n, false) => eprintln!("{n} rows differed and were repaired"),
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
    vec![difference.table.name.into(), difference.key.join(" ").into(), change.into(), shown, log]
}
