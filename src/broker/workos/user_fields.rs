//! `directory_user` as it is written: the identity, which decides access, and the profile.

use std::mem::take;

use serde::Deserialize;
use serde_json::Value;

use super::{json::Text, role_slugs::Slugs, user::content};
use crate::{decide::fact, runtime::clock::Timestamp};

/// The fields that decide access.
pub(super) struct Identity<'a> {
    pub(super) id: Text<'a>,
    pub(super) directory_id: Text<'a>,
    pub(super) organization_id: Text<'a>,
    pub(super) state: Text<'a>,
    pub(super) created_at: Text<'a>,
    pub(super) updated_at: Text<'a>,
}

impl Identity<'_> {
    /// Any state but `active` gives no access, also an unknown one (lesson 3).
    pub(super) fn active(&self) -> bool {
        self.state.raw() == Some("active")
    }
}

/// All fields, read in one pass.
#[derive(Deserialize)]
pub(super) struct Whole<'a> {
    #[serde(borrow, default)]
    id: Text<'a>,
    #[serde(borrow, default)]
    directory_id: Text<'a>,
    #[serde(borrow, default)]
    organization_id: Text<'a>,
    #[serde(borrow, default)]
    state: Text<'a>,
    #[serde(borrow, default)]
    created_at: Text<'a>,
    #[serde(borrow, default)]
    updated_at: Text<'a>,
    #[serde(borrow, default)]
    pub(super) idp_id: Text<'a>,
    #[serde(borrow, default)]
    pub(super) email: Text<'a>,
    #[serde(borrow, default)]
    pub(super) first_name: Text<'a>,
    #[serde(borrow, default)]
    pub(super) last_name: Text<'a>,
    #[serde(borrow, default)]
    pub(super) name: Text<'a>,
    #[serde(borrow, default)]
    pub(super) username: Text<'a>,
    #[serde(borrow, default)]
    pub(super) job_title: Text<'a>,
    pub(super) emails: Option<Value>,
    #[serde(borrow, default)]
    pub(super) role: Slugs<'a>,
    #[serde(borrow, default)]
    pub(super) roles: Slugs<'a>,
    pub(super) custom_attributes: Option<Value>,
    /// `super::redact::ERASED`
    pub(super) erased_by_rosterd: Option<Value>,
}

/// The identity and the profile, separated.
pub(super) struct Snapshot<'a> {
    pub(super) identity: Identity<'a>,
    /// The identity fields in it are empty.
    profile: Whole<'a>,
}

impl<'a> From<Whole<'a>> for Snapshot<'a> {
    fn from(mut whole: Whole<'a>) -> Self {
        let identity = Identity {
            id: take(&mut whole.id),
            directory_id: take(&mut whole.directory_id),
            organization_id: take(&mut whole.organization_id),
            state: take(&mut whole.state),
            created_at: take(&mut whole.created_at),
            updated_at: take(&mut whole.updated_at),
        };
        Self { identity, profile: whole }
    }
}

impl Snapshot<'_> {
    pub(super) fn content(self, at: Timestamp, left_out: &mut Vec<String>) -> fact::User {
        content(self.profile, &self.identity, at, left_out)
    }
}
