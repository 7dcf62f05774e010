//! The broker's side: signatures and events.

use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

/// Signs like WorkOS (docs/broker-workos.md 2). Implemented here again, so that the code under test does not test
/// itself.
pub fn signature(secret: &str, millis: i64, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(format!("{millis}.").as_bytes());
    mac.update(body);
    format!("t={millis}, v1={}", hex::encode(mac.finalize().into_bytes()))
}

/// `2026-01-01T00:00:00Z` plus this number of seconds.
pub fn at(seconds: i64) -> String {
    rosterd::runtime::clock::Timestamp::from_millis(1_767_225_600_000 + seconds * 1_000).to_string()
}

/// An event of `kind` about `data`, sent at `seconds`.
pub fn event(id: &str, kind: &str, seconds: i64, data: Value) -> Value {
    json!({ "id": id, "event": kind, "data": data, "created_at": at(seconds), "context": {} })
}

/// A directory user in `dir_1` of `org_1`, updated at `seconds`.
pub fn user(id: &str, state: &str, seconds: i64) -> Value {
    json!({
        "object": "directory_user", "id": id, "directory_id": "dir_1", "organization_id": "org_1",
        "idp_id": format!("idp_{id}"), "email": format!("{id}@acme.example"), "first_name": "Given", "last_name": id,
        "state": state, "custom_attributes": {}, "role": {"slug": "member"}, "roles": [{"slug": "member"}],
        "created_at": at(0), "updated_at": at(seconds),
    })
}

pub fn group(id: &str, seconds: i64) -> Value {
    json!({
        "object": "directory_group", "id": id, "directory_id": "dir_1", "organization_id": "org_1",
        "idp_id": id, "name": format!("Group {id}"), "created_at": at(0), "updated_at": at(seconds),
    })
}

pub fn directory(id: &str, organization: &str, seconds: i64) -> Value {
    json!({
        "object": "directory", "id": id, "organization_id": organization, "type": "okta scim v2.0",
        "state": "active", "name": format!("Directory {id}"), "created_at": at(0), "updated_at": at(seconds),
    })
}

pub fn organization(id: &str, seconds: i64) -> Value {
    json!({ "object": "organization", "id": id, "name": format!("Org {id}"), "domains": [],
        "created_at": at(0), "updated_at": at(seconds) })
}

pub fn membership(user: Value, group: Value) -> Value {
    json!({ "directory_id": user["directory_id"].clone(), "user": user, "group": group })
}

/// The same object with some fields replaced.
pub fn with(mut value: Value, fields: Value) -> Value {
    for (key, field) in fields.as_object().unwrap() {
        value[key] = field.clone();
    }
    value
}
