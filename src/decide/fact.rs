//! Facts: the broker-independent statements of an event about the directory.
//!
//! An adapter (`broker/`) makes facts from a delivery; all later code knows only facts. Each fact has a [`Version`],
//! so the newest fact is known in any order of arrival (docs/versions.md).

use serde::Serialize;

use super::profile::Profile;
use crate::runtime::clock::Timestamp;

/// The position of a fact among the facts about one entity. Two versions are compared field by field, in this order.
///
/// For users, groups, directories and organizations `at` is `data.updated_at`, but at most `emitted`: no fact is newer
/// than its event. For a deletion it is `emitted`, so a stale snapshot in a deletion never loses to an older update.
/// For a membership it is `emitted` too, because a membership change does not change `updated_at`
/// (docs/broker-workos.md 4).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// The time of the statement, by the broker's clock.
    pub at: Timestamp,
    /// `created_at` of the event.
    pub emitted: Timestamp,
    /// The event's id. It decides between two events with the same times.
    pub event: String,
}

/// The prefix of event ids for entries that rosterd read from a list of the broker and not from an event.
pub const FROM_LIST: &str = "list:";

/// The kinds of entities that facts are about. Memberships are facts about pairs of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EntityKind {
    /// A customer.
    Organization,
    /// A connection to an identity provider.
    Directory,
    /// An account in a directory.
    User,
    /// A group of a directory.
    Group,
}

/// Everything that one event states.
#[derive(Debug, PartialEq)]
#[expect(
    clippy::large_enum_variant,
    reason = "the largest is the most frequent, and one box holds the whole"
)]
pub enum Observation {
    /// An organization was created, changed or deleted.
    Organization(Fact<Organization>),
    /// A directory was connected, changed or deleted.
    Directory {
        /// The directory that the event is about, and its organization.
        scope: Scope,
        /// The directory itself.
        fact: Fact<Directory>,
    },
    /// A user was created, changed or deleted.
    User {
        /// The directory that the event is about, and its organization.
        scope: Scope,
        /// The user.
        fact: Fact<User>,
    },
    /// A group was created, changed or deleted.
    Group {
        /// The directory that the event is about, and its organization.
        scope: Scope,
        /// The group.
        fact: Fact<Group>,
    },
    /// A user joined or left a group. The embedded snapshots are facts about that user and group.
    Membership {
        /// The directory that the event is about, and its organization.
        scope: Scope,
        /// The pair, and whether it was added.
        membership: Membership,
        /// The snapshot of the user.
        user: Fact<User>,
        /// The snapshot of the group.
        group: Fact<Group>,
    },
    /// Users joined or left a group, in one statement without snapshots of the users.
    Members {
        /// The directory that the statement is about, and its organization.
        scope: Scope,
        /// The snapshot of the group, if it has changed.
        group: Option<Fact<Group>>,
        /// The pairs of this one group.
        changes: Vec<Membership>,
    },
}

impl Observation {
    /// Whether it is a fact about one user that ends access.
    pub fn ends_access(&self) -> bool {
        matches!(self, Self::User { fact, .. } if !fact.live)
    }

    /// When the broker sent the event.
    pub fn emitted(&self) -> Timestamp {
        match self {
            Self::Organization(fact) => fact.version.emitted,
            Self::Directory { fact, .. } => fact.version.emitted,
            Self::User { fact, .. } => fact.version.emitted,
            Self::Group { fact, .. } => fact.version.emitted,
            Self::Membership { membership, .. } => membership.version.emitted,
            Self::Members { group, changes, .. } => {
                let of_group = group.iter().map(|group| group.version.emitted);
                of_group.chain(changes.iter().map(|change| change.version.emitted)).max().unwrap_or_default()
            }
        }
    }
}

/// The directory of an event, and the organization that the event names as its owner. An event without organization
/// makes no claim.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Scope {
    /// The broker's id of the directory.
    pub directory_id: String,
    /// The organization that the event names as owner.
    pub organization_id: Option<String>,
}

/// A statement about one entity.
#[derive(Debug, PartialEq)]
pub struct Fact<T> {
    /// The broker's id.
    pub id: String,
    /// Its position among all facts about the entity.
    pub version: Version,
    /// False for a removal. A removal may hide an entity, but an entity with removals only never becomes visible
    /// (lesson 9).
    pub reveals: bool,
    /// For a user: state `active` and not deleted. For the others: not deleted.
    pub live: bool,
    /// The attributes.
    pub content: T,
}

/// The attributes of an organization.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Organization {
    /// Its display name.
    pub name: String,
    /// The broker's time of creation.
    pub created_at: Timestamp,
    /// The broker's time of the last change.
    pub updated_at: Timestamp,
}

/// The attributes of a directory.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Directory {
    /// Its display name.
    pub name: Option<String>,
    /// The broker's value for the kind of provider, such as `okta scim v2.0`; an open set.
    pub provider: Option<String>,
    /// The broker's value: `active`, `deleting`, …; an open set.
    pub state: String,
    /// The broker's time of creation.
    pub created_at: Timestamp,
    /// The broker's time of the last change.
    pub updated_at: Timestamp,
}

/// The attributes of a user.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct User {
    /// The texts with columns of their own.
    #[serde(flatten)]
    pub profile: Profile,
    /// The broker's value: `active`, `suspended`, `deleted`, …; an open set.
    pub state: String,
    /// A JSON object, compact, keys sorted, storable on both databases.
    pub custom_attributes: String,
    /// `role` and `roles[]` together, sorted, each once (lesson 32).
    pub roles: Vec<String>,
    /// The profile was erased. No part of the digest of a profile that was not.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub erased: bool,
    /// The broker's time of creation.
    pub created_at: Timestamp,
    /// The broker's time of the last change.
    pub updated_at: Timestamp,
}

/// The attributes of a group.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Group {
    /// The id that the identity provider uses.
    pub idp_id: Option<String>,
    /// Its display name.
    pub name: String,
    /// The broker's time of creation.
    pub created_at: Timestamp,
    /// The broker's time of the last change.
    pub updated_at: Timestamp,
}

/// A user joined a group or left it.
#[derive(Debug, PartialEq, Eq)]
pub struct Membership {
    /// The broker's id of the group.
    pub group_id: String,
    /// The broker's id of the user.
    pub user_id: String,
    /// Its position among all facts about the pair.
    pub version: Version,
    /// False for a removal.
    pub added: bool,
}

impl Version {
    /// Whether the fact comes from a comparison with the broker's lists and not from an event.
    pub fn is_from_list(&self) -> bool {
        self.event.starts_with(FROM_LIST)
    }
}

/// The result of reading a body.
#[derive(Debug, PartialEq)]
pub enum Reading {
    /// The facts, and a text for the operator about each value that cannot be stored and was left out.
    Fact(Box<Observation>, Vec<String>),
    /// The body is understood and has no facts: an event of another family, or one without effect.
    Nothing,
}
