//! `directories list`: which tenant each directory belongs to, and how many people of it have access.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::Value;

use super::{Failure, Format, output::List};
use crate::{
    db::{Database, DbError},
    tables::{directories, host_tables::DIRECTORIES},
};

#[derive(Args)]
pub struct Verbs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// List the directories of all tenants or of one; `people` counts those who have access
    List {
        #[arg(long)]
        tenant: Option<String>,
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
}

pub(super) fn run(database: &Database, verbs: &Verbs) -> Result<ExitCode, Failure> {
    let Verb::List { tenant, format } = &verbs.verb;
    let (rows, people) = database.read::<_, DbError>(|conn| {
        Ok((DIRECTORIES.rows(conn, tenant.as_deref())?, directories::people(conn)?))
    })?;
    let mut columns: Vec<&'static str> = DIRECTORIES.names().collect();
    columns.push("people");
    let counted = |mut row: Vec<Value>| {
        let text = |at: usize| row.get(at).and_then(Value::as_str).unwrap_or_default().to_owned();
        let key = (text(0), text(1));
        row.push(people.get(&key).copied().unwrap_or(0).into());
        row
    };
    List { columns, rows: rows.into_iter().map(counted).collect() }.print(*format)?;
    Ok(ExitCode::SUCCESS)
}
