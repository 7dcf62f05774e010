//! `changes tail` and `changes head`: the change feed.

use std::{
    io::{self, Write},
    process::ExitCode,
    thread,
    time::Duration,
};

use clap::{Args, Subcommand, ValueEnum};

use super::{Failure, Format, expect_any_tenant, output::List};
use crate::{
    db::{Database, DbError},
    feed::{
        head,
        read::{self, Record},
    },
};

#[derive(Args)]
pub struct Verbs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Print records from SEQ on, then each new one
    Tail(Tail),
    /// The newest record, and the first that is still stored
    Head {
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
}

#[derive(Args)]
struct Tail {
    /// The first record to print; default: the first that is stored
    #[arg(long, value_name = "SEQ")]
    from: Option<i64>,
    /// Only records of this tenant, by id or name
    #[arg(long)]
    tenant: Option<String>,
    /// End after the newest record instead of waiting for the next one
    #[arg(long)]
    until_idle: bool,
    #[arg(long, value_enum, default_value_t)]
    format: RecordFormat,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum RecordFormat {
    /// JSON; one record on each line
    #[default]
    Jsonl,
}

/// Records read at once.
const PAGE: usize = 2_000;

/// The pause between two reads while there is no new record.
const PAUSE: Duration = Duration::from_millis(200);

impl Verbs {
    /// The tenant that the command names, as it was written.
    pub(super) fn tenant(&mut self) -> Option<&mut String> {
        match &mut self.verb {
            Verb::Tail(tail) => tail.tenant.as_mut(),
            Verb::Head { .. } => None,
        }
    }
}

pub(super) fn run(database: &Database, verbs: &Verbs) -> Result<ExitCode, Failure> {
    match &verbs.verb {
        Verb::Tail(tail) => follow(database, tail),
        Verb::Head { format } => {
            let ends = database.read::<_, DbError>(|conn| Ok(head::get(conn)?))?;
            let rows = vec![vec![ends.seq.into(), ends.first_seq.into()]];
            List { columns: vec!["seq", "first_seq"], rows }.print(*format)?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn follow(database: &Database, tail: &Tail) -> Result<ExitCode, Failure> {
    let Tail { from, tenant, until_idle, format: RecordFormat::Jsonl } = tail;
    expect_any_tenant(database, tenant.as_deref())?;
    let mut next = match from {
        Some(from) => *from,
        None => database.read::<_, DbError>(|conn| Ok(head::get(conn)?))?.first_seq,
    };
    loop {
        let page = read::page(database, next, tenant.as_deref(), PAGE)?;
        if !print(&page.records)? {
            return Ok(ExitCode::SUCCESS);
        }
        next = page.next;
        match (page.is_full, until_idle) {
            (true, _) => {}
            (false, true) => return Ok(ExitCode::SUCCESS),
            (false, false) => thread::sleep(PAUSE),
        }
    }
}

/// Returns false when the reader has closed.
fn print(records: &[Record]) -> Result<bool, Failure> {
    let mut lines = Vec::new();
    for record in records {
        serde_json::to_writer(&mut lines, record)?;
        lines.push(b'\n');
    }
    let mut out = io::stdout().lock();
    match out.write_all(&lines).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        outcome => Ok(outcome.map(|()| true)?),
    }
}
