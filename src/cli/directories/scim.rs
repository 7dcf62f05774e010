//! `directories add | rotate | revoke`: directories that identity providers write by SCIM.

use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use crate::{
    cli::{Failure, Format, operator::By, output::print_text, tokens::Expiry},
    config::Config,
    db::Database,
    operator::{
        manual_roles::OperatorAt,
        scim_access::{self, NewDirectory, NewToken},
    },
    runtime::clock::Clock,
    tables::{
        directory_lookup,
        tenant_lookup::{self, TenantLookupError},
    },
};

#[derive(Args)]
pub(super) struct Add {
    /// The tenant's id or name; another text is the id of a new tenant
    #[arg(long)]
    pub(super) tenant: String,
    /// The display name
    #[arg(long)]
    name: String,
    /// The identity provider: okta, entra, onelogin, jumpcloud, ping, google, or another name
    #[arg(long)]
    provider: String,
    #[command(flatten)]
    expiry: Expiry,
    #[command(flatten)]
    by: By,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Args)]
pub(super) struct Rotate {
    /// The directory's id, or its name if only one directory has it
    directory: String,
    /// Revoke all other tokens of the directory at once
    #[arg(long)]
    revoke_others: bool,
    #[command(flatten)]
    expiry: Expiry,
    #[command(flatten)]
    by: By,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Args)]
pub(super) struct Revoke {
    /// The directory's id, or its name if only one directory has it
    directory: String,
    #[command(flatten)]
    by: By,
}

pub(super) fn add(database: &Database, config: &Config, of: &Add) -> Result<ExitCode, Failure> {
    let now = Clock::System.now();
    let by = OperatorAt { name: &of.by.name_or_unknown(), now };
    let tenant = match database.read(|conn| tenant_lookup::named(conn, &of.tenant)) {
        Err(TenantLookupError::Unknown(new)) => new,
        found => found?,
    };
    let wanted = NewDirectory {
        tenant: &tenant,
        name: &of.name,
        provider: &of.provider,
        expires_at: of.expiry.at(now),
    };
    let new = scim_access::add_directory(database, &config.rules(), wanted, by)?;
    shown(config, &new, of.format)
}

pub(super) fn rotate(database: &Database, config: &Config, of: &Rotate) -> Result<ExitCode, Failure> {
    let now = Clock::System.now();
    let name = of.by.name_or_unknown();
    let by = || OperatorAt { name: &name, now };
    let directory = database.read(|conn| directory_lookup::named(conn, &of.directory))?;
    let new = scim_access::rotate(database, &directory, of.expiry.at(now), by())?;
    if of.revoke_others {
        scim_access::revoke_directory(database, &directory, Some(&new.token.id), by())?;
    }
    shown(config, &new, of.format)
}

pub(super) fn revoke(database: &Database, of: &Revoke) -> Result<ExitCode, Failure> {
    let by = OperatorAt { name: &of.by.name_or_unknown(), now: Clock::System.now() };
    let directory = database.read(|conn| directory_lookup::named(conn, &of.directory))?;
    let ended = scim_access::revoke_directory(database, &directory, None, by)?;
    print_text(&format!(
        "{ended} tokens of {directory} are revoked; its people keep their access. Make a new token with `rosterd directories rotate`\n"
    ))?;
    Ok(ExitCode::SUCCESS)
}

/// The address of the service for SCIM clients.
pub(in crate::cli) fn origin(config: &Config) -> String {
    match (&config.scim.base_url, config.scim.listen) {
        (Some(base), _) => base.clone(),
        (None, Some(listen)) => format!("http://{listen}"),
        (None, None) => "https://ADDRESS-OF-ROSTERD".to_owned(),
    }
}

fn shown(config: &Config, new: &NewToken, format: Format) -> Result<ExitCode, Failure> {
    let directory_id = &new.token.directory_id;
    let base_url = format!("{}/scim/v2/{directory_id}", origin(config));
    match format {
        Format::Json => print_text(&format!(
            "{}\n",
            json!({"directory_id": directory_id, "base_url": base_url, "token": new.secret})
        ))?,
        _ => print_text(&format!(
            "directory  {directory_id}\nbase URL   {base_url}\ntoken      {}\nThe token is not shown again.\n",
            new.secret
        ))?,
    }
    if config.scim.listen.is_none() {
        eprintln!(
            "rosterd: SCIM is off: set ROSTERD_SCIM_LISTEN (scim.listen), and ROSTERD_SCIM_URL (scim.base_url)"
        );
    }
    Ok(ExitCode::SUCCESS)
}
