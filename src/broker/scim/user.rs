//! The content of a user: texts with columns of their own, roles, and everything else as attributes in the form of SCIM.

use serde_json::{Map, Value};

use crate::{
    broker::LONGEST_ID,
    decide::{fact, json_number::canonicalize, profile::Profile},
    runtime::clock::Timestamp,
};

/// The longest stored text, in characters.
const LONGEST_TEXT: usize = 1_024;
/// The longest address by RFC 5321.
const LONGEST_EMAIL: usize = 320;
/// The most roles of one user.
const MOST_ROLES: usize = 1_000;

/// Attributes that are columns.
const COLUMNS: [&str; 7] = ["userName", "externalId", "active", "title", "name", "displayName", "roles"];

/// The content, and whether the user is active. A user without `active` is.
pub(super) fn content(
    mut document: Map<String, Value>,
    (created_at, updated_at): (Timestamp, Timestamp),
    left_out: &mut Vec<String>,
) -> (fact::User, bool) {
    let active = document.get("active") != Some(&Value::Bool(false));
    let text =
        |value: Option<&Value>| value.and_then(Value::as_str).filter(|t| !t.trim().is_empty()).map(cleaned);
    let part = |key: &str| text(document.get("name").and_then(|name| name.get(key)));
    let (first_name, last_name) = (part("givenName"), part("familyName"));
    let full = match (&first_name, &last_name) {
        (Some(first), Some(last)) => Some(format!("{first} {last}")),
        (first, last) => first.clone().or_else(|| last.clone()),
    };
    let profile = Profile {
        idp_id: text(document.get("externalId")).filter(|id| id.len() <= LONGEST_ID),
        email: email(&document),
        username: text(document.get("userName")),
        name: text(document.get("displayName")).or_else(|| part("formatted")).or(full),
        job_title: text(document.get("title")),
        first_name,
        last_name,
    };
    let roles = roles(document.get("roles"), left_out);
    document.retain(|key, _| !COLUMNS.contains(&key.as_str()));
    let mut leave_out = |key: &str| left_out.push(format!("{key}: the number is too large"));
    let mut attributes = Value::Object(document);
    canonicalize(&mut attributes, "", &mut leave_out);
    let user = fact::User {
        profile,
        state: if active { "active" } else { "inactive" }.to_owned(),
        custom_attributes: attributes.to_string(),
        roles,
        erased: false,
        created_at,
        updated_at,
    };
    (user, active)
}

/// The primary address, or that for work, or the first; without addresses, a login name that is one.
fn email(document: &Map<String, Value>) -> Option<String> {
    let emails = document.get("emails").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let is_primary = |email: &&Value| email.get("primary") == Some(&Value::Bool(true));
    let is_work = |email: &&Value| {
        email.get("type").and_then(Value::as_str).is_some_and(|kind| kind.eq_ignore_ascii_case("work"))
    };
    let chosen =
        emails.iter().find(is_primary).or_else(|| emails.iter().find(is_work)).or_else(|| emails.first());
    let address = chosen.and_then(|email| email.get("value")).and_then(Value::as_str);
    let login = document.get("userName").and_then(Value::as_str).filter(|name| name.contains('@'));
    let address = address.or(login)?.trim();
    // A shortened address could be another person's.
    (!address.is_empty() && address.len() <= LONGEST_EMAIL).then(|| address.to_owned())
}

/// The slugs of `roles`, sorted, each once. Entra may send an object as a text.
fn roles(value: Option<&Value>, left_out: &mut Vec<String>) -> Vec<String> {
    let values = value.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let slug = |role: &Value| -> Option<String> {
        let text = role.get("value").unwrap_or(role).as_str()?.trim();
        let inner = serde_json::from_str::<Map<String, Value>>(text).ok();
        let slug = match &inner {
            Some(object) => object.get("value")?.as_str()?.trim(),
            None => text,
        };
        (!slug.is_empty() && slug.len() <= LONGEST_ID && !slug.contains('\0')).then(|| slug.to_owned())
    };
    let mut slugs: Vec<String> = values.iter().filter_map(slug).collect();
    if slugs.len() < values.len() {
        left_out.push(format!("roles: {} cannot be read and grant nothing", values.len() - slugs.len()));
    }
    slugs.sort_unstable();
    slugs.dedup();
    if slugs.len() > MOST_ROLES {
        left_out
            .push(format!("roles: {} after the first {MOST_ROLES} grant nothing", slugs.len() - MOST_ROLES));
        slugs.truncate(MOST_ROLES);
    }
    slugs
}

/// A text that both databases can store.
pub(super) fn cleaned(text: &str) -> String {
    text.trim()
        .chars()
        .take(LONGEST_TEXT)
        .map(|c| if c == '\0' { char::REPLACEMENT_CHARACTER } else { c })
        .collect()
}
