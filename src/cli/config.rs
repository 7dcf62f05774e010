//! `config`: the commented defaults, the settings in force with the origin of each, and a check of them.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::Value;

use super::{
    Failure, Format,
    output::{List, print_text},
};
use crate::{
    config::{ConfigError, DEFAULTS, Origin, Settings},
    notify::Notifier,
};

#[derive(Args)]
pub struct Verbs {
    #[command(subcommand)]
    verb: Option<Verb>,
    /// The same as `config show --effective`
    #[arg(long)]
    effective: bool,
}

#[derive(Subcommand)]
enum Verb {
    /// List the settings that the file and the environment set, with the origin of each; secrets are not shown
    Show {
        /// Also list the settings with their default
        #[arg(long)]
        effective: bool,
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Check the settings file and the environment; needs no database
    Check,
}

pub(super) fn run(
    verbs: &Verbs,
    read: impl Fn() -> Result<Settings, ConfigError>,
) -> Result<ExitCode, Failure> {
    match &verbs.verb {
        None if !verbs.effective => print_text(DEFAULTS)?,
        None => show(&read()?, true, Format::Table)?,
        Some(Verb::Show { effective, format }) => show(&read()?, *effective || verbs.effective, *format)?,
        Some(Verb::Check) => check(&read()?)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn show(settings: &Settings, effective: bool, format: Format) -> Result<(), Failure> {
    let mut listed = settings.effective();
    listed.retain(|setting| effective || setting.origin != Origin::Default);
    let columns = vec!["key", "value", "origin"];
    let rows: Vec<Vec<Value>> = listed
        .into_iter()
        .map(|setting| vec![setting.key.into(), setting.value.into(), setting.origin.to_string().into()])
        .collect();
    Ok(List { columns, rows }.print(format)?)
}

fn check(settings: &Settings) -> Result<(), Failure> {
    // The address of the mail server is read only when it is used.
    drop(Notifier::new(&settings.config.mail)?);
    let file = match &settings.file {
        Some(path) => format!("{} and the environment", path.display()),
        None => "the environment; there is no settings file".to_owned(),
    };
    print_text(&format!("the settings are valid (read from {file})\n"))?;
    if settings.config.workos.webhook_secrets.is_empty() {
        print_text("warning: no webhook secret is set; `rosterd serve` needs WORKOS_WEBHOOK_SECRET\n")?;
    }
    Ok(())
}
