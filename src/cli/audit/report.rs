//! `audit report`: an access review at a point in time, in the form that its reader needs.

use std::{
    io::{IsTerminal, Write},
    path::{Path, PathBuf},
};

use clap::Args;
use strum::IntoEnumIterator;

use super::time;
use crate::{
    audit::{
        access_review_page,
        review::{self, Review, ReviewQuery},
        review_sheets::{SheetKind, sheet},
        review_workbook,
    },
    cli::{Failure, Misuse, expect_tenant, operator::By, output::print_text},
    db::Database,
    runtime::{
        clock::{Clock, Timestamp},
        private_files,
    },
};

#[derive(Args)]
pub(super) struct Report {
    #[arg(long)]
    pub(super) tenant: String,
    /// The state at this time, from the audit trail: 2026-06-01 or 2026-06-01T12:00:00Z; default: now
    #[arg(long, value_parser = time, visible_alias = "until", value_name = "TIME")]
    as_of: Option<Timestamp>,
    /// Joiners, movers, leavers and differences since this time; default: the last report by mail, or 90 days before
    #[arg(long, value_parser = time, value_name = "TIME")]
    since: Option<Timestamp>,
    #[arg(long, value_enum, default_value_t)]
    format: ReportFormat,
    /// The kind of record of a CSV file; default: roles, or one file for each kind in the directory of --out
    #[arg(long, value_enum, hide_default_value = true)]
    kind: Option<SheetKind>,
    /// Write to this file instead of standard output; CSV also to this directory (that exists, or ends in /)
    #[arg(long, value_name = "PATH")]
    out: Option<PathBuf>,
    #[command(flatten)]
    by: By,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum ReportFormat {
    /// One kind of record in each file
    #[default]
    Csv,
    /// A workbook with one sheet for each kind of record
    Xlsx,
    /// One object, for programs: docs/access-review.schema.json
    Json,
    /// One page to read or print, with a block for each person
    Html,
}

pub(super) fn run(database: &Database, report: &Report) -> Result<(), Failure> {
    let Report { tenant, as_of, since, format, kind, out, by } = report;
    if kind.is_some() && *format != ReportFormat::Csv {
        return Err(Misuse("--kind is about CSV; the other forms have all kinds".to_owned()).into());
    }
    expect_tenant(database, tenant)?;
    let now = Clock::System.now();
    let made_by = by.known_name().unwrap_or_else(|| "unknown".to_owned());
    let wanted =
        ReviewQuery { tenant_id: tenant, as_of: as_of.unwrap_or(now), since: *since, made_by: &made_by, now };
    let review = database.snapshot(|conn| review::review(conn, wanted))?;
    let text = match format {
        ReportFormat::Csv => match out {
            Some(out) if kind.is_none() && is_directory(out) => return all(&review, out),
            _ => sheet(&review, kind.unwrap_or_default()).csv(),
        },
        ReportFormat::Xlsx => return workbook(&review, out.as_deref()),
        ReportFormat::Json => format!("{}\n", serde_json::to_string_pretty(&review)?),
        ReportFormat::Html => access_review_page::write(&review),
    };
    match out {
        Some(out) => file(out, text.as_bytes()),
        None => Ok(print_text(&text)?),
    }
}

fn is_directory(path: &Path) -> bool {
    path.is_dir() || path.as_os_str().as_encoded_bytes().ends_with(b"/")
}

/// One file for each kind.
fn all(review: &Review, directory: &Path) -> Result<(), Failure> {
    private_files::create_directories(directory)
        .map_err(|error| format!("{}: {error}", directory.display()))?;
    for kind in SheetKind::iter() {
        let name: &str = kind.into();
        file(&directory.join(format!("{name}.csv")), sheet(review, kind).csv().as_bytes())?;
    }
    Ok(())
}

fn workbook(review: &Review, out: Option<&Path>) -> Result<(), Failure> {
    if out.is_none() && std::io::stdout().is_terminal() {
        return Err(Misuse("a workbook is no text for a terminal: add --out FILE".to_owned()).into());
    }
    let bytes = review_workbook::write(review)
        .map_err(|error| format!("the workbook cannot be written ({error}): take --format csv or json"))?;
    match out {
        Some(out) => file(out, &bytes),
        None => Ok(std::io::stdout().lock().write_all(&bytes)?),
    }
}

fn file(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let written = private_files::create(path).and_then(|mut file| file.write_all(bytes));
    Ok(written.map_err(|error| format!("{}: {error}", path.display()))?)
}
