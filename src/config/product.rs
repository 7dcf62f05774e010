//! How mails name the application, and whom their readers can ask: for all tenants, and for single ones.

use lettre::message::Mailbox;
use serde::{Deserialize, Deserializer};
use url::{Url, form_urlencoded};

use super::{MailSettings, wrong};

/// How mails to one tenant name the application.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Product {
    /// The name that customers know; `None` for "the application".
    pub name: Option<String>,
    /// The address or link at which customers get help.
    pub support: Option<String>,
    /// The address for replies; `None` for the sender.
    pub reply_to: Option<Mailbox>,
    /// The https address of an image.
    pub logo: Option<String>,
    /// The language that the readers prefer, as a tag of BCP 47.
    pub language: Option<String>,
    /// The address of the page for decisions, with placeholders.
    pub decision_url: Option<String>,
}

/// The values of `[mail.of.TENANT]`. A missing value is that of all tenants.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProductOf {
    pub product: Option<String>,
    pub support: Option<String>,
    #[serde(default, deserialize_with = "some_reply_to")]
    pub reply_to: Option<Option<Mailbox>>,
    #[serde(default, deserialize_with = "some_logo")]
    pub logo: Option<String>,
    pub language: Option<String>,
    #[serde(default, deserialize_with = "some_decision_url")]
    pub decision_url: Option<String>,
}

/// The placeholders of `mail.decision_url`.
const HOLD: &str = "{hold}";
const TENANT: &str = "{tenant}";

impl MailSettings {
    /// How mails to this tenant name the application.
    pub fn product(&self, tenant_id: &str) -> Product {
        let none = ProductOf::default();
        let own = self.of.get(tenant_id).unwrap_or(&none);
        let set = |own: &Option<String>, all: &str| {
            let text = own.as_deref().unwrap_or(all).trim();
            Some(text.to_owned()).filter(|text| !text.is_empty())
        };
        Product {
            name: set(&own.product, &self.product),
            support: set(&own.support, &self.support),
            reply_to: own.reply_to.clone().unwrap_or_else(|| self.reply_to.clone()),
            logo: set(&own.logo, &self.logo),
            language: set(&own.language, &self.language),
            decision_url: set(&own.decision_url, &self.decision_url),
        }
    }
}

impl Product {
    /// The address of the page on which this hold can be decided; `None` without a setting.
    pub fn decision_page(&self, tenant_id: &str, hold_id: i64) -> Option<String> {
        let page = self.decision_url.as_deref()?;
        Some(filled(page, tenant_id, hold_id))
    }
}

fn filled(page: &str, tenant_id: &str, hold_id: i64) -> String {
    let encoded: String = form_urlencoded::byte_serialize(tenant_id.as_bytes()).collect();
    // A blank is "+" in a form only.
    page.replace(HOLD, &hold_id.to_string()).replace(TENANT, &encoded.replace('+', "%20"))
}

pub(super) fn reply_to<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Mailbox>, D::Error> {
    let text = String::deserialize(from)?;
    match text.trim() {
        "" => Ok(None),
        text => mailbox("mail.reply_to", "Help <help@your.example>, or help@your.example", text).map(Some),
    }
}

/// Reads an address with a name. A comma in a name that is not quoted would begin another address.
pub(super) fn mailbox<E: serde::de::Error>(key: &str, example: &str, text: &str) -> Result<Mailbox, E> {
    text.parse().map_err(|error| match unquoted_name(text) {
        Some((name, address)) => wrong(format_args!(
            "{key} is no address: put the name into quotation marks, because it has a character with a meaning in \
             addresses; write \"{name}\" <{address}>"
        )),
        None => wrong(format_args!("{key} is no address ({error}); write {example}")),
    })
}

/// The name and the address of a text that would be an address if its name was quoted.
fn unquoted_name(text: &str) -> Option<(&str, &str)> {
    let (name, address) = text.trim().strip_suffix('>')?.rsplit_once('<')?;
    let name = name.trim();
    let is_plain = !name.is_empty() && !name.contains(['"', '\\']);
    let is_quotable = || format!("\"{name}\" <{address}>").parse::<Mailbox>().is_ok();
    (is_plain && is_quotable()).then_some((name, address))
}

fn some_reply_to<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Option<Mailbox>>, D::Error> {
    reply_to(from).map(Some)
}

pub(super) fn logo<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    let text = String::deserialize(from)?.trim().to_owned();
    match text.is_empty() || is_https(&text) {
        true => Ok(text),
        false => Err(wrong("mail.logo is no https address; write https://your.example/logo.png")),
    }
}

fn some_logo<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    logo(from).map(Some)
}

pub(super) fn decision_url<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    let text = String::deserialize(from)?.trim().to_owned();
    let page = filled(&text, "tenant", 1);
    let is_usable = text.contains(HOLD) && !page.contains(['{', '}']) && is_https(&page);
    match text.is_empty() || is_usable {
        true => Ok(text),
        false => Err(wrong(
            "mail.decision_url is no https address with the placeholder {hold}, and perhaps {tenant}; write \
             https://your.example/tenants/{tenant}/holds/{hold}",
        )),
    }
}

fn some_decision_url<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    decision_url(from).map(Some)
}

/// Whether this is an https address in one word, as mails can show it.
fn is_https(text: &str) -> bool {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic()) && text.len() <= 500;
    is_plain && Url::parse(text).is_ok_and(|url| url.scheme() == "https" && url.has_host())
}

#[cfg(test)]
mod tests {
    use crate::config::{Config, load};

    fn config(text: &str) -> Result<Config, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        load(Some(file.path()), |_name| None).map_err(|error| error.to_string())
    }

    #[test]
    fn a_tenants_values_replace_those_of_all_one_by_one() {
        let text = "[mail]\nproduct = 'Hub'\nsupport = 'help@hub.example'\nreply_to = 'help@hub.example'\n\
                    [mail.of.org_1]\nproduct = 'Acme Portal'\nsupport = ''\nlogo = 'https://acme.example/logo.png'\n";
        let mail = config(text).unwrap().mail;

        let (all, own) = (mail.product("org_2"), mail.product("org_1"));
        assert_eq!((all.name.as_deref(), all.support.as_deref()), (Some("Hub"), Some("help@hub.example")));
        assert_eq!((own.name.as_deref(), own.support), (Some("Acme Portal"), None));
        assert_eq!((all.logo, own.logo.as_deref()), (None, Some("https://acme.example/logo.png")));
        assert_eq!(own.reply_to.unwrap().to_string(), "help@hub.example");
    }

    #[test]
    fn the_page_for_a_decision_names_tenant_and_hold_and_nothing_unsafe() {
        let text = "[mail]\ndecision_url = 'https://hub.example/{tenant}/holds/{hold}'\n";
        let product = config(text).unwrap().mail.product("org_1");
        assert_eq!(
            product.decision_page("organization:a b/\"", 17).as_deref(),
            Some("https://hub.example/organization%3Aa%20b%2F%22/holds/17")
        );
        assert_eq!(config("").unwrap().mail.product("org_1").decision_page("org_1", 17), None);
    }

    #[test]
    fn a_name_with_a_comma_is_refused_with_the_way_to_write_it() {
        for (text, part) in [
            ("from = 'Acme, Inc. <hub@acme.example>'", "write \"Acme, Inc.\" <hub@acme.example>"),
            ("reply_to = 'Help: Acme <help@acme.example>'", "write \"Help: Acme\" <help@acme.example>"),
            ("from = 'Acme, Inc. <nobody>'", "write rosterd <rosterd@your.example>"),
        ] {
            let refused = config(&format!("[mail]\n{text}\n")).unwrap_err();
            assert!(refused.contains(part), "{refused}");
        }
        let quoted = config("[mail]\nfrom = '\"Acme, Inc.\" <hub@acme.example>'\n").unwrap().mail.from;
        assert_eq!((quoted.name.as_deref(), quoted.email.user()), (Some("Acme, Inc."), "hub"));
    }

    #[test]
    fn a_value_that_no_mail_can_show_is_refused_with_the_key() {
        for (text, key) in [
            ("[mail]\nlogo = 'http://hub.example/logo.png'", "mail.logo"),
            ("[mail]\nlogo = 'https://hub.example/a b'", "mail.logo"),
            ("[mail]\nreply_to = 'nobody'", "mail.reply_to"),
            ("[mail]\ndecision_url = 'https://hub.example/'", "mail.decision_url"),
            ("[mail]\ndecision_url = 'https://hub.example/{hold}/{x}'", "mail.decision_url"),
            ("[mail.of.org_1]\ndecision_url = 'ftp://hub.example/{hold}'", "mail.decision_url"),
            ("[mail.of.org_1]\nname = 'Hub'", "unknown field"),
        ] {
            let refused = config(text).unwrap_err();
            assert!(refused.contains(key), "{text}: {refused}");
        }
    }
}
