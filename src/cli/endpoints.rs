//! `endpoints`: addresses of the application that get the records of the change feed as webhooks.

mod list;
mod try_out;

use std::process::ExitCode;

use clap::{Args, Subcommand};
use secrecy::SecretString;
use serde_json::json;

use super::{
    Failure, Format,
    operator::By,
    output::{List, print_text},
};
use crate::{
    config::Config,
    db::{Conn, Database, DbError},
    endpoints::{
        address, attempts,
        circuit::Circuit,
        secret::{new_id, new_secret},
        stored::{self, Endpoint},
        waiting,
    },
    feed::{head, kinds},
    runtime::clock::{Clock, Timestamp},
};

#[derive(Args)]
pub struct Verbs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Add an endpoint; its secret is printed
    Add(Add),
    /// List endpoints with their position, and with the records that wait
    List {
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Remove an endpoint
    Remove { id: String },
    /// Send webhooks again to an endpoint that was disabled or pauses
    Enable { id: String },
    /// Send no webhooks to an endpoint; its position stays, but retention does not wait for it
    Disable {
        id: String,
        /// For the list
        #[arg(long, default_value = "by an operator")]
        reason: String,
    },
    /// Replace the secret; the old one signs, too, for endpoints.rotation_hours
    Rotate {
        id: String,
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Send all records from SEQ on once more
    Replay {
        id: String,
        #[arg(long, value_name = "SEQ")]
        from: i64,
    },
    /// Send one webhook of type endpoint.test now
    Test {
        id: String,
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Show the failed attempts of an endpoint and the successes that ended them, the newest first
    Attempts {
        id: String,
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
}

#[derive(Args)]
struct Add {
    /// An https:// address
    url: String,
    /// Only records of this tenant, by id or name
    #[arg(long)]
    tenant: Option<String>,
    /// Only these kinds of records, separated by commas, such as user.deprovisioned
    #[arg(long, value_delimiter = ',', value_name = "KIND")]
    events: Vec<String>,
    /// The first record to send, or now: only later ones
    #[arg(long, value_name = "SEQ", default_value = "now")]
    from: String,
    /// Accept an address in a private network, and http://
    #[arg(long)]
    allow_private: bool,
    /// A name for the list; default: the host
    #[arg(long)]
    name: Option<String>,
    #[command(flatten)]
    by: By,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

impl Verbs {
    /// The tenant that the command names, as it was written.
    pub(super) fn tenant(&mut self) -> Option<&mut String> {
        match &mut self.verb {
            Verb::Add(add) => add.tenant.as_mut(),
            _ => None,
        }
    }
}

pub(super) fn run(database: &Database, config: &Config, verbs: &Verbs) -> Result<ExitCode, Failure> {
    let now = Clock::System.now();
    match &verbs.verb {
        Verb::Add(arguments) => {
            let (id, secret) = add(database, arguments, now)?;
            show_secret(&id, &secret, arguments.format)?;
        }
        Verb::List { format } => {
            let (all, waiting, head) = database.snapshot::<_, DbError>(|conn| {
                Ok((stored::all(conn)?, waiting::counts(conn)?, head::get(conn)?))
            })?;
            list::endpoints(&all, &waiting, head).print(*format)?;
        }
        Verb::Remove { id } => changed(database, id, |conn| stored::remove(conn, id))?,
        Verb::Enable { id } => changed(database, id, |conn| stored::enable(conn, id))?,
        Verb::Disable { id, reason } => changed(database, id, |conn| stored::disable(conn, id, reason))?,
        Verb::Rotate { id, format } => {
            let secret = new_secret();
            let until = now.plus_seconds(i64::from(config.endpoints.rotation_hours) * 3_600);
            let stored = SecretString::from(secret.as_str());
            changed(database, id, |conn| stored::rotate(conn, id, &stored, until))?;
            show_secret(id, &secret, *format)?;
        }
        Verb::Replay { id, from } => replay(database, id, *from)?,
        Verb::Test { id, format } => {
            return try_out::run(&known(database, id)?, config.endpoints.limits(), now, *format);
        }
        Verb::Attempts { id, format } => {
            known(database, id)?;
            let all = database.read::<_, DbError>(|conn| Ok(attempts::of(conn, id)?))?;
            list::attempts(&all).print(*format)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn add(database: &Database, arguments: &Add, now: Timestamp) -> Result<(String, String), Failure> {
    let url = address::read(&arguments.url, arguments.allow_private)?;
    let unknown = arguments.events.iter().find(|kind| !kinds::ALL.contains(&kind.as_str()));
    if let Some(kind) = unknown {
        return Err(format!("there is no kind {kind:?}; the kinds are {}", kinds::ALL.join(", ")).into());
    }
    let (id, secret) = (new_id(), new_secret());
    let name = arguments.name.clone().or_else(|| url.host_str().map(str::to_owned)).unwrap_or_default();
    database.write::<_, Failure>(|conn| {
        let settled_seq = first(conn, &arguments.from)? - 1;
        let endpoint = Endpoint {
            id: id.clone(),
            name,
            url: String::from(url).into(),
            tenant_id: arguments.tenant.clone(),
            kinds: arguments.events.clone(),
            allow_private: arguments.allow_private,
            secret: secret.as_str().into(),
            previous: None,
            settled_seq,
            disabled: None,
            circuit: Circuit::default(),
            revision: 0,
            fence: 0,
            lease_until: Timestamp::default(),
            delivered: 0,
            given_up: 0,
            lost: 0,
            last_success_at: None,
            last_failure_at: None,
            last_error: None,
            created_by: arguments.by.name_or_unknown(),
            created_at: now,
        };
        Ok(stored::insert(conn, &endpoint)?)
    })?;
    Ok((id, secret))
}

/// The number of the first record to send.
fn first(conn: &mut Conn, from: &str) -> Result<i64, Failure> {
    let head = head::get(conn)?;
    if from == "now" {
        return Ok(head.seq + 1);
    }
    let from: i64 =
        from.parse().map_err(|_none| format!("--from {from}: write the number of a record, or now"))?;
    match (head.first_seq..=head.seq + 1).contains(&from) {
        true => Ok(from),
        false => Err(format!(
            "there is no record {from}; the first that is stored is {}, and the newest is {}",
            head.first_seq, head.seq
        )
        .into()),
    }
}

fn replay(database: &Database, id: &str, from: i64) -> Result<(), Failure> {
    database.write::<_, Failure>(|conn| {
        let endpoint = stored::get(conn, id)?.ok_or_else(|| unknown(id))?;
        let from = first(conn, &from.to_string())?;
        if from > endpoint.settled_seq + 1 {
            let ahead = format!(
                "{id} has not got the records from {} on yet; replay begins at a record that it has got",
                endpoint.settled_seq + 1
            );
            return Err(ahead.into());
        }
        stored::replay(conn, id, from)?;
        Ok(())
    })
}

fn changed(
    database: &Database,
    id: &str,
    change: impl FnOnce(&mut Conn) -> diesel::QueryResult<bool>,
) -> Result<(), Failure> {
    match database.write::<_, DbError>(|conn| Ok(change(conn)?))? {
        true => Ok(()),
        false => Err(unknown(id).into()),
    }
}

fn known(database: &Database, id: &str) -> Result<Endpoint, Failure> {
    let found = database.read::<_, DbError>(|conn| Ok(stored::get(conn, id)?))?;
    Ok(found.ok_or_else(|| unknown(id))?)
}

fn unknown(id: &str) -> String {
    format!("there is no endpoint {id:?}; see `rosterd endpoints list`")
}

fn show_secret(id: &str, secret: &str, format: Format) -> Result<(), Failure> {
    match format {
        Format::Json => print_text(&format!("{}\n", json!({"id": id, "secret": secret})))?,
        _ => {
            let row = vec![id.into(), secret.into()];
            List { columns: vec!["id", "secret"], rows: vec![row] }.print(format)?;
        }
    }
    Ok(())
}
