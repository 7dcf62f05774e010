//! `directory_user`: the snapshot that user and membership events carry (broker.md 1.3).

use serde_json::Value;

use super::{
    json::{Text, cleaned, id, without_nul},
    snapshot::{Identity, Role, Whole},
};
use crate::{broker::NotUnderstood, clock::Timestamp, fact};

/// RFC 5321: 64 bytes, an at sign, 255 bytes.
const LONGEST_EMAIL: usize = 320;

pub(super) fn content(
    profile: Whole<'_>,
    identity: &Identity<'_>,
    at: Timestamp,
) -> Result<fact::User, NotUnderstood> {
    let attributes = attributes(profile.custom_attributes)?;
    let custom_attributes =
        serde_json::to_string(&attributes).map_err(|error| NotUnderstood::Shape(error.to_string()))?;
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
        custom_attributes,
        ..empty(identity, at)
    })
}

pub(super) fn empty(identity: &Identity<'_>, at: Timestamp) -> fact::User {
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
