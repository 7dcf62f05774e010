//! Rows of `users`, their changes, and leavers, as decisions see them.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    access::{Access, AccessCause},
    bearers::CurrentBearer,
    last_profile::{self, LastProfile},
    newest_fact::NewestFact,
    profile::Profile,
    roles::Because,
};
use crate::{decide::fact, runtime::clock::Timestamp};

/// The part of a row that decisions need, before the change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserRow {
    /// The tenant.
    pub tenant_id: String,
    /// The broker's id.
    pub id: String,
    /// The person.
    pub person_id: String,
    /// The directory.
    pub directory_id: String,
    /// The texts with columns of their own.
    pub profile: Profile,
    /// Whether the user has access.
    pub active: bool,
    /// The access epoch.
    pub access_epoch: i64,
    /// The end of access, in the broker's time.
    pub deprovisioned_at: Option<Timestamp>,
    /// The slugs of the broker's role field.
    pub role_slugs: Vec<String>,
    /// A JSON object as text, as in the row.
    pub custom_attributes: String,
    /// The digest of the facts that the row was derived from.
    pub digest: i64,
    /// The roles in `user_roles`.
    pub held: BTreeSet<String>,
    /// The latest fact about a former bearer, as in [`UserAccess::former`].
    pub former: Option<(Timestamp, String)>,
}

/// The access part of a row. Nothing else changes if only the user's directory changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserAccess {
    /// The tenant.
    pub tenant_id: String,
    /// The broker's id.
    pub user_id: String,
    /// The person.
    pub person_id: String,
    /// The new access.
    pub access: Access,
    /// Roles that the row loses.
    pub lost: BTreeSet<String>,
    /// The new roles with their explanations; empty without access.
    pub held: BTreeMap<String, Because>,
    /// Roles of the row that no rule grants any more and that a hold leaves unchanged ([`super::context::HeldState`]).
    pub held_back: BTreeSet<String>,
    /// The latest fact about a former bearer: the time of its event and the event. Earlier memberships do not count.
    pub former: Option<(Timestamp, String)>,
    /// The row is about a former bearer of the id.
    pub succeeds: bool,
    /// Access shrank or changed, so `access_epoch` must grow.
    pub changed: bool,
}

/// The change of a row.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "nearly all are the largest")]
pub enum UserChange {
    /// Insert or overwrite the row.
    Put {
        /// The access part.
        user: UserAccess,
        /// The directory.
        directory_id: String,
        /// The digest of the facts.
        digest: i64,
        /// The new content.
        content: fact::User,
    },
    /// Write the access part only.
    Restate(UserAccess),
    /// Delete the row: the directory belongs to another tenant.
    Remove {
        /// The tenant.
        tenant_id: String,
        /// The broker's id.
        user_id: String,
        /// The roles of the row.
        roles: Vec<String>,
    },
}

/// A person whose row was active before the change and is not any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaver {
    /// The tenant.
    pub tenant_id: String,
    /// The broker's id.
    pub user_id: String,
    /// The person.
    pub person_id: String,
    /// The directory.
    pub directory_id: String,
    /// The display name.
    pub name: Option<String>,
    /// The address.
    pub email: Option<String>,
    /// The end of access, in the broker's time.
    pub since: Timestamp,
    /// Why access ended.
    pub cause: AccessCause,
    /// Another person bears the id now.
    pub succeeded: bool,
    /// The broker's state of the user: `inactive`, `suspended`, `deleted`; `None` if the content is not loaded.
    pub state: Option<String>,
    /// The delivery of the latest fact.
    pub inbox_id: i64,
    /// A comparison with the broker's lists found it: the event was missed.
    pub found: bool,
}

/// The result for one user id.
#[derive(Debug, Default, PartialEq)]
pub struct UserOutcome {
    /// The changes of rows.
    pub changes: Vec<UserChange>,
    /// The leavers in them.
    pub leavers: Vec<Leaver>,
}

impl UserAccess {
    /// The time of [`Self::former`] in microseconds since 1970.
    pub fn former_at(&self) -> Option<i64> {
        Some(self.former.as_ref()?.0.micros())
    }

    /// The tenant and the broker's id.
    pub fn key(&self) -> (&str, &str) {
        (&self.tenant_id, &self.user_id)
    }

    /// Whether an application sees another row than this one.
    pub fn differs(&self, row: &UserRow) -> bool {
        self.changed
            || (row.active, row.deprovisioned_at, row.person_id.as_str())
                != (self.access.is_active(), self.access.since(), self.person_id.as_str())
    }

    /// Whether memberships may appear or disappear with the change: access begins or ends, or other facts count.
    pub fn moves_memberships<'r>(&self, current: impl Fn(&str, &str) -> Option<&'r UserRow>) -> bool {
        current(&self.tenant_id, &self.user_id)
            .is_none_or(|row| row.active != self.access.is_active() || row.former != self.former)
    }

    /// The event of [`Self::former`].
    pub fn former_event(&self) -> Option<&str> {
        Some(self.former.as_ref()?.1.as_str())
    }
}

impl UserRow {
    /// Whether the row is about another person than the current bearer.
    pub fn is_former(&self, now: &CurrentBearer) -> bool {
        !now.is(self.profile.idp_id.as_deref(), self.profile.email.as_deref())
    }

    /// `profile` is the profile before a deletion ([`last_profile::last`]).
    pub(super) fn shows(&self, newest: &NewestFact<'_>, profile: Option<LastProfile>) -> bool {
        (self.tenant_id.as_str(), self.directory_id.as_str(), self.digest)
            == (newest.tenant_id(), newest.directory_id, last_profile::digest(newest.fact.digest, profile))
    }
}
