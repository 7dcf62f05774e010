//! `directory_user`: the snapshot in user and membership events (docs/broker-workos.md 1.3).

use serde_json::Value;

use super::{
    json::{Text, cleaned, without_nul},
    role_slugs,
    user_fields::{Identity, Whole},
};
use crate::{
    decide::{fact, json_number::canonicalize, profile::Profile},
    runtime::clock::Timestamp,
};

/// The longest address by RFC 5321: 64 bytes, an at sign, 255 bytes.
const LONGEST_EMAIL: usize = 320;

pub(super) fn content(
    profile: Whole<'_>,
    identity: &Identity<'_>,
    at: Timestamp,
    left_out: &mut Vec<String>,
) -> fact::User {
    let attributes = attributes(profile.custom_attributes, left_out);
    let custom_attributes = attributes.to_string();
    // WorkOS moved predefined attributes from the top level into custom_attributes (docs/broker-workos.md 1.3). Both
    // places are read.
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
        // A shortened address could be another person's.
        .filter(|email| email.len() <= LONGEST_EMAIL);

    let updated_at = identity.updated_at.time().unwrap_or(at);
    fact::User {
        profile: Profile {
            email,
            username: moved("username", &profile.username),
            job_title: moved("job_title", &profile.job_title),
            name: profile.name.get().or_else(full_name),
            idp_id: profile.idp_id.id("idp_id").ok(),
            first_name,
            last_name,
        },
        state: identity.state.get().unwrap_or_else(|| "unknown".to_owned()),
        roles: role_slugs::granting(profile.role, profile.roles, left_out),
        custom_attributes,
        erased: profile.erased_by_rosterd == Some(Value::Bool(true)),
        created_at: identity.created_at.time().unwrap_or(updated_at),
        updated_at,
    }
}

fn attributes(value: Option<Value>, left_out: &mut Vec<String>) -> Value {
    match value {
        Some(object @ Value::Object(_)) => {
            let mut leave_out =
                |key: &str| left_out.push(format!("custom_attributes.{key}: the number is too large"));
            let mut object = without_nul(object);
            canonicalize(&mut object, "", &mut leave_out);
            return object;
        }
        None | Some(Value::Null) => {}
        Some(_) => left_out.push("custom_attributes: it is not an object".to_owned()),
    }
    Value::Object(serde_json::Map::new())
}

fn primary_email(emails: &Value) -> Option<String> {
    let emails = emails.as_array()?;
    let value = |entry: &Value| entry.get("value").and_then(Value::as_str).and_then(text);
    // Some providers write `primary` as a text.
    let primary = |entry: &&Value| match entry.get("primary") {
        Some(Value::Bool(primary)) => *primary,
        Some(Value::String(primary)) => primary.eq_ignore_ascii_case("true"),
        _ => false,
    };
    emails.iter().find(primary).and_then(value).or_else(|| emails.iter().find_map(value))
}

fn text(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty()).then(|| cleaned(text))
}
