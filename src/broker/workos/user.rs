//! `directory_user`: the snapshot that user and membership events carry (broker.md 1.3).

use serde::Deserialize;
use serde_json::Value;

use super::json::{Text, cleaned, id, parsed, without_nul};
use crate::{broker::NotUnderstood, clock::Timestamp, fact};

/// RFC 5321: 64 bytes, an at sign, 255 bytes.
const LONGEST_EMAIL: usize = 320;

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
    idp_id: Text<'a>,
    email: Text<'a>,
    first_name: Text<'a>,
    last_name: Text<'a>,
    name: Text<'a>,
    username: Text<'a>,
    job_title: Text<'a>,
    emails: Option<Value>,
    role: Option<Role>,
    roles: Option<Vec<Role>>,
    custom_attributes: Option<Value>,
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
struct Role {
    slug: String,
}

fn content(
    profile: Profile<'_>,
    identity: &Identity<'_>,
    at: Timestamp,
) -> Result<fact::User, NotUnderstood> {
    let attributes = attributes(profile.custom_attributes)?;
    // Predefined attributes moved from the top level into custom_attributes (broker.md 1.3); both are read.
    let moved = |name: &str, top: &Text<'_>| {
        attributes.get(name).and_then(Value::as_str).and_then(text).or_else(|| top.get())
    };
    let (first_name, last_name) = (profile.first_name.get(), profile.last_name.get());
    let full_name = || match (&first_name, &last_name) {
        (Some(first), Some(last)) => Some(format!("{first} {last}")),
        (first, last) => first.clone().or_else(|| last.clone()),
    };
    let email = profile
        .email
        .get()
        .or_else(|| attributes.get("emails").and_then(primary_email))
        .or_else(|| profile.emails.as_ref().and_then(primary_email))
        // Part of an address would be somebody else's.
        .filter(|email| email.len() <= LONGEST_EMAIL);

    Ok(fact::User {
        email,
        username: moved("username", &profile.username),
        job_title: moved("job_title", &profile.job_title),
        name: profile.name.get().or_else(full_name),
        idp_id: profile.idp_id.id("idp_id").ok(),
        first_name,
        last_name,
        roles: slugs(profile.role, profile.roles)?,
        custom_attributes: attributes.to_string(),
        ..empty(identity, at)
    })
}

fn empty(identity: &Identity<'_>, at: Timestamp) -> fact::User {
    let updated_at = identity.updated_at.time().unwrap_or(at);
    fact::User {
        idp_id: None,
        email: None,
        username: None,
        first_name: None,
        last_name: None,
        name: None,
        job_title: None,
        state: identity.state.get().unwrap_or_else(|| "unknown".to_owned()),
        custom_attributes: "{}".to_owned(),
        roles: Vec::new(),
        created_at: identity.created_at.time().unwrap_or(updated_at),
        updated_at,
    }
}

/// `role` and `roles[]`, sorted, each once: some environments send one, some both (lesson 32).
fn slugs(role: Option<Role>, roles: Option<Vec<Role>>) -> Result<Vec<String>, NotUnderstood> {
    let mut slugs = role
        .into_iter()
        .chain(roles.into_iter().flatten())
        .map(|role| id(&role.slug, "role slug"))
        .collect::<Result<Vec<_>, _>>()?;
    slugs.sort_unstable();
    slugs.dedup();
    Ok(slugs)
}

fn attributes(value: Option<Value>) -> Result<Value, NotUnderstood> {
    match value {
        None | Some(Value::Null) => Ok(Value::Object(serde_json::Map::new())),
        Some(object @ Value::Object(_)) => Ok(without_nul(object)),
        Some(_) => Err(NotUnderstood::Shape("custom_attributes is not an object".to_owned())),
    }
}

fn primary_email(emails: &Value) -> Option<String> {
    let emails = emails.as_array()?;
    let value = |entry: &Value| entry.get("value").and_then(Value::as_str).and_then(text);
    let primary = |entry: &&Value| entry.get("primary").and_then(Value::as_bool) == Some(true);
    emails.iter().find(primary).and_then(value).or_else(|| emails.iter().find_map(value))
}

fn text(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty()).then(|| cleaned(text))
}
