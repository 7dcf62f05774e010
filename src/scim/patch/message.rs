//! The message of a PATCH request.

use serde_json::Value;

use crate::scim::{ScimError, name::get};

/// The URN of the message.
const PATCH_OP: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

/// The change that an operation makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Adds a value to a list, or sets a single value.
    Add,
    /// Removes an attribute, or values of a list.
    Remove,
    /// Sets a value, or all values of a list.
    Replace,
}

/// One operation.
#[derive(Clone, Debug, PartialEq)]
pub struct Operation {
    /// The change.
    pub verb: Verb,
    /// The place; `None` for the whole resource.
    pub path: Option<String>,
    /// The value.
    pub value: Option<Value>,
}

/// Reads the message. A missing `schemas` is accepted; another message is not.
pub fn read_message(body: Value) -> Result<Vec<Operation>, ScimError> {
    let Value::Object(body) = body else {
        return Err(ScimError::syntax("the body is not a JSON object"));
    };
    let named = match get(&body, "schemas") {
        Some(Value::Array(urns)) => urns.iter().filter_map(Value::as_str).collect(),
        Some(Value::String(urn)) => vec![urn.as_str()],
        _ => Vec::new(),
    };
    if !named.is_empty() && !named.iter().any(|urn| urn.eq_ignore_ascii_case(PATCH_OP)) {
        return Err(ScimError::syntax(format!("the message is not {PATCH_OP}")));
    }
    let operations = match get(&body, "Operations") {
        Some(Value::Array(operations)) if !operations.is_empty() => operations,
        _ => return Err(ScimError::syntax("Operations is not a list with at least one operation")),
    };
    let number =
        |(index, operation)| read(operation).map_err(|error: ScimError| error.in_operation(index + 1));
    operations.iter().enumerate().map(number).collect()
}

fn read(operation: &Value) -> Result<Operation, ScimError> {
    let Value::Object(operation) = operation else {
        return Err(ScimError::syntax("it is not a JSON object"));
    };
    let verb = match get(operation, "op").and_then(Value::as_str).map(str::to_ascii_lowercase).as_deref() {
        Some("add") => Verb::Add,
        Some("remove") => Verb::Remove,
        Some("replace") => Verb::Replace,
        _ => return Err(ScimError::syntax("op is not add, remove or replace")),
    };
    let path = match get(operation, "path") {
        None | Some(Value::Null) => None,
        Some(Value::String(path)) if path.trim().is_empty() => None,
        Some(Value::String(path)) => Some(path.trim().to_owned()),
        Some(_) => return Err(ScimError::path("path is not a text")),
    };
    Ok(Operation { verb, path, value: get(operation, "value").cloned() })
}
