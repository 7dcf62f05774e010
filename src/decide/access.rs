//! Who may come in.

use super::{ownership::Ownership, state::LatestFact};
use crate::runtime::clock::Timestamp;

/// What the latest fact about a user, and its directory, amount to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// They have access.
    Active,
    /// Since when, in the broker's time: the earliest of the reasons that hold now.
    Inactive(Timestamp, AccessCause),
}

/// Why somebody has no access; told in the notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessCause {
    /// The directory says deleted, or any state but active.
    Person,
    /// The directory, or the tenant it belongs to, was deleted.
    Directory,
    /// Nothing grants them a role, and the mapping lets nobody in without one.
    Mapping,
    /// An operator moved the directory to another organization. Only of a leaver: no fact amounts to it.
    Moved,
}

/// The access of the user whose latest fact this is.
pub fn access(fact: &LatestFact, place: &Ownership) -> Access {
    match (fact.live, place.dismissed_since) {
        (true, None) => Access::Active,
        (true, Some(gone)) => Access::Inactive(gone, AccessCause::Directory),
        (false, Some(gone)) if gone < fact.version.at => Access::Inactive(gone, AccessCause::Directory),
        (false, _) => Access::Inactive(fact.version.at, AccessCause::Person),
    }
}

impl Access {
    /// Whether they have access.
    pub fn is_active(self) -> bool {
        matches!(self, Self::Active)
    }

    /// The text in `users.status`.
    pub fn status(self) -> &'static str {
        if self.is_active() { "active" } else { "inactive" }
    }

    /// Since when access has ended.
    pub fn since(self) -> Option<Timestamp> {
        match self {
            Self::Active => None,
            Self::Inactive(since, _) => Some(since),
        }
    }
}
