//! Removes personal data of one person from a body. The result is still readable as its type: ids, times, state and
//! role slugs remain.
//!
//! Only known fields remain, because others may name the person too: `context` has the actor and earlier values, and
//! `previous_attributes` has earlier values. The mark says that the rest was erased: a body may also arrive without a
//! profile.

use serde_json::{Value, json};

use super::lenient_json::mended;

const REMAINING: [&str; 9] =
    ["object", "id", "directory_id", "organization_id", "state", "role", "roles", "created_at", "updated_at"];

/// The mark of a user whose profile was erased.
pub(super) const ERASED: &str = "erased_by_rosterd";

pub(super) const ENVELOPE: [&str; 5] = ["object", "id", "event", "created_at", "data"];
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
        REMAINING.contains(&key.as_str()) && (with_roles || !matches!(key.as_str(), "role" | "roles"))
    });
    user.insert("custom_attributes".to_owned(), json!({}));
    user.insert(ERASED.to_owned(), json!(true));
    event.as_object_mut()?.retain(|key, _| ENVELOPE.contains(&key.as_str()));
    serde_json::to_vec(&event).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redacted(event: &Value, with_roles: bool) -> Option<Value> {
        let body = redact(event.to_string().as_bytes(), "u1", with_roles)?;
        serde_json::from_slice(&body).ok()
    }

    #[test]
    fn ids_times_state_and_role_slugs_stay_and_the_rest_goes() {
        let slugs = json!([{"slug": "admin"}]);
        let person = json!({
            "object": "directory_user", "id": "u1", "directory_id": "d", "state": "active", "updated_at": "t",
            "role": {"slug": "admin"}, "roles": slugs, "email": "ada@acme.example", "custom_attributes": {"a": 1},
            "previous_attributes": {"first_name": "Ada"},
        });
        let erased_user = |with_roles: bool| {
            let mut erased_user = json!({
                "object": "directory_user", "id": "u1", "directory_id": "d", "state": "active", "updated_at": "t",
                "custom_attributes": {}, "erased_by_rosterd": true,
            });
            if with_roles {
                erased_user["role"] = json!({"slug": "admin"});
                erased_user["roles"] = slugs.clone();
            }
            erased_user
        };
        let event = |data: Value| json!({"id": "e", "event": "k", "created_at": "t", "data": data});
        let around = |mut event: Value| {
            event["context"] = json!({"actor": {"name": "Ada"}});
            event
        };
        for with_roles in [true, false] {
            let user = redacted(&around(event(person.clone())), with_roles);
            assert_eq!(user, Some(event(erased_user(with_roles))));
            let pair = json!({"directory_id": "d", "user": person, "group": {"id": "g"}, "by": "Ada"});
            let wanted = json!({"directory_id": "d", "user": erased_user(with_roles), "group": {"id": "g"}});
            assert_eq!(redacted(&around(event(pair)), with_roles), Some(event(wanted)));
        }
    }

    #[test]
    fn a_body_about_somebody_else_is_none() {
        assert_eq!(redacted(&json!({"id": "e", "data": {"id": "u2", "manager": "u1"}}), true), None);
        assert_eq!(redacted(&json!({"id": "e", "data": {"user": {"id": "u2"}}}), true), None);
        assert_eq!(redacted(&json!({"id": "e"}), true), None);
        assert_eq!(redact(b"no JSON", "u1", true), None);
    }
}
