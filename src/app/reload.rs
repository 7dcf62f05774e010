//! The settings that a running service takes without a restart.

use super::{App, StartError};
use crate::{
    broker::Secret,
    config::{Config, MailSettings, Settings},
    notify::Notifier,
    runtime::{shared::Shared, telemetry},
};

/// The keys, or beginnings of keys, that are reloaded.
const RELOADED: [&str; 3] = ["log", "mail.", "workos.webhook_secrets"];

/// Another thread reads this one at the start.
const NOT_RELOADED: &str = "mail.silent_days";

/// The settings that threads read again and again.
pub(super) struct Reloadable {
    pub(super) secrets: Shared<Vec<Secret>>,
    pub(super) mail: Shared<MailSettings>,
}

/// The changed keys after new settings were read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reloaded {
    /// In force now.
    pub reloaded: Vec<String>,
    /// In force after a restart.
    pub after_restart: Vec<String>,
}

impl Reloadable {
    pub(super) fn of(config: &Config) -> Self {
        let mut mail = config.mail.clone();
        if config.api().is_some() {
            // A silent directory is compared before anybody is notified, by the thread that asks the API.
            mail.silent_days = 0;
        }
        Self { secrets: Shared::new(config.workos.webhook_secrets.clone()), mail: Shared::new(mail) }
    }
}

impl App {
    /// Takes over what can be taken over from new settings. `started` are the settings of the start, `former` those that were
    /// read last. After an error the former settings are in force.
    pub fn reload(
        &self,
        started: &Settings,
        former: &Settings,
        new: &Settings,
    ) -> Result<Reloaded, StartError> {
        if new.config.workos.webhook_secrets.is_empty() {
            return Err(StartError::NoSecret);
        }
        drop(Notifier::new(&new.config.mail)?);
        let silent_days = self.reloadable.mail.get().silent_days;
        self.reloadable.mail.replace(MailSettings { silent_days, ..new.config.mail.clone() });
        self.reloadable.secrets.replace(new.config.workos.webhook_secrets.clone());
        if former.config.log != new.config.log {
            telemetry::set_filter(&new.config.log);
        }
        Ok(changed(started, former, new))
    }
}

fn changed(started: &Settings, former: &Settings, new: &Settings) -> Reloaded {
    let (mut reloaded, mut after_restart) = (new.changed_since(former), new.changed_since(started));
    reloaded.retain(|key| is_reloaded(key));
    after_restart.retain(|key| !is_reloaded(key));
    Reloaded { reloaded, after_restart }
}

fn is_reloaded(key: &str) -> bool {
    let fits = |wanted: &&str| match wanted.ends_with('.') {
        true => key.starts_with(*wanted),
        false => key == *wanted,
    };
    key != NOT_RELOADED && RELOADED.iter().any(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_keys_that_need_a_restart_are_told_apart() {
        for key in
            ["mail.recipients.org_1", "mail.product", "mail.of.org_1.logo", "workos.webhook_secrets", "log"]
        {
            assert!(is_reloaded(key), "{key}");
        }
        for key in ["mail.silent_days", "workos.api_key", "http.listen", "database_url", "log_format"] {
            assert!(!is_reloaded(key), "{key}");
        }
    }
}
