//! The variables of the environment that are settings. A secret can also be in a file, which `NAME_FILE` names.

use std::path::PathBuf;

use super::{effective::Origin, load::ConfigError};

/// A variable and the key that it sets. The parts of a list are separated by commas.
pub(super) struct Variable {
    pub(super) name: &'static str,
    pub(super) path: &'static [&'static str],
    /// Whether the value may be in the file of `NAME_FILE`.
    is_secret: bool,
}

const fn plain(name: &'static str, path: &'static [&'static str]) -> Variable {
    Variable { name, path, is_secret: false }
}

const fn secret(name: &'static str, path: &'static [&'static str]) -> Variable {
    Variable { name, path, is_secret: true }
}

pub(super) static VARIABLES: [Variable; 18] = [
    secret("DATABASE_URL", &["database_url"]),
    plain("RUST_LOG", &["log"]),
    plain("ROSTERD_LISTEN", &["http", "listen"]),
    plain("ROSTERD_ADMIN_LISTEN", &["http", "admin_listen"]),
    plain("ROSTERD_SCIM_LISTEN", &["scim", "listen"]),
    plain("ROSTERD_SCIM_URL", &["scim", "base_url"]),
    secret("WORKOS_WEBHOOK_SECRET", &["workos", "webhook_secrets"]),
    secret("WORKOS_API_KEY", &["workos", "api_key"]),
    plain("WORKOS_API_URL", &["workos", "api_url"]),
    plain("ROSTERD_POLL_SECONDS", &["workos", "poll_seconds"]),
    plain("ROSTERD_RECONCILE_HOURS", &["reconcile", "every_hours"]),
    plain("ROSTERD_GUARD", &["guard", "mode"]),
    secret("SMTP_URL", &["mail", "url"]),
    plain("MAIL_FROM", &["mail", "from"]),
    plain("MAIL_FALLBACK", &["mail", "fallback"]),
    plain("ROSTERD_PRODUCT", &["mail", "product"]),
    plain("ROSTERD_SUPPORT", &["mail", "support"]),
    secret("AUDIT_HEADS_DAILY", &["audit", "heads_daily"]),
];

/// The keys of the secrets.
pub(super) fn secrets() -> impl Iterator<Item = &'static [&'static str]> {
    VARIABLES.iter().filter(|variable| variable.is_secret).map(|variable| variable.path)
}

impl Variable {
    /// The value and where it was found; `None` if the variable is not set. An empty variable counts as not set, because
    /// compose files pass empty variables.
    pub(super) fn given(
        &self,
        variable: &impl Fn(&str) -> Option<String>,
    ) -> Result<Option<(String, Origin)>, ConfigError> {
        let set = |name: &str| variable(name).filter(|text| !text.trim().is_empty());
        let name = self.name;
        let own = set(name).map(|text| (text, Origin::Environment(name)));
        let file = if self.is_secret { set(&format!("{name}_FILE")) } else { None };
        match (own, file) {
            (own, None) => Ok(own),
            (Some(_), Some(_)) => Err(ConfigError::Twice { name }),
            (None, Some(path)) => {
                let path = PathBuf::from(path.trim());
                let text = std::fs::read_to_string(&path).map_err(|error| ConfigError::SecretFile {
                    name,
                    path: path.clone(),
                    error,
                })?;
                // One secret on each line is a list like one with commas.
                let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
                match lines.is_empty() {
                    true => Err(ConfigError::EmptySecretFile { name, path }),
                    false => Ok(Some((lines.join(","), Origin::SecretFile { name, path }))),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use crate::config::{MailUrl, load};

    fn loaded(variables: &[(&str, &str)]) -> Result<crate::config::Config, String> {
        let find =
            |name: &str| variables.iter().find(|(set, _)| *set == name).map(|(_, text)| (*text).to_owned());
        load(Some(std::path::Path::new("/dev/null")), find).map_err(|error| error.to_string())
    }

    #[test]
    fn each_secret_may_be_in_a_file() {
        let home = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            std::fs::write(home.path().join(name), text).unwrap();
            home.path().join(name).display().to_string()
        };
        let (url, secrets) = (file("url", "postgres://ada:word@db/hub\n"), file("secrets", "one\n\n two \n"));
        let (key, smtp) = (file("key", "sk_1"), file("smtp", "smtps://ada:word@mail.example\r\n"));

        let config = loaded(&[
            ("DATABASE_URL_FILE", &url),
            ("WORKOS_WEBHOOK_SECRET_FILE", &secrets),
            ("WORKOS_API_KEY_FILE", &key),
            ("SMTP_URL_FILE", &smtp),
        ])
        .unwrap();

        assert!(config.database_url.to_string().contains("hub"), "{}", config.database_url);
        assert_eq!(config.workos.webhook_secrets.len(), 2);
        assert!(config.workos.api_key.is_some());
        let Some(MailUrl::Smtp(url)) = &config.mail.url else { panic!("{:?}", config.mail.url) };
        assert_eq!(url.expose_secret(), "smtps://ada:word@mail.example");
    }

    #[test]
    fn a_secret_that_cannot_be_read_is_an_error_that_names_the_variable_and_not_the_secret() {
        let home = tempfile::tempdir().unwrap();
        let empty = home.path().join("empty").display().to_string();
        std::fs::write(&empty, " \n").unwrap();
        for (variables, part) in [
            (
                vec![("SMTP_URL", "smtps://ada:word@x"), ("SMTP_URL_FILE", "/x")],
                "SMTP_URL and SMTP_URL_FILE are both set",
            ),
            (
                vec![("WORKOS_API_KEY_FILE", "/no/such/file")],
                "the file of WORKOS_API_KEY_FILE, /no/such/file, cannot",
            ),
            (vec![("DATABASE_URL_FILE", empty.as_str())], "is empty"),
        ] {
            let refused = loaded(&variables).unwrap_err();
            assert!(refused.contains(part) && !refused.contains("word"), "{refused}");
        }
    }

    #[test]
    fn a_setting_that_is_no_secret_has_no_file() {
        assert_eq!(loaded(&[("ROSTERD_PRODUCT_FILE", "/no/such/file")]).unwrap().mail.product, "");
    }
}
