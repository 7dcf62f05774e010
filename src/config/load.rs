//! Replaces defaults by the values of the file, and these by the environment.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};
use toml::{Table, Value};

use super::{
    Config, DEFAULTS,
    effective::{Origin, flat},
    environment,
};

/// Why the settings cannot be used. No text quotes a value, because it may be a secret.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("the settings file {path} cannot be read: {error}; check --config or ROSTERD_CONFIG")]
    Unreadable { path: PathBuf, error: std::io::Error },
    /// The file has a syntax error.
    #[error("the settings file {path} is not TOML: {error}")]
    NotToml { path: PathBuf, error: String },
    /// A value has the wrong type.
    #[error("{key} has a value of the wrong kind in {path}: write {wanted}")]
    Kind { key: String, wanted: &'static str, path: PathBuf },
    /// A key is not known.
    #[error("{key} is not known in {path}; `rosterd config` prints each key")]
    UnknownKey { key: String, path: PathBuf },
    /// The environment has a secret and a file with it.
    #[error("{name} and {name}_FILE are both set; unset one of them")]
    Twice { name: &'static str },
    /// The file of a secret cannot be read.
    #[error("the file of {name}_FILE, {path}, cannot be read: {error}; check the path and its permissions")]
    SecretFile { name: &'static str, path: PathBuf, error: std::io::Error },
    /// The file of a secret is empty.
    #[error("the file of {name}_FILE, {path}, is empty; write the secret into it, or unset {name}_FILE")]
    EmptySecretFile { name: &'static str, path: PathBuf },
    /// A value is not allowed.
    #[error("a setting is wrong: {0}")]
    Wrong(String),
}

/// Reads all settings. The file of `--config` or `ROSTERD_CONFIG` must exist; `rosterd.toml` in the working directory may be
/// missing.
pub fn load(file: Option<&Path>, variable: impl Fn(&str) -> Option<String>) -> Result<Config, ConfigError> {
    Ok(settings(file, variable)?.config)
}

/// All settings, with the origin of each.
#[derive(Clone)]
pub struct Settings {
    /// The settings.
    pub config: Config,
    /// The values as they were written. Secrets are digests here, so that they can only be compared.
    pub(super) values: Table,
    /// The origin of each key that is not a default.
    pub(super) origins: BTreeMap<String, Origin>,
    /// The file, if there is one.
    pub file: Option<PathBuf>,
}

/// The same as [`load`], with the origin of each value.
pub fn settings(
    file: Option<&Path>,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<Settings, ConfigError> {
    let mut values: Table = DEFAULTS.parse().map_err(|error: toml::de::Error| wrong(&error))?;
    let mut origins = BTreeMap::new();
    let implied = Path::new("rosterd.toml");
    let file = file.or_else(|| implied.exists().then_some(implied));
    if let Some(path) = file {
        let text = std::fs::read_to_string(path)
            .map_err(|error| ConfigError::Unreadable { path: path.to_owned(), error })?;
        let ours: Table = text.parse().map_err(|error: toml::de::Error| ConfigError::NotToml {
            path: path.to_owned(),
            error: syntax(&text, &error),
        })?;
        origins.extend(flat(&ours).into_keys().map(|key| (key, Origin::File(path.to_owned()))));
        overlay(&mut values, ours, "", path)?;
    }
    for setting in &environment::VARIABLES {
        let Some((text, origin)) = setting.given(&variable)? else { continue };
        set(&mut values, setting.path, &text);
        origins.insert(setting.path.join("."), origin);
    }
    let config = values.clone().try_into().map_err(|error: toml::de::Error| wrong(&error))?;
    for secret in environment::secrets() {
        conceal(&mut values, secret);
    }
    Ok(Settings { config, values, origins, file: file.map(Path::to_owned) })
}

/// The place and the kind of a syntax error. Does not quote the line, because it may contain a secret.
fn syntax(text: &str, error: &toml::de::Error) -> String {
    let start = error.span().map_or(0, |span| span.start).min(text.len());
    let before = text.get(..start).unwrap_or_default();
    let number = before.matches('\n').count() + 1;
    let line = text.lines().nth(number - 1).unwrap_or_default();
    let key = line.split('=').next().unwrap_or_default().trim();
    let known = !key.is_empty() && DEFAULTS.lines().any(|line| line.split(" = ").next() == Some(key));
    let key = if known { format!(" ({key})") } else { String::new() };
    format!("line {number}{key}: {}", error.message().replace('\n', " "))
}

fn wrong(error: &toml::de::Error) -> ConfigError {
    ConfigError::Wrong(without_value(error.to_string().trim()).replace('\n', " "))
}

/// Removes the value from serde's message, because it may be a secret. The key follows in the message.
fn without_value(message: &str) -> String {
    let repeated =
        ["invalid type:", "invalid value:", "invalid length"].iter().any(|begin| message.starts_with(begin));
    match message.rsplit_once(", expected ") {
        Some((_, wanted)) if repeated => format!("expected {wanted}"),
        _ => message.to_owned(),
    }
}

/// How a value of this kind is written. All lists are lists of texts.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::String(_) => "a text in quotation marks",
        Value::Integer(_) => "a whole number",
        Value::Float(_) => "a number",
        Value::Boolean(_) => "true or false",
        Value::Datetime(_) => "a time",
        Value::Array(_) => "a list of texts, as in [\"…\"]",
        Value::Table(_) => "a table",
    }
}

fn is_list_of_texts(value: &Value) -> bool {
    value.as_array().is_some_and(|list| list.iter().all(Value::is_str))
}

/// `guard.undecided` is a text, or a table.
fn may_be_table(name: &str, value: &Value) -> bool {
    name == "guard.undecided" && value.is_table()
}

fn overlay(base: &mut Table, ours: Table, prefix: &str, path: &Path) -> Result<(), ConfigError> {
    // The tables with keys that the operator chooses.
    let free = [
        "directories.deleted_of.",
        "guard.of.",
        "mail.recipients.",
        "mail.recipient_roles_of.",
        "mail.kinds_of.",
        "mail.report_of.",
        "mail.of.",
    ]
    .contains(&prefix);
    for (key, value) in ours {
        let name = format!("{prefix}{key}");
        match (base.get_mut(&key), value) {
            (Some(Value::Table(base)), Value::Table(ours)) => {
                overlay(base, ours, &format!("{name}."), path)?;
            }
            (None, _) if !free => {
                return Err(ConfigError::UnknownKey { key: name, path: path.to_owned() });
            }
            (Some(was), value)
                if !may_be_table(&name, &value)
                    && (kind(was) != kind(&value) || (was.is_array() && !is_list_of_texts(&value))) =>
            {
                return Err(ConfigError::Kind { key: name, wanted: kind(was), path: path.to_owned() });
            }
            (_, value) => drop(base.insert(key, value)),
        }
    }
    Ok(())
}

fn conceal(settings: &mut Table, path: &[&str]) {
    let Some((last, tables)) = path.split_last() else { return };
    let mut table = settings;
    for key in tables {
        let Some(Value::Table(inner)) = table.get_mut(*key) else { return };
        table = inner;
    }
    let Some(value) = table.get_mut(*last) else { return };
    let is_empty = value.as_str().is_some_and(str::is_empty) || value.as_array().is_some_and(Vec::is_empty);
    if !is_empty {
        *value = hex::encode(Sha256::digest(value.to_string())).into();
    }
}

fn set(settings: &mut Table, path: &[&str], text: &str) {
    let Some((last, tables)) = path.split_last() else { return };
    let mut table = settings;
    for key in tables {
        let Some(Value::Table(inner)) = table.get_mut(*key) else { return };
        table = inner;
    }
    let value = match table.get(*last) {
        Some(Value::Array(_)) => Value::Array(text.split(',').map(|part| Value::from(part.trim())).collect()),
        Some(Value::Integer(_)) => {
            // A text that is no number is refused later, because the setting needs a number.
            text.trim().parse::<i64>().map_or_else(|_no_number| Value::from(text.trim()), Value::from)
        }
        _ => Value::from(text.trim()),
    };
    table.insert((*last).to_owned(), value);
}
