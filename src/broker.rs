//! The edge where brokers differ: (headers, bytes) → a verified delivery, and a delivery → neutral facts.
//!
//! Nothing past this module knows a broker's dialect. A new broker is a variant of [`Source`] and a folder beside
//! `workos/`.

pub mod workos;

use std::{collections::BTreeSet, str::FromStr};

pub use workos::redact::Mention;

pub use workos::api;

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use strum::{EnumString, IntoStaticStr, VariantArray};

use crate::{decide::fact::Reading, runtime::clock::Timestamp};

/// Longest id, type or slug taken as such, in bytes: it must fit an index entry on both databases.
pub const LONGEST_ID: usize = 255;

/// A broker that may call `POST /webhooks/{source}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumString, IntoStaticStr, VariantArray)]
#[strum(const_into_str)]
pub enum Source {
    /// WorkOS Directory Sync.
    #[strum(serialize = "workos")]
    WorkOs,
    /// What rosterd read in the broker's lists, in the form of its events (docs/sync.md).
    #[strum(serialize = "workos_list")]
    WorkOsList,
}

impl Source {
    /// Every source that this build knows.
    pub const ALL: &'static [Self] = Self::VARIANTS;

    /// Whose events the API gives, too.
    pub const EVENTS: Self = Self::WorkOs;
    /// What the API's lists say.
    pub const LISTS: Self = Self::WorkOsList;

    /// The names of the settings that reach the API, for messages.
    pub const API_SETTINGS: &str = "WORKOS_API_KEY and WORKOS_API_URL";

    /// Those that send webhooks.
    pub const SENDERS: [Self; 1] = [Self::WorkOs];

    /// The source of this name; `None` if no broker has it.
    pub fn named(name: &str) -> Option<Self> {
        Self::from_str(name).ok()
    }

    /// Its name in the address of the webhook and in table `inbox`.
    pub const fn name(self) -> &'static str {
        self.into_str()
    }

    /// The header that carries its signature.
    pub const fn signature_header(self) -> &'static str {
        match self {
            Self::WorkOs | Self::WorkOsList => workos::signature::HEADER,
        }
    }

    /// All that can be judged of a signature before the body is read. Pure.
    pub fn claim(
        self,
        header: Option<&[u8]>,
        tolerance_ms: i64,
        now: Timestamp,
    ) -> Result<SignatureHeader, VerifyError> {
        match self {
            Self::WorkOs | Self::WorkOsList => {
                workos::signature::claim(header, tolerance_ms, now).map(SignatureHeader::WorkOs)
            }
        }
    }

    /// Checks that `body` was signed with one of `secrets` near `now`. Pure; before anything is parsed.
    pub fn verify(
        self,
        header: Option<&[u8]>,
        body: &[u8],
        secrets: &[Secret],
        tolerance_ms: i64,
        now: Timestamp,
    ) -> Result<(), VerifyError> {
        self.claim(header, tolerance_ms, now)?.proved_by(body, secrets)
    }

    /// The little that must be known of a delivery to keep it. Never fails: what is not understood is labelled so.
    pub fn label(self, body: &[u8]) -> Label {
        match self {
            Self::WorkOs | Self::WorkOsList => workos::envelope::label(body),
        }
    }

    /// The body without what it says of this user but ids, times, state and, if they are to stay, role slugs; `None`
    /// when it says nothing of them. Pure.
    pub fn redact(self, body: &[u8], user_id: &str, with_roles: bool) -> Option<Vec<u8>> {
        match self {
            Self::WorkOs | Self::WorkOsList => workos::redact::redact(body, user_id, with_roles),
        }
    }

    /// Where a body that is about somebody else names a person by one of these ids and addresses. Pure.
    pub fn mention(self, body: &[u8], names: &BTreeSet<String>) -> Mention {
        match self {
            Self::WorkOs | Self::WorkOsList => workos::redact::mention(body, names),
        }
    }

    /// What a kept body says. Pure and total.
    pub fn read(self, body: &[u8]) -> Result<Reading, NotUnderstood> {
        match self {
            Self::WorkOs => workos::event::read(body),
            Self::WorkOsList => workos::event::read_list(body),
        }
    }
}

/// A signature that can be read and is of this time; whether it is of this body is still to be seen.
#[derive(Debug)]
pub enum SignatureHeader {
    /// The header of WorkOS.
    WorkOs(workos::signature::WorkOsSignature),
}

impl SignatureHeader {
    /// Checks it against the body, with each secret. Errors: `NoMatch`.
    pub fn proved_by(&self, body: &[u8], secrets: &[Secret]) -> Result<(), VerifyError> {
        match self {
            Self::WorkOs(claim) => claim.proved_by(body, secrets),
        }
    }
}

/// A webhook secret or a key of the API; it is never printed, and never empty.
#[derive(Clone, Debug)]
pub struct Secret(SecretString);

impl Secret {
    /// Taken as it is, byte by byte. `None` for a blank text: an empty key would let anybody sign.
    pub fn new(text: &str) -> Option<Self> {
        (!text.trim().is_empty()).then(|| Self(text.into()))
    }

    pub(crate) fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

/// Why a request is not taken for the broker's. Each variant asks something else of the operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum VerifyError {
    /// The header is absent.
    #[error("the signature header is missing; is something else than the broker calling this address?")]
    MissingHeader,
    /// The header cannot be read; the text says which part.
    #[error("the signature header cannot be read: {0}")]
    MalformedHeader(&'static str),
    #[error(
        "the timestamp is older than the window allows; is this server's clock ahead, or is this a replay?"
    )]
    /// Its time is before the window.
    TooOld,
    #[error(
        "the timestamp lies further in the future than the window allows; is this server's clock behind?"
    )]
    /// Its time is after the window.
    TooNew,
    /// Its time is in seconds, not in milliseconds.
    #[error("the timestamp looks like seconds; it must be milliseconds")]
    Seconds,
    #[error(
        "no signature matches a configured secret; was the secret rotated, or the body changed on its way?"
    )]
    /// No signature matches the body under any secret.
    NoMatch,
}

/// What the inbox must know of a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// The event's id, or `sha256:…` of the body when it has none that can be used: the key of exactly-once.
    pub key: String,
    /// Empty when not understood.
    pub kind: String,
    /// What is to be done with it.
    pub disposition: Disposition,
}

impl Label {
    pub(crate) fn not_understood(body: &[u8], reason: &'static str) -> Self {
        Self {
            key: format!("sha256:{}", hex::encode(Sha256::digest(body))),
            kind: String::new(),
            disposition: Disposition::NotUnderstood(reason),
        }
    }
}

/// What shall become of a delivery, as far as its envelope tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disposition {
    /// It is to be applied.
    Apply,
    /// A type that says nothing about directories; kept, and marked so.
    Ignore,
    /// Kept as a dead letter.
    NotUnderstood(&'static str),
}

/// Why a kept delivery cannot become facts; ends in the dead letters, where an operator reads it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotUnderstood {
    /// The body is not the JSON that its type promises.
    #[error("the body is not the JSON this event should have: {0}")]
    Shape(String),
    /// A field that identifies something is missing or cannot be a key.
    #[error("{field} is missing, empty, longer than {LONGEST_ID} bytes or holds a NUL")]
    Id { field: &'static str },
    /// It has no time.
    #[error("the event carries neither created_at nor data.updated_at, so it cannot be put in order")]
    NoTime,
    /// Two of its fields contradict each other.
    #[error("the event contradicts itself: {0}")]
    Contradiction(&'static str),
}
