//! Personal data in the body of a write: removal for an erasure, and the search for a person in data about others.

use serde_json::{Map, Value, json};

use crate::broker::{Mention, PersonNames};

/// The body without the profile of this user, and without the request. `None` if it is not about the user.
pub(in crate::broker) fn redact(body: &[u8], user_id: &str, with_roles: bool) -> Option<Vec<u8>> {
    let mut body: Map<String, Value> = serde_json::from_slice(body).ok()?;
    if !body.get("event")?.as_str()?.starts_with("scim.user.") {
        return None;
    }
    let resource = body.get_mut("resource")?.as_object_mut()?;
    if resource.get("id")?.as_str()? != user_id {
        return None;
    }
    let document = resource.get_mut("document")?.as_object_mut()?;
    document.retain(|key, _| key == "active" || (with_roles && key == "roles"));
    body.remove("request");
    body.insert("erased_by_rosterd".to_owned(), json!(true));
    serde_json::to_vec(&body).ok()
}

/// Finds a person in a body. The request may name the person beside the resource: it is removed.
pub(in crate::broker) fn mention(body: &[u8], names: &PersonNames) -> Mention {
    let Ok(mut parsed) = serde_json::from_slice::<Map<String, Value>>(body) else {
        return Mention::default();
    };
    let in_request = parsed.remove("request").is_some_and(|request| mentions(&request, names));
    // Ids of members are statements about the group, and remain.
    parsed.remove("members");
    let in_resource = parsed.get("resource").is_some_and(|resource| mentions(resource, names));
    if !in_request && !in_resource {
        return Mention::default();
    }
    let mut without: Map<String, Value> = serde_json::from_slice(body).unwrap_or_default();
    without.remove("request");
    Mention {
        body: in_request.then(|| serde_json::to_vec(&without).unwrap_or_default()),
        in_data: in_resource,
        unclear: false,
    }
}

fn mentions(value: &Value, names: &PersonNames) -> bool {
    match value {
        Value::String(text) => {
            let folded = text.to_ascii_lowercase();
            names.keys.iter().any(|key| folded == key.to_ascii_lowercase())
        }
        Value::Array(values) => values.iter().any(|value| mentions(value, names)),
        Value::Object(object) => object.values().any(|value| mentions(value, names)),
        _ => false,
    }
}
