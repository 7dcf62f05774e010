//! Errors of the protocol: status, `scimType` and a text for people (RFC 7644 3.12).

use serde_json::{Value, json};

/// The URN of an error message.
pub const ERROR: &str = "urn:ietf:params:scim:api:messages:2.0:Error";

/// An answer that refuses a request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct ScimError {
    /// The HTTP status.
    pub status: u16,
    /// The keyword of RFC 7644 3.12 and RFC 9865; only with 400 and 409.
    pub scim_type: Option<&'static str>,
    /// The reason, and the remedy.
    pub detail: String,
}

impl ScimError {
    /// An error without keyword.
    pub fn of(status: u16, detail: impl Into<String>) -> Self {
        Self { status, scim_type: None, detail: detail.into() }
    }

    /// A request that is not well-formed.
    pub fn bad(scim_type: &'static str, detail: impl Into<String>) -> Self {
        Self { status: 400, scim_type: Some(scim_type), detail: detail.into() }
    }

    /// The filter cannot be read, or compares values that cannot be compared.
    pub fn filter(detail: impl Into<String>) -> Self {
        Self::bad("invalidFilter", detail)
    }

    /// The body is not the expected message.
    pub fn syntax(detail: impl Into<String>) -> Self {
        Self::bad("invalidSyntax", detail)
    }

    /// A value has the wrong type, or a required value is absent.
    pub fn value(detail: impl Into<String>) -> Self {
        Self::bad("invalidValue", detail)
    }

    /// The path of a PATCH operation names nothing in the schema.
    pub fn path(detail: impl Into<String>) -> Self {
        Self::bad("invalidPath", detail)
    }

    /// The attribute cannot be changed.
    pub fn mutability(detail: impl Into<String>) -> Self {
        Self::bad("mutability", detail)
    }

    /// The path of a PATCH operation matches no value.
    pub fn no_target(detail: impl Into<String>) -> Self {
        Self::bad("noTarget", detail)
    }

    /// Another resource has the value.
    pub fn uniqueness(detail: impl Into<String>) -> Self {
        Self { status: 409, scim_type: Some("uniqueness"), detail: detail.into() }
    }

    /// The resource does not exist, or was deleted.
    pub fn not_found(id: &str) -> Self {
        Self::of(404, format!("no resource has the id {id:?} here"))
    }

    /// The same error about the `number`th operation of a PATCH, from 1.
    pub fn in_operation(mut self, number: usize) -> Self {
        self.detail = format!("operation {number}: {}", self.detail);
        self
    }

    /// The message.
    pub fn to_json(&self) -> Value {
        let mut error = json!({
            "schemas": [ERROR],
            "status": self.status.to_string(),
            "detail": self.detail,
        });
        if let (Some(scim_type), Some(error)) = (self.scim_type, error.as_object_mut()) {
            error.insert("scimType".to_owned(), scim_type.into());
        }
        error
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_is_a_text_and_the_keyword_is_absent_without_need() {
        let gone = ScimError::not_found("7").to_json();
        assert_eq!(gone["status"], "404");
        assert!(gone.get("scimType").is_none());
        assert_eq!(ScimError::filter("x").to_json()["scimType"], "invalidFilter");
    }
}
