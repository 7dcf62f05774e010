//! `directories list | add | rotate | revoke | move`: which tenant each directory belongs to, how many people of it have access, and its move to
//! another organization.

mod print;
mod scim;

use std::process::ExitCode;

pub(in crate::cli) use scim::origin;

use clap::{Args, Subcommand};
use serde_json::Value;

use super::{
    Failure, Format, expect_any_tenant,
    operator::{By, Consent},
    output::List,
};
use crate::{
    config::Config,
    db::{Database, DbError},
    operator::directory_move::{self, Confirmed, MoveRequest},
    runtime::clock::Clock,
    tables::{directories, directory_lookup, host_tables::DIRECTORIES},
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
    /// Create a directory that an identity provider writes by SCIM; shows its base URL and its token once
    Add(scim::Add),
    /// Make another token of a directory; the tokens before remain valid until they are revoked
    Rotate(scim::Rotate),
    /// Revoke all tokens of a directory; its people keep their access
    Revoke(scim::Revoke),
    /// Move a directory, with its people and groups, to another organization
    ///
    /// For a directory whose events name another organization than the one it belongs to, and are refused. The command shows
    /// first who would move, with the roles that each person loses and gains, and asks.
    ///
    /// After the move the directory, its users, groups and memberships belong to the other tenant, and the mapping of that
    /// tenant gives them their roles. Manual grants, protected roles and settings stay with the former tenant. The events of
    /// the new owner that were refused are applied. Later events that name the former organization are refused. A second
    /// move moves the directory back.
    Move(Move),
}

#[derive(Args)]
struct Move {
    /// The directory's id, or its name if only one directory has it
    directory: String,
    /// The id of the organization, as the broker writes it
    #[arg(long, value_name = "ORGANIZATION")]
    to: String,
    #[command(flatten)]
    by: By,
    /// Reason for the record
    #[arg(long)]
    reason: String,
    #[command(flatten)]
    consent: Consent,
}

impl Verbs {
    /// The tenant that the command names, as it was written.
    pub(super) fn tenant(&mut self) -> Option<&mut String> {
        match &mut self.verb {
            Verb::List { tenant, .. } => tenant.as_mut(),
            // The tenant of a new directory may be new, too.
            Verb::Add(_) | Verb::Rotate(_) | Verb::Revoke(_) | Verb::Move(_) => None,
        }
    }
}

pub(super) fn run(database: &Database, config: &Config, verbs: &Verbs) -> Result<ExitCode, Failure> {
    match &verbs.verb {
        Verb::List { tenant, format } => list(database, tenant.as_deref(), *format),
        Verb::Add(of) => scim::add(database, config, of),
        Verb::Rotate(of) => scim::rotate(database, config, of),
        Verb::Revoke(of) => scim::revoke(database, of),
        Verb::Move(of) => move_directory(database, config, of),
    }
}

fn move_directory(database: &Database, config: &Config, of: &Move) -> Result<ExitCode, Failure> {
    let (by, rules) = (of.by.name()?, config.rules());
    let directory = database.read(|conn| directory_lookup::named(conn, &of.directory))?;
    let request = || MoveRequest {
        directory: &directory,
        to: &of.to,
        by: &by,
        reason: &of.reason,
        now: Clock::System.now(),
    };
    let confirmed = match of.consent.expected() {
        Some(count) => Confirmed::Count(count),
        None => Confirmed::Anything,
    };
    let moved = if of.consent.is_given() {
        directory_move::move_directory(database, &rules, request(), confirmed)?
    } else {
        let plan = directory_move::preview(database, &rules, request())?;
        print::plan(&plan)?;
        of.consent.ask("Move it?", plan.with_access())?;
        directory_move::move_directory(database, &rules, request(), Confirmed::Plan(&plan))?
    };
    print::done(&moved)?;
    Ok(ExitCode::SUCCESS)
}

fn list(database: &Database, tenant: Option<&str>, format: Format) -> Result<ExitCode, Failure> {
    expect_any_tenant(database, tenant)?;
    let (rows, people) = database
        .read::<_, DbError>(|conn| Ok((DIRECTORIES.rows(conn, tenant)?, directories::people(conn)?)))?;
    let mut columns: Vec<&'static str> = DIRECTORIES.names().collect();
    columns.push("people");
    let counted = |mut row: Vec<Value>| {
        let text = |at: usize| row.get(at).and_then(Value::as_str).unwrap_or_default().to_owned();
        let key = (text(0), text(1));
        row.push(people.get(&key).copied().unwrap_or(0).into());
        row
    };
    List { columns, rows: rows.into_iter().map(counted).collect() }.print(format)?;
    Ok(ExitCode::SUCCESS)
}
