//! `users list`, `groups list` and similar verbs: the rows that the application reads.

use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::{Failure, Format, expect_tenant, output};
use crate::{
    db::{Database, DbError},
    tables::host_tables::{GROUPS, PublishedTable},
};

#[derive(Args)]
pub struct Verbs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// List all of one tenant
    List(List),
}

#[derive(Args)]
pub(super) struct List {
    /// The tenant's id: the broker's organization id, or `default`
    #[arg(long)]
    tenant: String,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Show every column in the table format too
    #[arg(long)]
    wide: bool,
}

impl Verbs {
    /// The tenant that the command names, as it was written.
    pub(super) fn tenant(&mut self) -> Option<&mut String> {
        let Verb::List(of) = &mut self.verb;
        Some(of.tenant())
    }
}

impl List {
    pub(super) fn tenant(&mut self) -> &mut String {
        &mut self.tenant
    }
}

pub(super) fn groups(database: &Database, verbs: &Verbs) -> Result<ExitCode, Failure> {
    let Verb::List(of) = &verbs.verb;
    list(database, of, GROUPS, &["id", "name", "directory_id", "updated_at"])
}

pub(super) fn list(
    database: &Database,
    List { tenant, format, wide }: &List,
    table: PublishedTable,
    brief: &[&str],
) -> Result<ExitCode, Failure> {
    expect_tenant(database, tenant)?;
    let columns = if *wide || *format != Format::Table { None } else { Some(brief) };
    read(database, table, Some(tenant), columns)?.print(*format)?;
    Ok(ExitCode::SUCCESS)
}

/// Reads rows of an application table, with all columns or the named ones.
pub(super) fn read(
    database: &Database,
    table: PublishedTable,
    tenant: Option<&str>,
    only: Option<&[&str]>,
) -> Result<output::List, DbError> {
    let rows = database.read::<_, DbError>(|conn| Ok(table.rows(conn, tenant)?))?;
    let wanted = |name: &str| only.is_none_or(|only| only.contains(&name));
    let keep: Vec<bool> = table.names().map(wanted).collect();
    let selected = |row: Vec<serde_json::Value>| {
        row.into_iter().zip(&keep).filter(|(_, keep)| **keep).map(|(value, _)| value).collect()
    };
    Ok(output::List {
        columns: table.names().filter(|name| wanted(name)).collect(),
        rows: rows.into_iter().map(selected).collect(),
    })
}
