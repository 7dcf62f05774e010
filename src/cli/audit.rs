//! `audit log | verify | receipt | report`: the audit trail, its verification, and documents for auditors.

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, Subcommand};
use serde_json::Value;

use super::{
    Failure, Format, expect_any_tenant, expect_tenant,
    output::{List, print_text},
};
use crate::{
    audit::{
        leaver_receipt::{self, Receipt},
        report, review_page,
        review_table::{self, RECEIPT, receipt_row},
        stored_entries::{self, LogQuery, StoredEntry},
        verify::{self, Verified},
    },
    db::{Conn, Database, DbError},
    runtime::{
        clock::{Clock, Timestamp},
        private_files,
    },
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
    /// Store the printed heads elsewhere, because a person who can write to the database could write a whole new chain
    Verify {
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
    /// Write an access review: who has access and roles, why, and who left when
    Report {
        #[arg(long)]
        tenant: String,
        /// Only leavers at this time or later
        #[arg(long, value_parser = time)]
        since: Option<Timestamp>,
        /// Only leavers before this time
        #[arg(long, value_parser = time)]
        until: Option<Timestamp>,
        #[arg(long, value_enum, default_value_t)]
        format: ReportFormat,
        /// Write to this file instead of standard output
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
}

impl Verbs {
    /// The tenant that the command names, as it was written.
    pub(super) fn tenant(&mut self) -> Option<&mut String> {
        match &mut self.verb {
            Verb::Log { tenant, .. } | Verb::Receipt { tenant, .. } | Verb::Report { tenant, .. } => {
                Some(tenant)
            }
            Verb::Verify { tenant, .. } => tenant.as_mut(),
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum ReportFormat {
    /// One row for each role held and each leaver
    #[default]
    Csv,
    Json,
    /// One page to print
    Html,
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
        Verb::Verify { tenant, format } => return verify(database, tenant.as_deref(), *format),
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
        Verb::Report { tenant, since, until, format, out } => {
            expect_tenant(database, tenant)?;
            let now = Clock::System.now();
            let wanted = report::ReportQuery { tenant_id: tenant, since: *since, until: *until, most: None };
            let report = database.snapshot(|conn| report::report(conn, wanted, now))?;
            let text = match format {
                ReportFormat::Csv => review_table::write(&report),
                ReportFormat::Json => format!("{}\n", serde_json::to_string_pretty(&report)?),
                ReportFormat::Html => review_page::write(&report),
            };
            match out {
                Some(out) => {
                    private_files::write(out, &text)
                        .map_err(|error| format!("{}: {error}", out.display()))?;
                }
                None => print_text(&text)?,
            }
        }
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

fn verify(database: &Database, tenant: Option<&str>, format: Format) -> Result<ExitCode, Failure> {
    expect_any_tenant(database, tenant)?;
    let verified: Vec<Verified> = database.snapshot::<_, DbError>(|conn| {
        let tenants = match tenant {
            Some(tenant) => vec![tenant.to_owned()],
            None => stored_entries::tenants(conn)?,
        };
        tenants.iter().map(|tenant| verify::verify(conn, tenant)).collect()
    })?;
    let columns = vec!["tenant", "entries", "erased", "head", "verdict"];
    let row = |chain: &Verified| -> Vec<Value> {
        let verdict = if chain.faults.is_empty() { "ok" } else { "altered" };
        let head = format!("{} {}", chain.head.seq, hex::encode(&chain.head.hash));
        vec![
            chain.tenant_id.as_str().into(),
            chain.entries.into(),
            chain.erased.into(),
            head.into(),
            verdict.into(),
        ]
    };
    List { columns, rows: verified.iter().map(row).collect() }.print(format)?;
    let mut code = ExitCode::SUCCESS;
    for fault in verified.iter().flat_map(|chain| &chain.faults) {
        eprintln!("tenant {:?}, entry {}: {}", fault.tenant_id, fault.seq, fault.wrong);
        code = ExitCode::FAILURE;
    }
    Ok(code)
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
