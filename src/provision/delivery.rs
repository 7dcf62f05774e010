//! The body of a delivery: the state of the resource after a write, its changed members, and the request. `broker::scim`
//! reads it.

use serde_json::{Map, Value, json};

use super::Kind;
use crate::{broker::scim::kinds, scim::resource::Object, tables::scim_resources::ScimResource};

/// The parts of a body.
pub struct Body<'a> {
    /// The id of the delivery.
    pub id: &'a str,
    /// The client's token.
    pub token_id: &'a str,
    /// The resource after the write. Its last change is the time of the statement.
    pub resource: &'a ScimResource,
    /// The document, if it has changed; of a deleted resource the last one.
    pub document: Option<&'a Object>,
    /// Users who became members.
    pub added: &'a [String],
    /// Users who are no members any more.
    pub removed: &'a [String],
    /// The request without passwords.
    pub record: &'a Value,
}

/// The body as bytes.
pub fn body(of: &Body<'_>) -> Vec<u8> {
    let Body { id, token_id, resource, document, added, removed, record } = of;
    let event = match (Kind::of_code(resource.kind), resource.deleted) {
        (Kind::User, false) => kinds::USER,
        (Kind::User, true) => kinds::USER_DELETED,
        (Kind::Group, false) => kinds::GROUP,
        (Kind::Group, true) => kinds::GROUP_DELETED,
    };
    let mut stated = Map::new();
    stated.insert("id".to_owned(), resource.id.as_str().into());
    stated.insert("created_at".to_owned(), resource.created_at().to_string().into());
    if let Some(document) = document {
        stated.insert("document".to_owned(), Value::Object((*document).clone()));
    }
    let mut body = json!({
        "id": id,
        "event": event,
        "created_at": resource.modified_at().to_string(),
        "directory_id": resource.directory_id,
        "token_id": token_id,
        "resource": stated,
        "request": record,
    });
    if let (Some(body), false) = (body.as_object_mut(), added.is_empty() && removed.is_empty()) {
        body.insert("members".to_owned(), json!({"added": added, "removed": removed}));
    }
    body.to_string().into_bytes()
}
