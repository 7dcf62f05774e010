//! `inbox list | show | retry | discard | refused`.

use std::{
    io::{IsTerminal, Write},
    process::ExitCode,
};

use clap::{Args, Subcommand};
use diesel::QueryResult;
use serde_json::{Value, json};

use super::{
    Failure, Format,
    operator::By,
    output::{List, printable, printable_line},
};
use crate::{
    audit::{self, kinds},
    broker::Source,
    db::{Conn, Database, DbError},
    decide::fact::Reading,
    inbox::{
        dead_letters,
        listing::{self, DeliveryState, ListedDelivery},
    },
    runtime::clock::{Clock, Timestamp},
    tables::refused::{self, RefusedChange},
};

#[derive(Args)]
pub struct Verbs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// List deliveries, the newest first
    List {
        #[arg(long, value_enum)]
        state: Option<DeliveryState>,
        #[arg(long, default_value_t = 50)]
        limit: u32,
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Show one delivery: its state, the reason, and its body as it was received
    Show { id: i64 },
    /// Put one dead letter, or all of them, back into the queue
    Retry {
        #[arg(required_unless_present = "all", conflicts_with = "all")]
        id: Option<i64>,
        /// All dead letters that are not discarded
        #[arg(long)]
        all: bool,
        /// Only dead letters with this reason, as in `inbox list`
        #[arg(long, requires = "all")]
        reason: Option<String>,
        #[command(flatten)]
        by: By,
    },
    /// List users and groups whose changes a constraint or trigger of yours refuses; each is tried again automatically
    Refused {
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Discard a dead letter; it stays on record with the reason
    Discard {
        id: i64,
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        by: By,
    },
}

/// Retries all dead letters. Each one gets an audit entry of its own.
fn retry_all(database: &Database, reason: Option<&str>, by: &str) -> Result<(), DbError> {
    let now = Clock::System.now();
    let ids = database.write_serialized::<_, DbError>(|conn| {
        let ids = dead_letters::retry_all(conn, reason)?;
        let entries: Vec<audit::AuditEntry> =
            ids.iter().map(|id| entry(kinds::DELIVERY_RETRIED, *id, None, by)).collect();
        audit::record(conn, &entries, now)?;
        Ok(ids)
    })?;
    println!(
        "{} dead letters are in the queue again; a running `rosterd serve` applies them within seconds",
        ids.len()
    );
    Ok(())
}

fn refused_row(one: &RefusedChange) -> Vec<Value> {
    vec![
        one.name().into(),
        one.owner.as_str().into(),
        Timestamp::from_micros(one.since).to_string().into(),
        one.attempts.into(),
        Timestamp::from_micros(one.due_at).to_string().into(),
        one.detail.as_str().into(),
    ]
}

pub(super) fn run(database: &Database, verbs: &Verbs) -> Result<ExitCode, Failure> {
    match &verbs.verb {
        Verb::List { state, limit, format } => {
            let entries =
                database.read::<_, DbError>(|conn| Ok(listing::list(conn, *state, (*limit).into())?))?;
            let columns = vec![
                "id",
                "received_at",
                "source",
                "event",
                "kind",
                "state",
                "attempts",
                "next_attempt",
                "reason",
                "detail",
            ];
            List { columns, rows: entries.iter().map(row).collect() }.print(*format)?;
        }
        Verb::Show { id } => {
            let found = database.read::<_, DbError>(|conn| Ok(listing::show(conn, *id)?))?;
            let (entry, body) =
                found.ok_or_else(|| format!("there is no delivery {id}; see `rosterd inbox list`"))?;
            show(&entry, &body)?;
        }
        Verb::Refused { format } => {
            let refused = database.read::<_, DbError>(|conn| Ok(refused::list(conn)?))?;
            let columns = vec!["what", "of", "since", "attempts", "next", "detail"];
            List { columns, rows: refused.iter().map(refused_row).collect() }.print(*format)?;
        }
        Verb::Retry { id: None, reason, by, .. } => {
            retry_all(database, reason.as_deref(), &by.name()?)?;
        }
        Verb::Retry { id: Some(id), by, .. } => {
            let entry = entry(kinds::DELIVERY_RETRIED, *id, None, &by.name()?);
            let found =
                recorded(database, &entry, Clock::System.now(), |conn| dead_letters::retry(conn, *id))?;
            if !found {
                return Err(
                    format!("{id} is not a dead letter; see `rosterd inbox list --state dead`").into()
                );
            }
            println!(
                "delivery {id} is in the queue again; a running `rosterd serve` applies it within seconds"
            );
        }
        Verb::Discard { id, reason, by } => {
            let now = Clock::System.now();
            let entry = entry(kinds::DELIVERY_DISCARDED, *id, Some(reason), &by.name()?);
            let found =
                recorded(database, &entry, now, |conn| dead_letters::discard(conn, *id, reason, now))?;
            if !found {
                return Err(format!(
                    "{id} is not an open dead letter; see `rosterd inbox list --state dead`"
                )
                .into());
            }
            println!("delivery {id} is discarded");
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn entry(kind: &'static str, id: i64, reason: Option<&str>, by: &str) -> audit::AuditEntry {
    let change = reason.map_or_else(|| json!({}), |reason| json!({"reason": reason}));
    audit::AuditEntry::new(audit::NO_TENANT, kind, id, &change, audit::Actor::operator(by))
}

/// Records the action only if it happened.
fn recorded(
    database: &Database,
    entry: &audit::AuditEntry,
    now: Timestamp,
    change: impl FnOnce(&mut Conn) -> QueryResult<bool>,
) -> Result<bool, DbError> {
    database.write_serialized(|conn| {
        let changed = change(conn)?;
        if changed {
            audit::record(conn, std::slice::from_ref(entry), now)?;
        }
        Ok(changed)
    })
}

fn row(entry: &ListedDelivery) -> Vec<Value> {
    vec![
        entry.id.into(),
        entry.received_at().to_string().into(),
        entry.source.as_str().into(),
        entry.event.as_str().into(),
        entry.kind.as_str().into(),
        entry.state.as_str().into(),
        entry.attempts.into(),
        entry.next_attempt().map(|time| time.to_string()).into(),
        entry.reason.as_deref().into(),
        entry.detail.as_deref().into(),
    ]
}

/// Writes the body unchanged into a file or a pipe. On a terminal it prints no control characters.
fn show(entry: &ListedDelivery, body: &[u8]) -> std::io::Result<()> {
    let mut text = String::new();
    let mut line = |name: &str, value: &str| text.push_str(&format!("{name:<13}{}\n", printable_line(value)));
    line("id", &entry.id.to_string());
    line("source", &entry.source);
    line("event", &entry.event);
    line("kind", &entry.kind);
    line("received_at", &entry.received_at().to_string());
    line("state", &entry.state);
    line("attempts", &entry.attempts.to_string());
    if let Some(next) = entry.next_attempt() {
        line("next attempt", &next.to_string());
    }
    if let (Some(reason), Some(detail)) = (&entry.reason, &entry.detail) {
        line("reason", &format!("{reason}: {detail}"));
    }
    if let Some(Ok(Reading::Fact(_, left_out))) = Source::named(&entry.source).map(|source| source.read(body))
    {
        left_out.iter().for_each(|value| line("left out", value));
    }
    line("body", &format!("{} bytes, as received:", body.len()));
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    writeln!(out)?;
    match out.is_terminal() {
        true => out.write_all(printable(&String::from_utf8_lossy(body)).as_bytes())?,
        false => out.write_all(body)?,
    }
    writeln!(out)
}
