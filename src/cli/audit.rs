//! `audit log | verify | heads | receipt | report`: the audit trail, its verification, and documents for auditors.

mod chains;
mod report;

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, Subcommand};
use serde_json::Value;

use super::{Failure, Format, expect_tenant, output::List};
use crate::{
    audit::{
        leaver_receipt::{self, Receipt},
        review_table::{RECEIPT, receipt_row},
        stored_entries::{self, LogQuery, StoredEntry},
    },
    db::{Conn, Database},
    runtime::clock::Timestamp,
    tables::user_lookup::{self, LookupError},
};

#[derive(Args)]
pub struct Verbs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// List entries, the newest last
    Log {
        /// The tenant's id; '' for entries without tenant, such as retried deliveries and applied mappings
        #[arg(long)]
        tenant: String,
        /// A user's id or address, or another subject: a group, a mapping's version, a delivery
        #[arg(long)]
        user: Option<String>,
        /// Applied at this time or later: 2026-06-01 or 2026-06-01T12:00:00Z
        #[arg(long, value_parser = time)]
        since: Option<Timestamp>,
        /// Applied before this time
        #[arg(long, value_parser = time)]
        until: Option<Timestamp>,
        /// A kind (access.lost), or the beginning of several kinds (access)
        #[arg(long)]
        kind: Option<String>,
        /// At most this many entries, the newest
        #[arg(long, default_value_t = 100)]
        limit: u32,
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Verify the hash chain: detect changed, missing, exchanged and removed entries. Exits with 1 if there are any.
    /// A person who can write to the database could write a whole new chain; `--against` detects that
    Verify {
        /// Only this tenant's chain
        #[arg(long)]
        tenant: Option<String>,
        /// Each chain must also contain its head in this file, which `audit heads --format json` wrote earlier
        #[arg(long, value_name = "FILE")]
        against: Option<PathBuf>,
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Print the head of each chain. Store it outside of the database every day, for `audit verify --against`
    Heads {
        /// Only this tenant's chain
        #[arg(long)]
        tenant: Option<String>,
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Show the evidence for one leaver: said, received, applied, notified, and the minutes between
    Receipt {
        #[arg(long)]
        tenant: String,
        /// An id or an address; write `id:…` or `email:…` if a text is both
        #[arg(long)]
        user: String,
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Write an access review at a point in time: who has access and roles, why, who came and left, what has changed
    Report(report::Report),
}

impl Verbs {
    /// The tenant that the command names, as it was written.
    pub(super) fn tenant(&mut self) -> Option<&mut String> {
        match &mut self.verb {
            Verb::Log { tenant, .. } | Verb::Receipt { tenant, .. } => Some(tenant),
            Verb::Report(report) => Some(&mut report.tenant),
            Verb::Verify { tenant, .. } | Verb::Heads { tenant, .. } => tenant.as_mut(),
        }
    }
}

fn time(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse(text)
        .or_else(|| Timestamp::parse(&format!("{text}T00:00:00Z")))
        .ok_or_else(|| "write it as 2026-06-01 or 2026-06-01T12:00:00Z".to_owned())
}

pub(super) fn run(database: &Database, verbs: &Verbs) -> Result<ExitCode, Failure> {
    match &verbs.verb {
        Verb::Log { tenant, user, since, until, kind, limit, format } => {
            expect_tenant(database, tenant)?;
            let entries = database.snapshot::<_, LookupError>(|conn| {
                let subjects = user.as_deref().map(|user| subjects(conn, tenant, user)).transpose()?;
                let wanted = LogQuery {
                    tenant_id: tenant,
                    subjects: subjects.as_deref(),
                    kind: kind.as_deref(),
                    since: *since,
                    until: *until,
                    limit: i64::from(*limit),
                };
                Ok(stored_entries::entries(conn, wanted)?)
            })?;
            let columns = vec![
                "seq",
                "applied_at",
                "kind",
                "subject",
                "change",
                "personal",
                "actor",
                "stated_at",
                "received_at",
                "inbox_id",
                "hash",
            ];
            let list = List { columns, rows: entries.iter().map(row).collect() };
            let brief = ["seq", "applied_at", "kind", "subject", "change", "actor"];
            if *format == Format::Table { list.only(&brief).print(*format)? } else { list.print(*format)? }
        }
        Verb::Verify { tenant, against, format } => {
            return chains::verify(database, tenant.as_deref(), against.as_deref(), *format);
        }
        Verb::Heads { tenant, format } => chains::heads(database, tenant.as_deref(), *format)?,
        Verb::Receipt { tenant, user, format } => {
            expect_tenant(database, tenant)?;
            let receipts = database.snapshot::<_, LookupError>(|conn| {
                let subjects = subjects(conn, tenant, user)?;
                Ok(leaver_receipt::receipts(conn, tenant, Some(&subjects), None)?)
            })?;
            if receipts.is_empty() {
                return Err(format!(
                    "{tenant} has no record that {user} lost access; see `rosterd audit log --tenant {tenant} --user {user}`"
                )
                .into());
            }
            print_receipts(&receipts, *format)?;
        }
        Verb::Report(wanted) => report::run(database, wanted)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// The subjects of a user, by id or address; or any other subject by its own name.
fn subjects(conn: &mut Conn, tenant: &str, user: &str) -> Result<Vec<String>, LookupError> {
    let named = user_lookup::named(conn, tenant, user)?;
    Ok(if named.is_empty() { vec![user.to_owned()] } else { named.into_iter().collect() })
}

fn row(entry: &StoredEntry) -> Vec<Value> {
    let time = |at: Option<i64>| Value::from(at.map(|at| Timestamp::from_micros(at).to_string()));
    let json = |text: &str| serde_json::from_str(text).unwrap_or_else(|_| Value::from(text));
    let personal =
        if entry.is_erased() { Value::from("erased") } else { entry.personal.as_deref().map(json).into() };
    vec![
        entry.seq.into(),
        entry.applied_at().to_string().into(),
        entry.kind.as_str().into(),
        entry.subject.as_str().into(),
        json(&entry.change),
        personal,
        entry.actor.as_str().into(),
        time(entry.stated_at),
        time(entry.received_at),
        entry.inbox_id.into(),
        hex::encode(&entry.hash).into(),
    ]
}

/// For people receipts are printed one below the other; for programs as rows.
fn print_receipts(receipts: &[Receipt], format: Format) -> std::io::Result<()> {
    if format != Format::Table {
        return List { columns: RECEIPT.to_vec(), rows: receipts.iter().map(receipt_row).collect() }
            .print(format);
    }
    for receipt in receipts {
        let pairs = RECEIPT.iter().zip(receipt_row(receipt)).filter(|(_, value)| !value.is_null());
        let rows = pairs.map(|(name, value)| vec![Value::from(*name), value]).collect();
        List { columns: vec!["", ""], rows }.print(format)?;
    }
    Ok(())
}
