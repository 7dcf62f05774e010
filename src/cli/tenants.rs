//! `tenants list`: the customers, with the number of people who have access.

use std::{collections::HashMap, process::ExitCode};

use clap::{Args, Subcommand};
use serde_json::Value;

use super::{Failure, Format, output::List};
use crate::{
    db::{Database, DbError},
    tables::{directories, host_tables::TENANTS},
};

#[derive(Args)]
pub struct Verbs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// List all tenants; `people` counts those who have access
    List {
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
}

pub(super) fn run(database: &Database, verbs: &Verbs) -> Result<ExitCode, Failure> {
    let Verb::List { format } = &verbs.verb;
    let (rows, people) =
        database.read::<_, DbError>(|conn| Ok((TENANTS.rows(conn, None)?, directories::people(conn)?)))?;
    let mut columns: Vec<&'static str> = TENANTS.names().collect();
    columns.push("people");
    let mut totals: HashMap<String, i64> = HashMap::new();
    for ((tenant_id, _), people) in people {
        *totals.entry(tenant_id).or_default() += people;
    }
    let counted = |mut row: Vec<Value>| {
        let id = row.first().and_then(Value::as_str).unwrap_or_default();
        let total = totals.get(id).copied().unwrap_or(0);
        row.push(total.into());
        row
    };
    List { columns, rows: rows.into_iter().map(counted).collect() }.print(*format)?;
    Ok(ExitCode::SUCCESS)
}
