//! Whether a user has access.

use super::{ownership::Ownership, state::LatestFact};
use crate::runtime::clock::Timestamp;

/// The access that follows from a user's latest fact and from the state of the directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// The user has access.
    Active,
    /// The user has no access. The time is the broker's: the earliest of the causes that apply now.
    Inactive(Timestamp, AccessCause),
}

/// Why a user has no access. The notice contains it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessCause {
    /// The user's state is not `active`, or the user is deleted.
    Person,
    /// The directory, or the tenant it belongs to, was deleted.
    Directory,
    /// No rule grants a role, and the mapping gives no access without a role.
    Mapping,
}

/// Derives the access from a user's latest fact and its directory's state.
pub fn access(fact: &LatestFact, place: &Ownership) -> Access {
    match (fact.live, place.dismissed_since) {
        (true, None) => Access::Active,
        (true, Some(gone)) => Access::Inactive(gone, AccessCause::Directory),
        (false, Some(gone)) if gone < fact.version.at => Access::Inactive(gone, AccessCause::Directory),
        (false, _) => Access::Inactive(fact.version.at, AccessCause::Person),
    }
}

impl Access {
    /// Whether the user has access.
    pub fn is_active(self) -> bool {
        matches!(self, Self::Active)
    }

    /// The text in `users.status`.
    pub fn status(self) -> &'static str {
        if self.is_active() { "active" } else { "inactive" }
    }

    /// The end of access in the broker's time; `None` while the user has access.
    pub fn since(self) -> Option<Timestamp> {
        match self {
            Self::Active => None,
            Self::Inactive(since, _) => Some(since),
        }
    }
}
