//! Whether identity providers and applications can use SCIM.

use super::{Finding, Verdict, finding};
use crate::{
    config::Config,
    db::{Database, DbError},
    runtime::clock::Clock,
    tables::scim_tokens::{self, ScimToken},
};

/// A token that ends within this time is reported.
const SOON_SECONDS: i64 = 30 * 86_400;

pub(super) fn of(config: &Config, database: &Database) -> Finding {
    let tokens = match database.read::<_, DbError>(|conn| Ok(scim_tokens::all(conn)?)) {
        Ok(tokens) => tokens,
        Err(error) => return finding("scim", Verdict::Fail, error.to_string()),
    };
    let now = Clock::System.now();
    let valid: Vec<&ScimToken> = tokens.iter().filter(|token| token.is_valid(now)).collect();
    let ending = valid.iter().filter(|token| !token.is_valid(now.plus_seconds(SOON_SECONDS)));
    let ending: Vec<&str> = ending.map(|token| token.id.as_str()).collect();
    match (config.scim.listen, valid.len()) {
        (None, 0) => finding("scim", Verdict::Ok, "off"),
        (None, count) => finding(
            "scim",
            Verdict::Warn,
            format!("off, but {count} tokens are valid: set ROSTERD_SCIM_LISTEN, or revoke them"),
        ),
        (Some(_), _) if !ending.is_empty() => finding(
            "scim",
            Verdict::Warn,
            format!("these tokens end within 30 days, make new ones: {}", ending.join(", ")),
        ),
        (Some(_), _) if config.scim.base_url.is_none() => finding(
            "scim",
            Verdict::Warn,
            "scim.base_url (ROSTERD_SCIM_URL) is not set: printed base URLs name the listener's address",
        ),
        (Some(listen), count) => finding("scim", Verdict::Ok, format!("{listen}, {count} valid tokens")),
    }
}
