//! `directory_user` as it is written: what decides over access, and the profile around it.

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

pub(super) struct Profile<'a> {
    pub(super) idp_id: Text<'a>,
    pub(super) email: Text<'a>,
    pub(super) first_name: Text<'a>,
    pub(super) last_name: Text<'a>,
    pub(super) name: Text<'a>,
    pub(super) username: Text<'a>,
    pub(super) job_title: Text<'a>,
    pub(super) emails: Option<Value>,
    pub(super) role: Option<Role>,
    pub(super) roles: Option<Vec<Role>>,
    pub(super) custom_attributes: Option<Value>,
}

/// Both, in one pass.
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
    idp_id: Text<'a>,
    #[serde(borrow, default)]
    email: Text<'a>,
    #[serde(borrow, default)]
    first_name: Text<'a>,
    #[serde(borrow, default)]
    last_name: Text<'a>,
    #[serde(borrow, default)]
    name: Text<'a>,
    #[serde(borrow, default)]
    username: Text<'a>,
    #[serde(borrow, default)]
    job_title: Text<'a>,
    emails: Option<Value>,
    role: Option<Role>,
    roles: Option<Vec<Role>>,
    custom_attributes: Option<Value>,
}

/// A snapshot of which the identity at least could be read.
pub(super) struct Snapshot<'a> {
    pub(super) identity: Identity<'a>,
    profile: Result<Profile<'a>, NotUnderstood>,
}

impl<'a> From<Whole<'a>> for Snapshot<'a> {
    fn from(whole: Whole<'a>) -> Self {
        let Whole { id, directory_id, organization_id, state, created_at, updated_at, .. } = whole;
        let Whole { idp_id, email, first_name, last_name, name, username, job_title, .. } = whole;
        let Whole { emails, role, roles, custom_attributes, .. } = whole;
        let identity = Identity { id, directory_id, organization_id, state, created_at, updated_at };
        let profile = Profile {
            idp_id,
            email,
            first_name,
            last_name,
            name,
            username,
            job_title,
            emails,
            role,
            roles,
            custom_attributes,
        };
        Self { identity, profile: Ok(profile) }
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
