//! The document of a resource after a write. The file is pure.

use serde_json::Value;

use super::Kind;
use crate::{
    broker::LONGEST_ID,
    scim::{
        ScimError,
        filter::fold,
        name::is_urn,
        patch::check_required,
        resource::{Object, text},
    },
};

/// The texts by which resources are found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keys {
    /// The login name of a user, folded.
    pub user_name: Option<String>,
    /// The id that the client uses.
    pub external_id: Option<String>,
    /// The display name of a group, folded.
    pub display: Option<String>,
}

/// Whether a user's document gives access. A user without `active` has access.
pub fn is_active(document: &Object) -> bool {
    document.get("active") != Some(&Value::Bool(false))
}

/// The keys of a document, after a check that it can be stored.
pub fn keys(kind: Kind, document: &Object) -> Result<Keys, ScimError> {
    check_required(kind.resource_type(), document)?;
    let key = |name: &str| match text(document, name) {
        Some(value) if value.len() > LONGEST_ID => {
            Err(ScimError::value(format!("{name} is longer than {LONGEST_ID} bytes")))
        }
        value => Ok(value.map(str::to_owned)),
    };
    let external_id = key("externalId")?;
    Ok(match kind {
        Kind::User => {
            Keys { user_name: key("userName")?.map(|name| fold(name.trim())), external_id, display: None }
        }
        Kind::Group => {
            Keys { user_name: None, external_id, display: key("displayName")?.map(|name| fold(name.trim())) }
        }
    })
}

/// The document of a new user, or of one who returns.
pub fn created(kind: Kind, mut body: Object) -> Object {
    if kind == Kind::User {
        body.entry("active").or_insert(Value::Bool(true));
    }
    body
}

/// The document after a PUT. Attributes that the body leaves out are unassigned, but access and the attributes of
/// extensions that are not declared remain: some clients send only what they know.
pub fn replaced(kind: Kind, before: &Object, mut body: Object) -> Object {
    let of = kind.resource_type();
    if kind == Kind::User && !body.contains_key("active") {
        body.insert("active".to_owned(), before.get("active").cloned().unwrap_or(Value::Bool(true)));
    }
    for (key, value) in before {
        let is_undeclared = is_urn(key) && of.extension(key).is_none();
        if is_undeclared && !body.contains_key(key) {
            body.insert(key.clone(), value.clone());
        }
    }
    body
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(value: Value) -> Object {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn a_put_unassigns_what_it_leaves_out_except_access_and_custom_data() {
        let before = object(json!({
            "userName": "noor", "title": "Pilot", "active": false, "urn:acme:User": {"badge": 7},
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"department": "Port"},
        }));
        let after = replaced(Kind::User, &before, object(json!({"userName": "noor2"})));
        assert_eq!(
            Value::Object(after),
            json!({"userName": "noor2", "active": false, "urn:acme:User": {"badge": 7}})
        );
    }

    #[test]
    fn keys_are_folded_and_bounded() {
        let found = keys(Kind::User, &object(json!({"userName": " Noor@X ", "externalId": "E"}))).unwrap();
        assert_eq!((found.user_name.as_deref(), found.external_id.as_deref()), (Some("noor@x"), Some("E")));
        assert!(keys(Kind::User, &object(json!({"userName": "x".repeat(300)}))).is_err());
        assert!(keys(Kind::User, &Object::new()).is_err());
        assert!(keys(Kind::Group, &Object::new()).is_err());
    }
}
