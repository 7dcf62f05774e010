//! A write and its result.

use serde_json::Value;

use super::Kind;
use crate::{
    inbox::group_commit::NotStored,
    runtime::clock::Timestamp,
    scim::{
        ScimError,
        etag::Preconditions,
        patch::{MemberRef, Operation},
        resource::Object,
    },
    tables::scim_resources::ScimResource,
};

/// A write of a client that was let in.
#[derive(Clone, Debug)]
pub struct Write {
    /// The directory of the client's token.
    pub directory_id: String,
    /// The client's token.
    pub token_id: String,
    /// When it was received.
    pub at: Timestamp,
    /// The kind of the resource.
    pub kind: Kind,
    /// The change.
    pub change: Change,
    /// The preconditions.
    pub preconditions: Preconditions,
    /// The request for the record, without passwords.
    pub record: Value,
}

/// The change that a client wants.
#[derive(Clone, Debug)]
pub enum Change {
    /// A new resource in the normal form, and its members.
    Create(Object, Vec<MemberRef>),
    /// The resource with this id has these attributes now. Without members, a group keeps its members.
    Replace(String, Object, Option<Vec<MemberRef>>),
    /// Operations on the resource with this id.
    Patch(String, Vec<Operation>),
    /// The resource with this id is deleted.
    Delete(String),
}

impl Change {
    /// The id that the client names.
    pub fn id(&self) -> Option<&str> {
        match self {
            Self::Create(..) => None,
            Self::Replace(id, ..) | Self::Patch(id, _) | Self::Delete(id) => Some(id),
        }
    }
}

/// The result of a write.
#[derive(Clone, Debug)]
pub struct Written {
    /// The resource afterwards.
    pub resource: ScimResource,
    /// The id of the delivery; `None` if nothing has changed.
    pub event: Option<String>,
}

/// Why a write was not done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// The request is refused.
    #[error("{0}")]
    Refused(#[from] ScimError),
    /// The request may be repeated.
    #[error("{0}")]
    NotStored(#[from] NotStored),
}

/// Removes passwords from a request, wherever they are.
pub fn without_passwords(value: &mut Value) {
    match value {
        Value::Object(object) => {
            object.retain(|key, _| !is_password(key));
            if object.iter().any(|(key, value)| {
                key.eq_ignore_ascii_case("path") && value.as_str().is_some_and(is_password)
            }) {
                object.retain(|key, _| !key.eq_ignore_ascii_case("value"));
            }
            object.values_mut().for_each(without_passwords);
        }
        Value::Array(values) => values.iter_mut().for_each(without_passwords),
        _ => {}
    }
}

fn is_password(key: &str) -> bool {
    let name = key.rsplit(':').next().unwrap_or(key).trim();
    name.eq_ignore_ascii_case("password")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn no_record_of_a_request_has_a_password() {
        let mut request = json!({
            "userName": "n", "Password": "secret", "urn:x:User:password": "secret",
            "Operations": [{"op": "add", "path": "password", "value": "secret"}, {"value": {"password": "secret", "title": "x"}}],
        });
        without_passwords(&mut request);
        assert!(!request.to_string().contains("secret"), "{request}");
        assert_eq!(request["Operations"][1]["value"]["title"], "x");
    }
}
