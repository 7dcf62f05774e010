//! Removes personal data of one person from a body. The result is still readable as its type: ids, times, state and
//! role slugs remain.
//!
//! Only known fields remain, because others may name the person too: `context` has the actor and earlier values, and
//! `previous_attributes` has earlier values.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::lenient_json::mended;

const KEPT: [&str; 9] =
    ["object", "id", "directory_id", "organization_id", "state", "role", "roles", "created_at", "updated_at"];

const ENVELOPE: [&str; 5] = ["object", "id", "event", "created_at", "data"];
/// The fields of a membership event's data.
const PAIR: [&str; 4] = ["directory_id", "organization_id", "user", "group"];

/// `None` if the body is not about this user.
pub(in crate::broker) fn redact(body: &[u8], user_id: &str, with_roles: bool) -> Option<Vec<u8>> {
    let mut event: Value = serde_json::from_slice(body).ok().or_else(|| Some(mended(body)?.value))?;
    let data = event.get_mut("data")?;
    let is_user = |value: &Value| value.get("id").and_then(Value::as_str) == Some(user_id);
    let user = match is_user(data) {
        true => data,
        false => {
            let pair = data.as_object_mut()?;
            if !pair.get("user").is_some_and(is_user) {
                return None;
            }
            pair.retain(|key, _| PAIR.contains(&key.as_str()));
            pair.get_mut("user")?
        }
    };
    let user = user.as_object_mut()?;
    user.retain(|key, _| {
        KEPT.contains(&key.as_str()) && (with_roles || !matches!(key.as_str(), "role" | "roles"))
    });
    user.insert("custom_attributes".to_owned(), json!({}));
    event.as_object_mut()?.retain(|key, _| ENVELOPE.contains(&key.as_str()));
    serde_json::to_vec(&event).ok()
}

/// The places where a body about another entity names a person.
#[derive(Debug, PartialEq, Eq)]
pub struct Mention {
    /// The body with its known envelope fields only, if another field names the person.
    pub body: Option<Vec<u8>>,
    /// The data names the person. The data is about another entity, so it remains.
    pub in_data: bool,
}

/// Finds the texts that are equal to one of the person's `names` (ids and addresses).
pub(in crate::broker) fn mention(body: &[u8], names: &BTreeSet<String>) -> Mention {
    let event: Option<Value> = serde_json::from_slice(body).ok().or_else(|| Some(mended(body)?.value));
    let Some(Value::Object(mut event)) = event else { return Mention { body: None, in_data: false } };
    let in_data = event.get("data").is_some_and(|data| is_named(data, names));
    let context =
        event.iter().any(|(key, value)| !ENVELOPE.contains(&key.as_str()) && is_named(value, names));
    event.retain(|key, _| ENVELOPE.contains(&key.as_str()));
    Mention { body: context.then(|| serde_json::to_vec(&event).ok()).flatten(), in_data }
}

/// The case of ASCII letters does not matter, because it varies in addresses.
fn is_named(value: &Value, names: &BTreeSet<String>) -> bool {
    match value {
        Value::String(text) => names.iter().any(|name| name.eq_ignore_ascii_case(text)),
        Value::Array(values) => values.iter().any(|value| is_named(value, names)),
        Value::Object(fields) => fields.values().any(|value| is_named(value, names)),
        _ => false,
    }
}
