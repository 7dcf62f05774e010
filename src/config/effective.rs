//! Each setting with its value and origin, for people. Secrets are never among the values.

use std::{collections::BTreeMap, fmt, path::PathBuf};

use toml::{Table, Value};

use super::Settings;

/// Where a value is from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The default of this build.
    Default,
    /// The settings file.
    File(PathBuf),
    /// A variable of the environment.
    Environment(&'static str),
    /// The file that a variable of the environment names.
    SecretFile {
        /// The variable without `_FILE`.
        name: &'static str,
        /// The file.
        path: PathBuf,
    },
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::SecretFile { name, path } => write!(f, "environment {name}_FILE, file {}", path.display()),
        }
    }
}

/// A setting in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EffectiveSetting {
    /// Its key, with dots between the tables.
    pub key: String,
    /// The value as TOML, or a description of a secret.
    pub value: String,
    /// Where the value is from.
    pub origin: Origin,
}

/// The values of a table without tables: `http.listen` and its value. An empty table has no entry.
pub(super) fn flat(table: &Table) -> BTreeMap<String, Value> {
    fn walk(table: &Table, prefix: &str, into: &mut BTreeMap<String, Value>) {
        for (key, value) in table {
            let name = format!("{prefix}{key}");
            match value {
                Value::Table(inner) => walk(inner, &format!("{name}."), into),
                value => drop(into.insert(name, value.clone())),
            }
        }
    }
    let mut found = BTreeMap::new();
    walk(table, "", &mut found);
    found
}

impl Settings {
    /// All settings in the order of their keys.
    pub fn effective(&self) -> Vec<EffectiveSetting> {
        let setting = |(key, value): (String, Value)| EffectiveSetting {
            origin: self.origins.get(&key).cloned().unwrap_or(Origin::Default),
            value: self.shown(&key, &value),
            key,
        };
        flat(&self.values).into_iter().map(setting).collect()
    }

    /// The keys with another value than in `former`.
    pub fn changed_since(&self, former: &Self) -> Vec<String> {
        let (before, now) = (flat(&former.values), flat(&self.values));
        let differs = |key: &&String| before.get(*key) != now.get(*key);
        let mut keys: Vec<String> = before.keys().chain(now.keys()).filter(differs).cloned().collect();
        keys.sort_unstable();
        keys.dedup();
        keys
    }

    fn shown(&self, key: &str, value: &Value) -> String {
        match key {
            "database_url" => self.config.database_url.to_string(),
            "mail.url" => match &self.config.mail.url {
                Some(url) => format!("{url:?}"),
                None => value.to_string(),
            },
            "audit.heads_daily" => format!("\"{:?}\"", self.config.audit.heads_daily),
            "workos.api_key" => match &self.config.workos.api_key {
                Some(_) => "(a secret)".to_owned(),
                None => value.to_string(),
            },
            "workos.webhook_secrets" => match self.config.workos.webhook_secrets.len() {
                0 => value.to_string(),
                1 => "(a secret)".to_owned(),
                several => format!("({several} secrets)"),
            },
            _ => value.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::settings;

    fn with(text: &str, variables: &[(&str, &str)]) -> Settings {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("rosterd.toml");
        std::fs::write(&file, text).unwrap();
        let find =
            |name: &str| variables.iter().find(|(set, _)| *set == name).map(|(_, text)| (*text).to_owned());
        settings(Some(&file), find).unwrap()
    }

    #[test]
    fn each_setting_has_its_origin_and_no_secret_is_shown() {
        let settings = with(
            "[workos]\nwebhook_secrets = ['hunter2', 'hunter3']\n[mail]\nproduct = 'Hub'\nsupport = 'x'\n\
             [mail.recipients]\norg_1 = ['it@acme.example']\n[guard]\nundecided = { approve_after_hours = 4 }\n",
            &[
                ("DATABASE_URL", "postgres://ada:hunter4@db/hub"),
                ("WORKOS_API_KEY", "hunter5"),
                ("SMTP_URL", "smtps://ada:hunter6@mail.example"),
                ("ROSTERD_SUPPORT", "help@hub.example"),
            ],
        );

        let shown = settings.effective();

        let of = |key: &str| shown.iter().find(|setting| setting.key == key).unwrap();
        assert!(matches!(of("mail.product").origin, Origin::File(_)));
        assert!(matches!(of("mail.recipients.org_1").origin, Origin::File(_)));
        assert_eq!(
            (of("mail.support").value.as_str(), &of("mail.support").origin),
            ("\"help@hub.example\"", &Origin::Environment("ROSTERD_SUPPORT"))
        );
        assert_eq!(
            (of("http.listen").value.as_str(), &of("http.listen").origin),
            ("\"127.0.0.1:8080\"", &Origin::Default)
        );
        assert_eq!(of("workos.webhook_secrets").value, "(2 secrets)");
        assert_eq!(of("guard.undecided.approve_after_hours").value, "4");
        assert!(!format!("{shown:?} {}", settings.values).contains("hunter"), "{shown:?}");
    }

    #[test]
    fn changes_are_named_by_their_keys() {
        let former = with("[mail]\nproduct = 'Hub'\n[mail.recipients]\norg_1 = ['it@acme.example']\n", &[]);
        let now = with("[mail.recipients]\norg_2 = ['it@acme.example']\n[http]\nmax_waiting = 1\n", &[]);

        assert_eq!(
            now.changed_since(&former),
            ["http.max_waiting", "mail.product", "mail.recipients.org_1", "mail.recipients.org_2"]
        );
        assert_eq!(former.changed_since(&former), Vec::<String>::new());
    }
}
