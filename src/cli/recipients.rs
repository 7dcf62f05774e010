//! `recipients add | remove | list`: the addresses that get the mails of a tenant.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::Value;

use super::{
    Failure, Format,
    operator::By,
    output::{List, print_text},
};
use crate::{
    config::Config,
    db::{Database, DbError},
    notify::recipients::Origin,
    operator::{
        manual_roles::OperatorAt,
        recipients::{self, ListedRecipient},
    },
    runtime::clock::Clock,
};

#[derive(Args)]
pub struct Verbs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// List the addresses that get the mails of a tenant, and why
    List {
        /// Only this tenant, by id or name
        #[arg(long)]
        tenant: Option<String>,
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Add an address; the next mail goes to it, without a restart
    Add(Recipient),
    /// Remove an address that was added
    Remove(Recipient),
}

#[derive(Args)]
struct Recipient {
    /// The tenant's id or name
    #[arg(long)]
    tenant: String,
    /// One address, as in it@customer.example
    address: String,
    #[command(flatten)]
    by: By,
}

impl Verbs {
    /// The tenant that the command names, as it was written.
    pub(super) fn tenant(&mut self) -> Option<&mut String> {
        match &mut self.verb {
            Verb::List { tenant, .. } => tenant.as_mut(),
            Verb::Add(of) | Verb::Remove(of) => Some(&mut of.tenant),
        }
    }
}

pub(super) fn run(database: &Database, config: &Config, verbs: &Verbs) -> Result<ExitCode, Failure> {
    match &verbs.verb {
        Verb::List { tenant, format } => list(database, config, tenant.as_deref(), *format)?,
        Verb::Add(Recipient { tenant, address, by }) => {
            let by = OperatorAt { name: &by.name()?, now: Clock::System.now() };
            let (address, added) = recipients::add(database, tenant, address, by)?;
            print_text(&match added {
                true => format!("{address} gets the mails of {tenant} from now on\n"),
                false => format!("{address} is a recipient of {tenant} already; nothing was changed\n"),
            })?;
        }
        Verb::Remove(Recipient { tenant, address, by }) => {
            let by = OperatorAt { name: &by.name()?, now: Clock::System.now() };
            recipients::remove(database, &config.mail, tenant, address, by)?;
            print_text(&format!("{address} gets no more mails of {tenant}\n"))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn list(database: &Database, config: &Config, tenant: Option<&str>, format: Format) -> Result<(), Failure> {
    let listed = database.read::<_, DbError>(|conn| recipients::list(conn, &config.mail, tenant))?;
    let columns = vec!["tenant_id", "address", "origin", "added_by", "added_at"];
    List { columns, rows: listed.iter().map(row).collect() }.print(format)?;
    if let (Some(tenant), true, Format::Table) = (tenant, listed.is_empty(), format) {
        let fallback: Vec<&str> = config.mail.fallback.iter().map(AsRef::as_ref).collect();
        print_text(&match fallback.is_empty() {
            false => format!("the mails of {tenant} go to mail.fallback: {}\n", fallback.join(", ")),
            true => format!(
                "nobody gets the mails of {tenant}: add a recipient with `rosterd recipients add`, or set MAIL_FALLBACK\n"
            ),
        })?;
    }
    Ok(())
}

fn row(one: &ListedRecipient) -> Vec<Value> {
    let origin = match one.origin {
        Origin::Settings => "settings",
        Origin::Database => "database",
        Origin::Role => "role",
    };
    let added = one.added.as_ref();
    vec![
        one.tenant_id.as_str().into(),
        one.address.as_str().into(),
        origin.into(),
        added.map(|row| row.added_by.as_str()).into(),
        added.map(|row| row.added_at().to_string()).into(),
    ]
}
