//! A body without what it says of a person, still readable as its type: ids, times, state and role slugs stay.

use serde_json::{Value, json};

use super::mended::mended;

const KEPT: [&str; 9] =
    ["object", "id", "directory_id", "organization_id", "state", "role", "roles", "created_at", "updated_at"];

/// `None` when the body does not tell of this user.
pub(in crate::broker) fn redact(body: &[u8], user_id: &str, with_roles: bool) -> Option<Vec<u8>> {
    let mut event: Value = serde_json::from_slice(body).ok().or_else(|| Some(mended(body)?.value))?;
    let data = event.get_mut("data")?;
    let is_user = |value: &Value| value.get("id").and_then(Value::as_str) == Some(user_id);
    let user = if is_user(data) { Some(data) } else { data.get_mut("user").filter(|user| is_user(user)) };
    let user = user?.as_object_mut()?;
    user.retain(|key, _| {
        KEPT.contains(&key.as_str()) && (with_roles || !matches!(key.as_str(), "role" | "roles"))
    });
    user.insert("custom_attributes".to_owned(), json!({}));
    serde_json::to_vec(&event).ok()
}
