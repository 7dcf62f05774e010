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
    pub at: Timestamp,
    pub emitted: Timestamp,
    pub event: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EntityKind {
    Organization,
    Directory,
    User,
    Group,
}

/// Everything one event says.
#[derive(Debug, PartialEq)]
#[expect(
    clippy::large_enum_variant,
    reason = "the largest is the most frequent, and one box holds the whole"
)]
pub enum Observation {
    Organization(Fact<Organization>),
    Directory {
        scope: Scope,
        fact: Fact<Directory>,
    },
    User {
        scope: Scope,
        fact: Fact<User>,
    },
    Group {
        scope: Scope,
        fact: Fact<Group>,
    },
    /// Embedded snapshots count like any other fact about that user and group.
    Membership {
        scope: Scope,
        membership: Membership,
        user: Fact<User>,
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
    pub directory_id: String,
    pub organization_id: Option<String>,
}

/// What is said of one entity.
#[derive(Debug, PartialEq)]
pub struct Fact<T> {
    pub id: String,
    pub version: Version,
    /// False for a removal: it may hide an entity, but never makes one visible that nothing else has (lesson 9).
    pub reveals: bool,
    /// For a user: state `active` and not deleted. For the others: not deleted.
    pub live: bool,
    pub content: T,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Organization {
    pub name: String,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Directory {
    pub name: Option<String>,
    /// The broker's value for the kind of provider, such as `okta scim v2.0`; an open set.
    pub provider: Option<String>,
    pub state: String,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct User {
    pub idp_id: Option<String>,
    pub email: Option<String>,
    pub username: Option<String>,
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    pub name: Option<String>,
    pub job_title: Option<String>,
    /// The broker's value: `active`, `suspended`, `deleted`, …; an open set.
    pub state: String,
    /// A JSON object, compact, keys sorted, storable on both databases.
    pub custom_attributes: String,
    /// `role` and `roles[]` together, sorted, each once (lesson 32).
    pub roles: Vec<String>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Group {
    pub idp_id: Option<String>,
    pub name: String,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

#[derive(Debug, PartialEq, Eq)]
pub struct Membership {
    pub group_id: String,
    pub user_id: String,
    pub version: Version,
    pub added: bool,
}

/// What an adapter makes of a body.
#[derive(Debug, PartialEq)]
pub enum Reading {
    /// With what had to be left out of it, each in words for the operator: a value that cannot be kept.
    Fact(Box<Observation>, Vec<String>),
    /// Understood, and nothing for us: an event of another family, or one without effect.
    Nothing,
}
