//! Brokers: verifies a delivery from its headers and bytes, and makes broker-independent facts from its body.
//!
//! No other module knows a broker's format. A new broker is a variant of [`Source`] and a folder beside `workos/`.

pub mod scim;
pub mod workos;

use std::str::FromStr;

pub use workos::person_mentions::{Mention, PersonNames};

pub use workos::api;

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use strum::{EnumString, IntoStaticStr, VariantArray};

use crate::{decide::fact::Reading, runtime::clock::Timestamp};

/// The longest accepted id, type or slug, in bytes. It must fit an index entry on both databases.
pub const LONGEST_ID: usize = 255;

/// A broker that may call `POST /webhooks/{source}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumString, IntoStaticStr, VariantArray)]
#[strum(const_into_str)]
pub enum Source {
    /// WorkOS Directory Sync.
    #[strum(serialize = "workos")]
    WorkOs,
    /// Entries that rosterd read from the broker's lists, in the form of its events (docs/sync.md).
    #[strum(serialize = "workos_list")]
    WorkOsList,
    /// Writes of an identity provider by SCIM, without a broker (docs/scim.md).
    #[strum(serialize = "scim")]
    Scim,
}

impl Source {
    /// Every source that this build knows.
    pub const ALL: &'static [Self] = Self::VARIANTS;

    /// The source of events that rosterd reads from the API.
    pub const EVENTS: Self = Self::WorkOs;
    /// The source of entries that rosterd reads from the API's lists.
    pub const LISTS: Self = Self::WorkOsList;

    /// The names of the API's settings, for messages.
    pub const API_SETTINGS: &str = "WORKOS_API_KEY and WORKOS_API_URL";

    /// The sources that send webhooks.
    pub const SENDERS: [Self; 1] = [Self::WorkOs];

    /// The source with this name; `None` if there is none.
    pub fn named(name: &str) -> Option<Self> {
        Self::from_str(name).ok()
    }

    /// The name in the address of the webhook and in table `inbox`.
    pub const fn name(self) -> &'static str {
        self.into_str()
    }

    /// The name of the header with the signature.
    pub const fn signature_header(self) -> &'static str {
        match self {
            Self::WorkOs | Self::WorkOsList | Self::Scim => workos::signature::HEADER,
        }
    }

    /// Checks the parts of a signature that do not need the body. Pure.
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
            // Nobody may send such a delivery.
            Self::Scim => Err(VerifyError::MissingHeader),
        }
    }

    /// Checks that one of `secrets` signed `body` near `now`. It runs before anything is parsed. Pure.
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

    /// The label of a delivery, which the inbox needs. Never fails: a body that is not understood gets a label that
    /// says so. Pure.
    pub fn label(self, body: &[u8]) -> Label {
        match self {
            Self::WorkOs | Self::WorkOsList => workos::envelope::label(body),
            Self::Scim => scim::label(body),
        }
    }

    /// The body without the personal data of this user: ids, times and state remain, and role slugs if `with_roles`.
    /// `None` if the body is not about the user. Pure.
    pub fn redact(self, body: &[u8], user_id: &str, with_roles: bool) -> Option<Vec<u8>> {
        match self {
            Self::WorkOs | Self::WorkOsList => workos::redact::redact(body, user_id, with_roles),
            Self::Scim => scim::redact(body, user_id, with_roles),
        }
    }

    /// Finds a person by ids, addresses and name in a body about another entity. Pure.
    pub fn mention(self, body: &[u8], names: &PersonNames) -> Mention {
        match self {
            Self::WorkOs | Self::WorkOsList => workos::person_mentions::mention(body, names),
            Self::Scim => scim::mention(body, names),
        }
    }

    /// The facts of a stored body. Pure and total.
    pub fn read(self, body: &[u8]) -> Result<Reading, NotUnderstood> {
        match self {
            Self::WorkOs => workos::event::read(body),
            Self::WorkOsList => workos::event::read_list(body),
            Self::Scim => scim::read(body),
        }
    }
}

/// A readable signature within the time window. It is not yet compared with the body.
#[derive(Debug)]
pub enum SignatureHeader {
    /// The header of WorkOS.
    WorkOs(workos::signature::WorkOsSignature),
}

impl SignatureHeader {
    /// Compares it with the body, for each secret. It fails with `NoMatch`.
    pub fn proved_by(&self, body: &[u8], secrets: &[Secret]) -> Result<(), VerifyError> {
        match self {
            Self::WorkOs(claim) => claim.proved_by(body, secrets),
        }
    }
}

/// A webhook secret or a key of the API. It is never printed and never empty.
#[derive(Clone, Debug)]
pub struct Secret(SecretString);

impl Secret {
    /// Uses the text unchanged, byte by byte. `None` for a blank text: anybody could sign with an empty key.
    pub fn new(text: &str) -> Option<Self> {
        (!text.trim().is_empty()).then(|| Self(text.into()))
    }

    pub(crate) fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

/// Why a request is not accepted as the broker's. Each variant needs another remedy of the operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum VerifyError {
    /// The header is absent.
    #[error("the signature header is missing; is something else than the broker calling this address?")]
    MissingHeader,
    /// The header cannot be read; the text names the part.
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

/// The data that the inbox needs about a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// The event's id, or `sha256:…` of the body if it has no usable id. Each key is applied once.
    pub key: String,
    /// The event's type; empty if the body is not understood.
    pub kind: String,
    /// The treatment of the delivery.
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

/// The treatment of a delivery, by its envelope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disposition {
    /// It is to be applied.
    Apply,
    /// Its type has no facts about directories. It is stored and marked so.
    Ignore,
    /// It is stored as a dead letter, with this reason.
    NotUnderstood(&'static str),
}

/// Why a stored delivery has no facts. The dead letter shows the text to the operator.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotUnderstood {
    /// The body is not the JSON that its type promises.
    #[error("the body is not the JSON that this event should have: {0}")]
    Shape(String),
    /// An identifying field is missing or cannot be a key.
    #[error("{field} is missing, empty, longer than {LONGEST_ID} bytes or contains a NUL")]
    Id {
        /// The name of the field.
        field: &'static str,
    },
    /// It has no time.
    #[error("the event has neither created_at nor data.updated_at, so its position in time is unknown")]
    NoTime,
    /// Two of its fields contradict each other.
    #[error("the event contradicts itself: {0}")]
    Contradiction(&'static str),
}
