//! Facts: what an event says about the directory, in words that no broker owns.
//!
//! An adapter (`broker/`) turns a delivery into facts; everything past it knows only these. A fact carries its
//! [`Version`], so the newest can be told whatever the order of arrival (docs/versions.md).

use serde::Serialize;

use crate::runtime::clock::Timestamp;

/// Which of two facts about one entity is newer: compared field by field, in this order.
///
/// For users, groups, directories and organizations `at` is `data.updated_at`, but at most `emitted`: no fact is newer
/// than the event that carries it. For a deletion it is `emitted`, so that a stale snapshot inside a deletion never loses
/// to an older update; for memberships too, since a membership change moves no `updated_at` (docs/broker-workos.md 4).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// The time of the statement, by the broker's clock.
    pub at: Timestamp,
    /// `created_at` of the event.
    pub emitted: Timestamp,
    /// The event's id: decides between two events of one instant.
    pub event: String,
}

/// The ids of what rosterd read in a list of the broker, and not in an event, begin so.
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

/// Everything one event says.
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
    /// Embedded snapshots count like any other fact about that user and group.
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
}

impl Observation {
    /// It says of one user that they have no access.
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
        }
    }
}

/// The directory an event belongs to, and the organization it claims for it. No organization is no claim.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Scope {
    /// The broker's id of the directory.
    pub directory_id: String,
    /// The organization that the event names as owner.
    pub organization_id: Option<String>,
}

/// What is said of one entity.
#[derive(Debug, PartialEq)]
pub struct Fact<T> {
    /// The broker's id.
    pub id: String,
    /// Its position among all facts about the entity.
    pub version: Version,
    /// False for a removal: it may hide an entity, but never makes one visible that nothing else has (lesson 9).
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

/// The attributes of a user. Absent and empty values are `None`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct User {
    /// The id that the identity provider uses.
    pub idp_id: Option<String>,
    /// The primary address, as it was written.
    pub email: Option<String>,
    /// The login name.
    pub username: Option<String>,
    /// The given name.
    pub first_name: Option<String>,
    /// The family name.
    pub last_name: Option<String>,
    /// The display name.
    pub name: Option<String>,
    /// The job title.
    pub job_title: Option<String>,
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
    /// It was found by comparison: no event has said it.
    pub fn is_from_list(&self) -> bool {
        self.event.starts_with(FROM_LIST)
    }
}

/// What an adapter makes of a body.
#[derive(Debug, PartialEq)]
pub enum Reading {
    /// With what had to be left out of it, each in words for the operator: a value that cannot be kept.
    Fact(Box<Observation>, Vec<String>),
    /// Understood, and nothing for us: an event of another family, or one without effect.
    Nothing,
}
