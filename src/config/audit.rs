//! `[audit]`: where the heads of the audit trail are sent every day.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer};
use url::Url;

use super::wrong;

/// `[audit]`: the daily heads.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditSettings {
    #[serde(deserialize_with = "heads_daily")]
    pub heads_daily: HeadsDaily,
}

/// Where the heads are sent every day. Printing it shows only the host of an address, because the rest may be a secret.
#[derive(Clone, Default)]
pub enum HeadsDaily {
    /// Nowhere.
    #[default]
    Off,
    /// By mail to the operator.
    Mail,
    /// By POST to this address.
    Post(SecretString),
}

impl fmt::Debug for HeadsDaily {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("off"),
            Self::Mail => f.write_str("mail"),
            Self::Post(address) => {
                let url = Url::parse(address.expose_secret()).ok();
                let host = url.as_ref().and_then(Url::host_str).unwrap_or_default();
                write!(f, "{}://{host}", url.as_ref().map_or("https", Url::scheme))
            }
        }
    }
}

fn heads_daily<'de, D: Deserializer<'de>>(from: D) -> Result<HeadsDaily, D::Error> {
    let text = String::deserialize(from)?;
    let is_address = |text: &str| {
        Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
    };
    match text.trim() {
        "off" | "" => Ok(HeadsDaily::Off),
        "mail" => Ok(HeadsDaily::Mail),
        address if is_address(address) => Ok(HeadsDaily::Post(address.into())),
        _ => Err(wrong(
            "audit.heads_daily (AUDIT_HEADS_DAILY) must be \"off\", \"mail\", or the http or https address that gets the heads",
        )),
    }
}

#[cfg(test)]
mod tests {
    use crate::config::load;

    fn heads_daily(text: &str) -> Result<String, String> {
        let set = |name: &str| (name == "AUDIT_HEADS_DAILY").then(|| text.to_owned());
        let loaded = load(Some(std::path::Path::new("/dev/null")), set);
        loaded.map(|config| format!("{:?}", config.audit.heads_daily)).map_err(|error| error.to_string())
    }

    #[test]
    fn heads_go_nowhere_to_the_operator_or_to_an_address_that_is_not_printed() {
        for (text, shown) in [
            ("", "off"),
            ("off", "off"),
            ("mail", "mail"),
            ("https://ada:word@heads.example/t/secret?key=1", "https://heads.example"),
            ("http://127.0.0.1:9/x", "http://127.0.0.1"),
        ] {
            assert_eq!(heads_daily(text).as_deref(), Ok(shown), "{text}");
        }
        for text in ["yes", "ftp://heads.example/secret", "https://", "heads.example"] {
            let refused = heads_daily(text).unwrap_err();
            assert!(refused.contains("AUDIT_HEADS_DAILY") && !refused.contains("secret"), "{refused}");
        }
    }
}
