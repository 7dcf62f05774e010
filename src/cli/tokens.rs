//! `tokens add | list | revoke`: tokens of applications that read a tenant by SCIM; the list also has those of directories.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::json;

use super::{
    Failure, Format,
    operator::By,
    output::{List, print_text},
};
use crate::{
    config::Config,
    db::{Database, DbError},
    operator::{manual_roles::OperatorAt, scim_access},
    runtime::clock::{Clock, Timestamp},
    tables::scim_tokens::{self, ScimToken},
};

#[derive(Args)]
pub struct Verbs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Make a token with which an application reads the users and groups of a tenant by SCIM; it is shown once
    Add(Add),
    /// List the tokens with their last use, also those of directories
    List {
        /// Only this tenant, by id or name
        #[arg(long)]
        tenant: Option<String>,
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// End a token; it opens nothing after a second
    Revoke {
        /// The id of the token, from the list
        token: String,
        #[command(flatten)]
        by: By,
    },
}

#[derive(Args)]
struct Add {
    /// The tenant's id or name
    #[arg(long)]
    tenant: String,
    /// A name for the list, such as that of the application
    #[arg(long)]
    name: String,
    #[command(flatten)]
    expiry: Expiry,
    #[command(flatten)]
    by: By,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// The end of a token.
#[derive(Args)]
pub(super) struct Expiry {
    /// The number of days after which the token ends; without it the token ends when it is revoked
    #[arg(long, value_name = "DAYS")]
    expires_days: Option<u32>,
}

impl Expiry {
    pub(super) fn at(&self, now: Timestamp) -> Option<Timestamp> {
        self.expires_days.map(|days| now.plus_seconds(i64::from(days) * 86_400))
    }
}

impl Verbs {
    /// The tenant that the command names, as it was written.
    pub(super) fn tenant(&mut self) -> Option<&mut String> {
        match &mut self.verb {
            Verb::Add(add) => Some(&mut add.tenant),
            Verb::List { tenant, .. } => tenant.as_mut(),
            Verb::Revoke { .. } => None,
        }
    }
}

pub(super) fn run(database: &Database, config: &Config, verbs: &Verbs) -> Result<ExitCode, Failure> {
    let now = Clock::System.now();
    match &verbs.verb {
        Verb::Add(Add { tenant, name, expiry, by, format }) => {
            let by = OperatorAt { name: &by.name_or_unknown(), now };
            let new = scim_access::add_reader(database, tenant, name, expiry.at(now), by)?;
            let base_url = format!("{}/scim/v2/tenants/{tenant}", super::directories::origin(config));
            match format {
                Format::Json => print_text(&format!(
                    "{}\n",
                    json!({"token": new.secret, "base_url": base_url, "token_id": new.token.id})
                ))?,
                _ => print_text(&format!(
                    "base URL  {base_url}\ntoken     {}\nThe token is not shown again.\n",
                    new.secret
                ))?,
            }
        }
        Verb::List { tenant, format } => {
            let all = database.read::<_, DbError>(|conn| Ok(scim_tokens::all(conn)?))?;
            let wanted = |token: &ScimToken| tenant.as_ref().is_none_or(|tenant| *tenant == token.tenant_id);
            let columns = vec![
                "id",
                "tenant_id",
                "directory_id",
                "name",
                "state",
                "created_by",
                "created_at",
                "expires_at",
                "last_used_at",
            ];
            let rows = all.into_iter().filter(wanted).map(|token| row(&token, now)).collect();
            List { columns, rows }.print(*format)?;
        }
        Verb::Revoke { token, by } => {
            scim_access::revoke(database, token, OperatorAt { name: &by.name_or_unknown(), now })?;
            print_text(&format!("{token} is revoked and opens nothing after a second\n"))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn row(token: &ScimToken, now: Timestamp) -> Vec<serde_json::Value> {
    let state = match (token.revoked_at(), token.is_valid(now)) {
        (Some(_), _) => "revoked",
        (None, false) => "expired",
        (None, true) => "valid",
    };
    let time = |time: Option<Timestamp>| time.map(|time| time.to_string()).into();
    vec![
        token.id.as_str().into(),
        token.tenant_id.as_str().into(),
        token.directory_id.as_str().into(),
        token.name.as_str().into(),
        state.into(),
        token.created_by.as_str().into(),
        token.created_at().to_string().into(),
        time(token.expires_at()),
        time(token.last_used_at()),
    ]
}
