//! Whether mails can be sent, and whether each has a reader.

use std::path::Path;

use super::{Finding, Verdict};
use crate::{
    config::Config,
    db::{Database, DbError, Url, migrate::pending},
    notify::Notifier,
    operator::recipients,
    tables::tenants,
};

/// Tenants that a finding names.
const MOST_NAMED: usize = 5;

pub(super) fn finding(config: &Config) -> Finding {
    let finding = |verdict, says: String| super::finding("mail", verdict, says);
    let notifier = match Notifier::new(&config.mail) {
        Ok(notifier) => notifier,
        Err(error) => return finding(Verdict::Fail, error.to_string()),
    };
    let Some(url) = &config.mail.url else {
        return finding(Verdict::Warn, "SMTP_URL is not set: notices wait in the outbox".to_owned());
    };
    if let Err(error) = notifier.check() {
        return finding(Verdict::Fail, error.to_string());
    }
    if !config.mail.fallback.is_empty() {
        return finding(Verdict::Ok, format!("{url:?} answers"));
    }
    let (verdict, problem) = without_fallback(config);
    finding(verdict, format!("{url:?} answers, but {problem}"))
}

/// What follows from an empty `mail.fallback`.
fn without_fallback(config: &Config) -> (Verdict, String) {
    let none_set = config.mail.recipients.is_empty() && config.mail.recipient_roles.is_empty();
    let (tenants, without) = match tenants(config) {
        Ok(counted) => counted,
        Err(error) => return (Verdict::Fail, format!("recipients cannot be read: {error}")),
    };
    if !without.is_empty() {
        return (Verdict::Fail, nobody(&without));
    }
    if tenants == 0 && none_set {
        let says = "nobody would get a mail: set MAIL_FALLBACK to an address of yours";
        return (Verdict::Fail, says.to_owned());
    }
    let says = "nobody gets the notices for the operator: set MAIL_FALLBACK to an address of yours";
    (Verdict::Warn, says.to_owned())
}

fn nobody(tenants: &[String]) -> String {
    let named: Vec<&str> = tenants.iter().take(MOST_NAMED).map(String::as_str).collect();
    let more = match tenants.len() - named.len() {
        0 => String::new(),
        more => format!(" and of {more} more tenants"),
    };
    format!(
        "nobody gets the mails of {}{more}: set MAIL_FALLBACK to an address of yours, or add recipients with `rosterd recipients add`",
        named.join(", ")
    )
}

/// The number of tenants, and those without a recipient. Without a database or with an older schema, no tenant is known.
fn tenants(config: &Config) -> Result<(usize, Vec<String>), DbError> {
    if let Url::Sqlite(path) = &config.database_url
        && !Path::new(path).exists()
    {
        return Ok((0, Vec::new()));
    }
    let database = Database::new(&config.database_url, 1);
    match pending(&database) {
        Ok(0) => database.read(|conn| {
            Ok((tenants::living(conn)?.len(), recipients::tenants_without(conn, &config.mail)?))
        }),
        // Another finding says what is wrong with the schema.
        _ => Ok((0, Vec::new())),
    }
}
