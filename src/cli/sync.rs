//! `sync status`: when the tables were last compared with the directories.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::Value;

use super::{Failure, Format, expect_any_tenant, output::List};
use crate::{
    broker::Source,
    db::{Database, DbError},
    runtime::clock::Timestamp,
    sync::missed,
    tables::{comparisons, event_cursors},
};

#[derive(Args)]
pub struct Verbs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Show the newest comparison of each directory with the broker's API
    Status {
        #[arg(long)]
        tenant: Option<String>,
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
}

impl Verbs {
    /// The tenant that the command names, as it was written.
    pub(super) fn tenant(&mut self) -> Option<&mut String> {
        let Verb::Status { tenant, .. } = &mut self.verb;
        tenant.as_mut()
    }
}

pub(super) fn run(database: &Database, verbs: &Verbs) -> Result<ExitCode, Failure> {
    let Verb::Status { tenant, format } = &verbs.verb;
    expect_any_tenant(database, tenant.as_deref())?;
    let (newest, cursor, missed) = database.read::<_, DbError>(|conn| {
        Ok((
            comparisons::newest(conn, tenant.as_deref())?,
            event_cursors::of(conn, Source::EVENTS.name())?,
            missed::known(conn)?,
        ))
    })?;
    let time = |micros: i64| -> Value { Timestamp::from_micros(micros).to_string().into() };
    let columns = vec![
        "tenant_id",
        "directory_id",
        "checked_at",
        "compared_at",
        "complete",
        "reason",
        "people",
        "groups",
        "memberships",
        "differences",
        "healed",
        "held",
    ];
    let row = |of: comparisons::Comparison| -> Vec<Value> {
        vec![
            of.tenant_id.into(),
            of.directory_id.into(),
            time(of.checked_at),
            of.compared_at.map_or(Value::Null, time),
            of.complete.into(),
            of.reason.into(),
            of.people.into(),
            of.groups.into(),
            of.memberships.into(),
            of.differences.into(),
            of.healed.into(),
            of.held.into(),
        ]
    };
    let mut rows: Vec<Vec<Value>> = newest.into_iter().map(row).collect();
    rows.sort_by_key(|row| row.first().and_then(Value::as_str).unwrap_or_default().to_owned());
    List { columns, rows }.print(*format)?;
    match cursor {
        Some(cursor) => eprintln!(
            "events of the API read at {}; {} events that no webhook brought",
            cursor.polled_at, missed.total
        ),
        None => eprintln!("events of the API are not read; set WORKOS_API_KEY"),
    }
    if let Some(since) = missed.away_since {
        eprintln!("the broker's webhooks do not reach this service since {since}");
    }
    Ok(ExitCode::SUCCESS)
}
