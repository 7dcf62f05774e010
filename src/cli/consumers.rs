//! `consumers`: programs that read the change feed. Records that they have not confirmed are stored for longer.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::Value;

use super::{Failure, Format, output::List};
use crate::{
    db::{Database, DbError},
    feed::{
        consumers::{self, Consumer},
        head::{self, FeedHead},
    },
    runtime::clock::{Clock, Timestamp},
};

#[derive(Args)]
pub struct Verbs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// List consumers with the number of records that each has not confirmed
    List {
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Add a consumer: records after SEQ wait for it
    Add {
        name: String,
        /// The last record that it needs no more; default: the newest
        #[arg(long, value_name = "SEQ")]
        seq: Option<i64>,
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Confirm that a consumer has processed all records up to SEQ
    Ack { name: String, seq: i64 },
    /// Remove a consumer: no record waits for it any more
    Remove { name: String },
}

pub(super) fn run(database: &Database, verbs: &Verbs) -> Result<ExitCode, Failure> {
    let now = Clock::System.now();
    match &verbs.verb {
        Verb::List { format } => {
            let (all, head) =
                database.snapshot::<_, DbError>(|conn| Ok((consumers::all(conn)?, head::get(conn)?)))?;
            list(&all, head).print(*format)?;
        }
        Verb::Add { name, seq, format } => {
            let (consumer, head) = database.write::<_, Failure>(|conn| {
                let head = head::get(conn)?;
                let seq = within(head, seq.unwrap_or(head.seq))?;
                if seq + 1 < head.first_seq {
                    let gone = format!(
                        "the records before {} are no longer stored: read the tables, then add the consumer with --seq {} or later",
                        head.first_seq, head.seq
                    );
                    return Err(gone.into());
                }
                if name.trim().is_empty() || !consumers::add(conn, name, seq, now)? {
                    return Err(format!("there is a consumer {name:?} already, or the name is empty: choose another name").into());
                }
                let added = consumers::get(conn, name)?;
                Ok((added, head))
            })?;
            list(&consumer.into_iter().collect::<Vec<_>>(), head).print(*format)?;
        }
        Verb::Ack { name, seq } => database.write::<_, Failure>(|conn| {
            let seq = within(head::get(conn)?, *seq)?;
            let known = consumers::get(conn, name)?.ok_or_else(|| unknown(name))?;
            if seq < known.seq {
                let back = format!(
                    "{name} has confirmed {} already; to read records again, use `rosterd changes tail --from`",
                    known.seq
                );
                return Err(back.into());
            }
            consumers::confirm(conn, name, seq, now)?;
            Ok(())
        })?,
        Verb::Remove { name } => {
            if !database.write::<_, DbError>(|conn| Ok(consumers::remove(conn, name)?))? {
                return Err(unknown(name).into());
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn unknown(name: &str) -> String {
    format!("there is no consumer {name:?}; see `rosterd consumers list`")
}

fn within(head: FeedHead, seq: i64) -> Result<i64, Failure> {
    match (0..=head.seq).contains(&seq) {
        true => Ok(seq),
        false => Err(format!("there is no record {seq}; the newest is {}", head.seq).into()),
    }
}

fn list(all: &[Consumer], head: FeedHead) -> List {
    let time = |micros: i64| Value::from(Timestamp::from_micros(micros).to_string());
    let row = |consumer: &Consumer| {
        let state = if consumer.is_overtaken(head) { "overtaken" } else { "reading" };
        vec![
            consumer.name.clone().into(),
            consumer.seq.into(),
            consumer.lag(head).into(),
            state.into(),
            time(consumer.confirmed_at),
            time(consumer.created_at),
        ]
    };
    List {
        columns: vec!["name", "seq", "lag", "state", "confirmed_at", "created_at"],
        rows: all.iter().map(row).collect(),
    }
}
