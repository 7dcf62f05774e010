//! A body without what it says of a person, still readable as its type: ids, times, state and role slugs stay.
//!
//! Only known fields stay, since others may name the person too: `context` carries who did it and the values of before, and
//! so does `previous_attributes`.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::lenient_json::mended;

const KEPT: [&str; 9] =
    ["object", "id", "directory_id", "organization_id", "state", "role", "roles", "created_at", "updated_at"];

const ENVELOPE: [&str; 5] = ["object", "id", "event", "created_at", "data"];
/// Around the user of a membership event.
const PAIR: [&str; 4] = ["directory_id", "organization_id", "user", "group"];

/// `None` when the body does not tell of this user.
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

/// Where a body that is about somebody else names a person.
#[derive(Debug, PartialEq, Eq)]
pub struct Mention {
    /// The body without what stands around its data, when the person is named there.
    pub body: Option<Vec<u8>>,
    /// The data names them: it is somebody else's, so it stays.
    pub in_data: bool,
}

/// The person is named where one of their `names` (ids and addresses) is a whole text.
pub(in crate::broker) fn mention(body: &[u8], names: &BTreeSet<String>) -> Mention {
    let event: Option<Value> = serde_json::from_slice(body).ok().or_else(|| Some(mended(body)?.value));
    let Some(Value::Object(mut event)) = event else { return Mention { body: None, in_data: false } };
    let in_data = event.get("data").is_some_and(|data| is_named(data, names));
    let context =
        event.iter().any(|(key, value)| !ENVELOPE.contains(&key.as_str()) && is_named(value, names));
    event.retain(|key, _| ENVELOPE.contains(&key.as_str()));
    Mention { body: context.then(|| serde_json::to_vec(&event).ok()).flatten(), in_data }
}

/// Addresses are written in small and capital letters.
fn is_named(value: &Value, names: &BTreeSet<String>) -> bool {
    match value {
        Value::String(text) => names.iter().any(|name| name.eq_ignore_ascii_case(text)),
        Value::Array(values) => values.iter().any(|value| is_named(value, names)),
        Value::Object(fields) => fields.values().any(|value| is_named(value, names)),
        _ => false,
    }
}
