//! `directory_user` as it is written: what decides over access, and the profile around it.

use std::mem::take;

use serde::Deserialize;
use serde_json::Value;

use super::{
    json::{Text, parsed},
    user::{content, empty},
};
use crate::{broker::NotUnderstood, clock::Timestamp, fact};

/// What decides over access. Read on its own where the rest of a snapshot cannot be read.
#[derive(Deserialize)]
pub(super) struct Identity<'a> {
    #[serde(borrow, default)]
    pub(super) id: Text<'a>,
    #[serde(borrow, default)]
    pub(super) directory_id: Text<'a>,
    #[serde(borrow, default)]
    pub(super) organization_id: Text<'a>,
    #[serde(borrow, default)]
    pub(super) state: Text<'a>,
    #[serde(borrow, default)]
    pub(super) created_at: Text<'a>,
    #[serde(borrow, default)]
    pub(super) updated_at: Text<'a>,
}

impl Identity<'_> {
    /// Any state but `active` is no access, unknown ones too (lesson 3).
    pub(super) fn active(&self) -> bool {
        self.state.raw() == Some("active")
    }
}

/// All of it, in one pass.
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
    pub(super) role: Option<Role>,
    pub(super) roles: Option<Vec<Role>>,
    pub(super) custom_attributes: Option<Value>,
}

/// A snapshot of which the identity at least could be read.
pub(super) struct Snapshot<'a> {
    pub(super) identity: Identity<'a>,
    /// Without the identity.
    profile: Result<Whole<'a>, NotUnderstood>,
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
        Self { identity, profile: Ok(whole) }
    }
}

impl<'a> Snapshot<'a> {
    pub(super) fn read(json: &'a str) -> Result<Self, NotUnderstood> {
        parsed::<Whole<'_>>(json)
            .map(Self::from)
            .or_else(|error| Ok(Self { identity: parsed(json)?, profile: Err(error) }))
    }

    /// The profile, or an empty one for somebody without access: what cannot be read must not keep a leaver in.
    pub(super) fn content(self, leaver: bool, at: Timestamp) -> Result<fact::User, NotUnderstood> {
        let Self { identity, profile } = self;
        let content = profile.and_then(|profile| content(profile, &identity, at));
        content.or_else(|error| if leaver { Ok(empty(&identity, at)) } else { Err(error) })
    }
}

#[derive(Deserialize)]
pub(super) struct Role {
    pub(super) slug: String,
}
