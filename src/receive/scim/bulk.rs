//! Bulk requests (RFC 7644 3.7): several writes in one request, one after the other. A `bulkId:` in a path or body stands for
//! the id of a resource that another operation creates, before or after it.

use std::collections::HashMap;

use actix_web::web::Payload;
use serde_json::{Map, Value, json};

use super::{
    Visit,
    answer::Answer,
    body,
    route::{self, Page},
    write::Wished,
};
use crate::{
    provision::Kind,
    scim::{ScimError, etag, etag::Preconditions, name::get, projection::Projection},
};

/// The most operations in one request.
pub(super) const MOST_OPERATIONS: usize = 1_000;
const REQUEST: &str = "urn:ietf:params:scim:api:messages:2.0:BulkRequest";
const RESPONSE: &str = "urn:ietf:params:scim:api:messages:2.0:BulkResponse";
/// The begin of a reference to another operation.
const REFERENCE: &str = "bulkId:";

/// One operation.
struct Operation {
    method: &'static str,
    written_method: String,
    kind: Kind,
    id: Option<String>,
    bulk_id: Option<String>,
    version: Option<String>,
    data: Value,
}

impl Visit<'_> {
    pub(super) async fn bulk(&self, payload: Payload) -> Result<Answer, ScimError> {
        let (message, _room) = body::json(&self.scim.parts, self.request, payload).await?;
        let Value::Object(message) = message else {
            return Err(ScimError::syntax("the body is not a JSON object"));
        };
        if !get(&message, "schemas").is_some_and(|urns| urns.to_string().contains(REQUEST)) {
            return Err(ScimError::syntax(format!("the message is not {REQUEST}")));
        }
        let Some(Value::Array(operations)) = get(&message, "Operations") else {
            return Err(ScimError::syntax("Operations is not a list"));
        };
        if operations.len() > MOST_OPERATIONS {
            return Err(ScimError::of(
                413,
                format!("the request has more than {MOST_OPERATIONS} operations"),
            ));
        }
        let most_errors = get(&message, "failOnErrors").and_then(Value::as_u64).filter(|most| *most > 0);
        let mut results: Vec<Option<Value>> = vec![None; operations.len()];
        let mut errors = 0;
        let mut waiting: Vec<(usize, Result<Operation, ScimError>)> =
            operations.iter().enumerate().map(|(index, operation)| (index, self.read(operation))).collect();
        let mut ids: HashMap<String, String> = HashMap::new();
        while !waiting.is_empty() && most_errors.is_none_or(|most| errors < most) {
            // The first operation without an open reference; in a circle, the first one fails.
            let is_open = |of: &Result<Operation, ScimError>| {
                of.as_ref().is_ok_and(|operation| has_open_reference(operation, &ids))
            };
            let next = waiting.iter().position(|(_, operation)| !is_open(operation));
            let is_circle = next.is_none();
            let (index, operation) = waiting.remove(next.unwrap_or(0));
            let result = match operation {
                Ok(operation) if is_circle => failed(
                    &operation.written_method,
                    operation.bulk_id.as_deref(),
                    &ScimError::of(409, "the operation refers to a bulkId that no operation has created"),
                ),
                Ok(operation) => self.carry_out(operation, &mut ids).await,
                Err(error) => failed("", None, &error),
            };
            errors += u64::from(result.get("response").is_some());
            if let Some(slot) = results.get_mut(index) {
                *slot = Some(result);
            }
        }
        let results: Vec<Value> = results.into_iter().flatten().collect();
        Ok(Answer::ok(json!({"schemas": [RESPONSE], "Operations": results})))
    }

    fn read(&self, operation: &Value) -> Result<Operation, ScimError> {
        let Value::Object(operation) = operation else {
            return Err(ScimError::syntax("an operation is not a JSON object"));
        };
        let text = |key| get(operation, key).and_then(Value::as_str).map(str::to_owned);
        let written_method = text("method").unwrap_or_default().to_ascii_uppercase();
        let method = ["POST", "PUT", "PATCH", "DELETE"].into_iter().find(|known| *known == written_method);
        let method = method.ok_or_else(|| ScimError::syntax("method is not POST, PUT, PATCH or DELETE"))?;
        let path = text("path").unwrap_or_default();
        let page =
            route::read(&format!("/scim/v2/d/{}", path.trim_start_matches('/'))).and_then(|(_, page)| page);
        let (kind, id) = match (page, method) {
            (Some(Page::Resources(kind)), "POST") => (kind, None),
            (Some(Page::Resource(kind, id)), "PUT" | "PATCH" | "DELETE") => (kind, Some(id)),
            _ => return Err(ScimError::path(format!("{method} has no page at {path:?}"))),
        };
        let bulk_id = text("bulkId");
        if method == "POST" && bulk_id.is_none() {
            return Err(ScimError::syntax("POST needs a bulkId"));
        }
        let data = get(operation, "data").cloned().unwrap_or_default();
        Ok(Operation { method, written_method, kind, id, bulk_id, version: text("version"), data })
    }

    async fn carry_out(&self, operation: Operation, ids: &mut HashMap<String, String>) -> Value {
        let Operation { method, kind, id, bulk_id, version, data, .. } = operation;
        let body = resolved(data, ids);
        let id = id.map(|id| reference(&id).and_then(|id| ids.get(id)).cloned().unwrap_or(id));
        let location = id.as_ref().map(|id| format!("{}/{}/{id}", self.base, kind.resource_type().endpoint));
        let preconditions = Preconditions { if_match: version, if_none_match: None };
        let wished = Wished { kind, method, id, body, preconditions };
        match self.write(wished, &Projection::Without(Vec::new()), self.scim.parts.room.enter()).await {
            Ok(answer) => {
                let created = answer.body.as_ref().and_then(|body| body.get("id")).and_then(Value::as_str);
                if let (Some(bulk_id), Some(id)) = (&bulk_id, created) {
                    ids.insert(bulk_id.clone(), id.to_owned());
                }
                let mut result = Map::new();
                result.insert("method".to_owned(), method.into());
                result.extend(bulk_id.map(|id| ("bulkId".to_owned(), id.into())));
                result.extend(answer.location.or(location).map(|at| ("location".to_owned(), at.into())));
                result.extend(
                    answer.version.map(|number| ("version".to_owned(), etag::version(number).into())),
                );
                result.insert("status".to_owned(), answer.status.to_string().into());
                Value::Object(result)
            }
            Err(error) => {
                let mut result = failed(method, bulk_id.as_deref(), &error);
                if let (Some(location), Some(result)) = (location, result.as_object_mut()) {
                    result.insert("location".to_owned(), location.into());
                }
                result
            }
        }
    }
}

fn failed(method: &str, bulk_id: Option<&str>, error: &ScimError) -> Value {
    let mut result =
        json!({"method": method, "status": error.status.to_string(), "response": error.to_json()});
    if let (Some(bulk_id), Some(result)) = (bulk_id, result.as_object_mut()) {
        result.insert("bulkId".to_owned(), bulk_id.into());
    }
    result
}

fn reference(text: &str) -> Option<&str> {
    text.get(..REFERENCE.len()).filter(|start| start.eq_ignore_ascii_case(REFERENCE))?;
    text.get(REFERENCE.len()..)
}

fn has_open_reference(operation: &Operation, ids: &HashMap<String, String>) -> bool {
    let is_open = |text: &str| reference(text).is_some_and(|id| !ids.contains_key(id));
    operation.id.as_deref().is_some_and(is_open) || any_text(&operation.data, &is_open)
}

fn any_text(value: &Value, test: &impl Fn(&str) -> bool) -> bool {
    match value {
        Value::String(text) => test(text),
        Value::Array(values) => values.iter().any(|value| any_text(value, test)),
        Value::Object(object) => object.values().any(|value| any_text(value, test)),
        _ => false,
    }
}

fn resolved(value: Value, ids: &HashMap<String, String>) -> Value {
    match value {
        Value::String(text) => {
            let id = reference(&text).and_then(|id| ids.get(id)).cloned();
            Value::String(id.unwrap_or(text))
        }
        Value::Array(values) => values.into_iter().map(|value| resolved(value, ids)).collect(),
        Value::Object(object) => {
            Value::Object(object.into_iter().map(|(key, value)| (key, resolved(value, ids))).collect())
        }
        other => other,
    }
}
