//! Settings: the default file, then `rosterd.toml`, then the environment. They are read and checked once, at the start. An
//! error is one sentence with the key and the remedy.

mod audit;
mod effective;
mod environment;
mod guard;
mod load;
pub mod period;
pub mod product;
mod report;
mod smtp_url;

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf, time::Duration};

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer};

use crate::{
    broker::Secret,
    db::{Recording, Url},
    decide::{DirectoryDeleted, People, Rules, Tenancy, guard::Guard},
    endpoints::EndpointLimits,
    feed::retention::FeedRetention,
    outbox::{NoticeKind, bundle::Pace},
    retention::Retention,
    runtime::telemetry,
    sync::client,
};

use period::Every;

pub use audit::{AuditSettings, HeadsDaily};
pub use effective::{EffectiveSetting, Origin};
pub use load::{ConfigError, Settings, load, settings};
pub use product::Product;

/// Each key with its comment and default. The binary reads its defaults from this text, so the two cannot differ.
pub const DEFAULTS: &str = include_str!("config.default.toml");

/// All settings. `config.default.toml` describes each key.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    #[serde(deserialize_with = "url")]
    pub database_url: Url,
    #[serde(deserialize_with = "log")]
    pub log: String,
    pub database_connections: u32,
    #[serde(deserialize_with = "tenancy")]
    pub tenancy: Tenancy,
    pub directories: Directories,
    pub http: Http,
    pub scim: Scim,
    pub workos: WorkOs,
    pub reconcile: Reconcile,
    pub apply: Apply,
    pub changes: Changes,
    pub endpoints: Endpoints,
    #[serde(deserialize_with = "guard::read")]
    pub guard: Guard,
    #[serde(deserialize_with = "retention")]
    pub retention: Retention,
    pub audit: AuditSettings,
    pub mail: MailSettings,
}

/// `[directories]`: the policy for deleted directories.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Directories {
    #[serde(deserialize_with = "people")]
    pub deleted: People,
    #[serde(deserialize_with = "people_of_tenants")]
    pub deleted_of: BTreeMap<String, People>,
}

/// `[http]`: the listeners and their limits.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Http {
    pub listen: SocketAddr,
    pub admin_listen: SocketAddr,
    pub max_body_bytes: usize,
    pub max_bytes_in_flight: usize,
    pub max_waiting: usize,
    pub max_connections: usize,
    pub head_timeout_seconds: u64,
    pub keep_alive_seconds: u64,
    pub body_timeout_seconds: u64,
    pub commit_timeout_seconds: u64,
    pub stop_timeout_seconds: u64,
}

/// `[scim]`: the listener for identity providers and applications.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scim {
    #[serde(deserialize_with = "optional_address")]
    pub listen: Option<SocketAddr>,
    #[serde(deserialize_with = "base_url")]
    pub base_url: Option<String>,
    pub max_body_bytes: usize,
    pub apply_timeout_seconds: u64,
}

/// `[workos]`: webhooks and API.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkOs {
    #[serde(deserialize_with = "secrets")]
    pub webhook_secrets: Vec<Secret>,
    pub tolerance_seconds: u32,
    #[serde(deserialize_with = "secret")]
    pub api_key: Option<Secret>,
    pub api_url: String,
    pub poll_seconds: u64,
}

/// `[reconcile]`: the comparison with the broker's lists.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reconcile {
    pub every_hours: u32,
    pub requests_per_second: u32,
    pub alarm_hours: u32,
}

/// `[apply]`: the size of batches.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Apply {
    pub batch_deliveries: usize,
    pub batch_bytes: usize,
    pub poll_seconds: u64,
}

/// `[changes]`: the change feed.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Changes {
    pub notify: bool,
}

/// `[endpoints]`: webhooks to the application.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Endpoints {
    pub requests: usize,
    pub timeout_seconds: u64,
    pub failures_until_pause: u32,
    pub give_up_hours: u32,
    pub most_waiting: usize,
    pub rotation_hours: u32,
}

impl Endpoints {
    /// The limits of each endpoint. A limit of zero would stop it.
    pub fn limits(self) -> EndpointLimits {
        EndpointLimits {
            in_flight: self.requests.max(1),
            failures_until_pause: self.failures_until_pause.max(1),
            most_waiting: self.most_waiting.max(1),
            give_up_seconds: i64::from(self.give_up_hours) * 3_600,
            timeout_seconds: self.timeout_seconds.max(1),
        }
    }
}

impl Changes {
    /// What serialized transactions record.
    pub fn recording(self) -> Recording {
        if self.notify { Recording::Notifying } else { Recording::Silent }
    }
}

/// `[mail]`: server, recipients and kinds.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MailSettings {
    #[serde(deserialize_with = "mail_url")]
    pub url: Option<MailUrl>,
    #[serde(deserialize_with = "mailbox")]
    pub from: lettre::message::Mailbox,
    pub product: String,
    pub support: String,
    #[serde(deserialize_with = "product::reply_to")]
    pub reply_to: Option<lettre::message::Mailbox>,
    #[serde(deserialize_with = "product::logo")]
    pub logo: String,
    pub language: String,
    #[serde(deserialize_with = "product::decision_url")]
    pub decision_url: String,
    pub of: BTreeMap<String, product::ProductOf>,
    pub window_seconds: u32,
    pub most_per_hour: u32,
    pub max_named: usize,
    pub silent_days: u32,
    pub first_sync_hours: u32,
    #[serde(deserialize_with = "report::every")]
    pub report: Option<Every>,
    #[serde(deserialize_with = "report::every_of_tenants")]
    pub report_of: BTreeMap<String, Option<Every>>,
    pub timeout_seconds: u64,
    #[serde(deserialize_with = "addresses")]
    pub fallback: Vec<lettre::Address>,
    #[serde(deserialize_with = "recipients")]
    pub recipients: BTreeMap<String, Vec<lettre::Address>>,
    pub recipient_roles: Vec<String>,
    pub recipient_roles_of: BTreeMap<String, Vec<String>>,
    #[serde(deserialize_with = "kinds")]
    pub kinds: BTreeMap<&'static str, bool>,
    #[serde(deserialize_with = "kinds_of_tenants")]
    pub kinds_of: BTreeMap<String, BTreeMap<&'static str, bool>>,
}

impl MailSettings {
    /// Whether a tenant gets mails about this kind of notice.
    pub fn sends(&self, kind: NoticeKind, tenant_id: &str) -> bool {
        let own = self.kinds_of.get(tenant_id).and_then(|kinds| kinds.get(kind.name()));
        own.or_else(|| self.kinds.get(kind.name())).copied().unwrap_or(true)
    }

    /// The roles whose holders get the mails of this tenant.
    pub fn roles_notified(&self, tenant_id: &str) -> &[String] {
        self.recipient_roles_of.get(tenant_id).unwrap_or(&self.recipient_roles)
    }

    /// The rate of mails to one tenant.
    pub fn pace(&self) -> Pace {
        Pace { window_seconds: self.window_seconds, most_per_hour: self.most_per_hour }
    }
}

impl Config {
    /// How often missed events are read from the API; `None` for never.
    pub fn poll(&self) -> Option<Duration> {
        Some(self.workos.poll_seconds).filter(|seconds| *seconds > 0).map(Duration::from_secs)
    }

    /// The settings of the client of the broker's API; `None` without a key.
    pub fn api(&self) -> Option<client::Settings> {
        Some(client::Settings {
            url: self.workos.api_url.clone(),
            key: self.workos.api_key.clone()?,
            per_second: self.reconcile.requests_per_second.max(1),
            of_directory_per_second: Some(client::OF_DIRECTORY_PER_SECOND),
        })
    }

    /// The settings that decisions need.
    pub fn rules(&self) -> Rules {
        let Directories { deleted, deleted_of } = self.directories.clone();
        let directory_deleted = DirectoryDeleted { otherwise: deleted, of_tenant: deleted_of };
        let first_sync_hours = self.mail.first_sync_hours;
        let guard = self.guard.clone();
        Rules { tenancy: self.tenancy, directory_deleted, guard, first_sync_hours, ..Rules::default() }
    }
}

/// Where mails are sent or written. Printing it shows only the host, because an SMTP URL may contain a password.
#[derive(Clone)]
pub enum MailUrl {
    /// An SMTP server.
    Smtp(SecretString),
    /// A directory for .eml files.
    Directory(PathBuf),
}

impl std::fmt::Debug for MailUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Directory(path) => write!(f, "file://{}", path.display()),
            Self::Smtp(url) => {
                let url = url.expose_secret();
                let host = url
                    .rsplit_once('@')
                    .map_or_else(|| url.split_once("://").map_or(url, |(_, host)| host), |(_, host)| host);
                write!(f, "smtp://{host}")
            }
        }
    }
}

fn retention<'de, D: Deserializer<'de>>(from: D) -> Result<Retention, D::Error> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Days {
        delivery_days: u32,
        event_id_days: u32,
        change_days: u32,
        unconfirmed_change_days: u32,
    }
    let Days { delivery_days, event_id_days, change_days, unconfirmed_change_days } =
        Days::deserialize(from)?;
    let changes = FeedRetention { days: change_days, most_days: unconfirmed_change_days };
    Ok(Retention { delivery_days, event_id_days, changes })
}

fn optional_address<'de, D: Deserializer<'de>>(from: D) -> Result<Option<SocketAddr>, D::Error> {
    let text = String::deserialize(from)?;
    match text.trim() {
        "" => Ok(None),
        text => text.parse().map(Some).map_err(|error| {
            wrong(format_args!(
                "scim.listen (ROSTERD_SCIM_LISTEN) is no address ({error}); write 127.0.0.1:8090"
            ))
        }),
    }
}

fn base_url<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    let text = String::deserialize(from)?;
    let text = text.trim().trim_end_matches('/');
    match text.starts_with("https://") || text.starts_with("http://") {
        true => Ok(Some(text.to_owned())),
        false if text.is_empty() => Ok(None),
        false => Err(wrong("scim.base_url (ROSTERD_SCIM_URL) must begin with https:// or http://")),
    }
}

fn wrong<E: serde::de::Error>(message: impl std::fmt::Display) -> E {
    E::custom(message)
}

fn url<'de, D: Deserializer<'de>>(from: D) -> Result<Url, D::Error> {
    Url::parse(&String::deserialize(from)?).map_err(wrong)
}

fn log<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    let text = String::deserialize(from)?;
    match telemetry::is_filter(&text) {
        true => Ok(text),
        false => Err(wrong(
            "log (RUST_LOG) cannot be read; write a level for each module, as in rosterd=debug,info",
        )),
    }
}

fn tenancy<'de, D: Deserializer<'de>>(from: D) -> Result<Tenancy, D::Error> {
    match String::deserialize(from)?.as_str() {
        "multi" => Ok(Tenancy::Multi),
        "single" => Ok(Tenancy::Single),
        other => Err(wrong(format_args!("tenancy is \"{other}\"; write \"multi\" or \"single\""))),
    }
}

fn policy<E: serde::de::Error>(text: &str) -> Result<People, E> {
    match text {
        "deprovision" => Ok(People::Deprovision),
        "keep" => Ok(People::Keep),
        other => {
            Err(wrong(format_args!("directories.deleted is \"{other}\"; write \"deprovision\" or \"keep\"")))
        }
    }
}

fn people<'de, D: Deserializer<'de>>(from: D) -> Result<People, D::Error> {
    policy(&String::deserialize(from)?)
}

fn people_of_tenants<'de, D: Deserializer<'de>>(from: D) -> Result<BTreeMap<String, People>, D::Error> {
    BTreeMap::<String, String>::deserialize(from)?
        .into_iter()
        .map(|(tenant, text)| Ok((tenant, policy(&text)?)))
        .collect()
}

/// Secrets, separated by commas; WorkOS secrets contain no comma. Blanks around a secret are removed, because they come from
/// files and editors.
fn secrets<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Secret>, D::Error> {
    let secrets: Vec<String> = Vec::deserialize(from)?;
    Ok(secrets.iter().flat_map(|text| text.split(',')).filter_map(|text| Secret::new(text.trim())).collect())
}

fn secret<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Secret>, D::Error> {
    Ok(Secret::new(String::deserialize(from)?.trim()))
}

fn mail_url<'de, D: Deserializer<'de>>(from: D) -> Result<Option<MailUrl>, D::Error> {
    let text = String::deserialize(from)?;
    if text.is_empty() {
        return Ok(None);
    }
    if let Some(path) = text.strip_prefix("file://") {
        if path.is_empty() {
            return Err(wrong("mail.url (SMTP_URL) names no directory; write file:///var/spool/rosterd"));
        }
        return Ok(Some(MailUrl::Directory(PathBuf::from(path))));
    }
    if smtp_url::sends_password_unencrypted(&text) {
        return Err(wrong(
            "mail.url (SMTP_URL) would send its user and password unencrypted; write smtps://user:password@host, or \
             smtp://user:password@host:587?tls=required; without TLS only to this machine (localhost)",
        ));
    }
    if text.starts_with("smtp://") || text.starts_with("smtps://") {
        return Ok(Some(MailUrl::Smtp(text.into())));
    }
    Err(wrong("mail.url (SMTP_URL) must begin with smtp://, smtps:// or file://"))
}

fn mailbox<'de, D: Deserializer<'de>>(from: D) -> Result<lettre::message::Mailbox, D::Error> {
    product::mailbox("mail.from (MAIL_FROM)", "rosterd <rosterd@your.example>", &String::deserialize(from)?)
}

fn address<E: serde::de::Error>(text: &str) -> Result<lettre::Address, E> {
    text.trim().parse().map_err(|error| wrong(format_args!("\"{text}\" is no mail address ({error})")))
}

fn addresses<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<lettre::Address>, D::Error> {
    Vec::<String>::deserialize(from)?.iter().map(|text| address(text)).collect()
}

fn recipients<'de, D: Deserializer<'de>>(
    from: D,
) -> Result<BTreeMap<String, Vec<lettre::Address>>, D::Error> {
    BTreeMap::<String, Vec<String>>::deserialize(from)?
        .into_iter()
        .map(|(tenant, list)| Ok((tenant, list.iter().map(|text| address(text)).collect::<Result<_, _>>()?)))
        .collect()
}

fn switches<E: serde::de::Error>(kinds: &BTreeMap<String, bool>) -> Result<BTreeMap<&'static str, bool>, E> {
    let known = |(name, on): (&String, &bool)| match NoticeKind::named(name) {
        Some(kind) => Ok((kind.name(), *on)),
        None => {
            let known: Vec<&str> = NoticeKind::ALL.iter().map(|kind| kind.name()).collect();
            Err(wrong(format_args!(
                "there is no kind of notices \"{name}\"; the kinds are {}",
                known.join(", ")
            )))
        }
    };
    kinds.iter().map(known).collect()
}

fn kinds<'de, D: Deserializer<'de>>(from: D) -> Result<BTreeMap<&'static str, bool>, D::Error> {
    switches(&BTreeMap::deserialize(from)?)
}

fn kinds_of_tenants<'de, D: Deserializer<'de>>(
    from: D,
) -> Result<BTreeMap<String, BTreeMap<&'static str, bool>>, D::Error> {
    BTreeMap::<String, BTreeMap<String, bool>>::deserialize(from)?
        .into_iter()
        .map(|(tenant, kinds)| Ok((tenant, switches(&kinds)?)))
        .collect()
}
