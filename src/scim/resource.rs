//! Resources as JSON, in one normal form: names in the case of the schema, values with the types of the schema, no
//! unassigned attributes, and at most one primary value in a list (RFC 7643 2).
//!
//! Identity providers send texts for booleans, null or an empty text for "unassigned", lists with one element for single
//! values and single values for lists. All of these are accepted.

use serde_json::{Map, Value};

use super::{
    ScimError,
    name::{self, Named, is_core, is_urn, resolve},
    schema::{Attribute, Kind, Mutability, ResourceType},
};

/// A resource, or a part of one.
pub type Object = Map<String, Value>;

/// How deep objects and lists of extensions may be nested.
const DEEPEST: usize = 16;

/// Names that a client may send and that are never stored.
const NEVER_STORED: [&str; 5] = ["id", "meta", "schemas", "groups", "password"];

/// The normal form of a body that creates or replaces a resource. Read-only attributes are ignored.
pub fn normal(of: &ResourceType, body: Value) -> Result<Object, ScimError> {
    let Value::Object(body) = body else {
        return Err(ScimError::syntax("the body is not a JSON object"));
    };
    let mut resource = Object::new();
    for (key, value) in body {
        put(of, &mut resource, &key, value)?;
    }
    Ok(resource)
}

/// Sets the attribute with this key, as in a body or in a PATCH operation without path. A key may be a name, a dotted
/// name, the URN of an extension, or a name after a URN. Unknown names are stored unchanged.
pub fn put(of: &ResourceType, resource: &mut Object, key: &str, value: Value) -> Result<(), ScimError> {
    if NEVER_STORED.iter().any(|never| never.eq_ignore_ascii_case(key)) {
        return Ok(());
    }
    match resolve(of, key) {
        Some(Named::Attribute(_, attribute, sub)) if is_read_only(attribute, sub) => Ok(()),
        Some(Named::Attribute(name, attribute, None)) => {
            let value = typed(attribute, value)?;
            set(part(resource, name.urn.as_deref()), &name.attribute, value);
            tidy(resource, name.urn.as_deref());
            Ok(())
        }
        Some(Named::Attribute(name, attribute, Some(sub))) => {
            let value = typed(sub, value)?;
            set_sub(part(resource, name.urn.as_deref()), attribute, &sub.name, value);
            tidy(resource, name.urn.as_deref());
            Ok(())
        }
        Some(Named::Extension(urn)) => put_extension(of, resource, &urn, value),
        // The core schema's own URN as a key: its attributes are those of the resource.
        _ if is_urn(key) && is_core(of, key) => match value {
            Value::Object(attributes) => attributes
                .into_iter()
                .try_for_each(|(k, v)| if is_urn(&k) { Ok(()) } else { put(of, resource, &k, v) }),
            _ => Ok(()),
        },
        Some(Named::Undeclared(name)) if !value.is_object() => {
            set(part(resource, name.urn.as_deref()), &name.attribute, assigned(value, 0)?);
            tidy(resource, name.urn.as_deref());
            Ok(())
        }
        _ => {
            let known = resource.keys().find(|known| known.eq_ignore_ascii_case(key)).cloned();
            set(resource, known.as_deref().unwrap_or(key), assigned(value, 0)?);
            Ok(())
        }
    }
}

fn put_extension(of: &ResourceType, resource: &mut Object, urn: &str, value: Value) -> Result<(), ScimError> {
    match value {
        Value::Null => drop(resource.remove(urn)),
        Value::Object(attributes) => {
            for (key, value) in attributes {
                let known = of.extension(urn).and_then(|schema| schema.attribute(&key));
                let (key, value) = match known {
                    Some(attribute) => (attribute.name.clone(), typed(attribute, value)?),
                    None => (key, assigned(value, 0)?),
                };
                set(part(resource, Some(urn)), &key, value);
            }
            tidy(resource, Some(urn));
        }
        _ => return Err(ScimError::value(format!("{urn} is not an object"))),
    }
    Ok(())
}

fn is_read_only(attribute: &Attribute, sub: Option<&Attribute>) -> bool {
    let read_only = |of: &Attribute| of.mutability == Mutability::ReadOnly;
    read_only(attribute) || sub.is_some_and(read_only)
}

/// The object that contains the attributes of an extension, or the resource.
pub(super) fn part<'a>(resource: &'a mut Object, urn: Option<&str>) -> &'a mut Object {
    let Some(urn) = urn else { return resource };
    let known = resource.keys().find(|known| known.eq_ignore_ascii_case(urn)).cloned();
    let slot = resource.entry(known.unwrap_or_else(|| urn.to_owned())).or_insert(Value::Null);
    object_in(slot)
}

/// The object in a place; another value there is replaced.
pub(super) fn object_in(slot: &mut Value) -> &mut Object {
    if !slot.is_object() {
        *slot = Value::Object(Object::new());
    }
    match slot {
        Value::Object(object) => object,
        _ => unreachable!("the value was made an object"),
    }
}

/// Removes an extension without attributes.
pub(super) fn tidy(resource: &mut Object, urn: Option<&str>) {
    let Some(urn) = urn else { return };
    if resource.get(urn).and_then(Value::as_object).is_some_and(Object::is_empty) {
        resource.remove(urn);
    }
}

/// Sets a value. An unassigned one removes the attribute.
pub(super) fn set(object: &mut Object, key: &str, value: Option<Value>) {
    match value {
        Some(value) => drop(object.insert(key.to_owned(), value)),
        None => drop(object.remove(key)),
    }
}

/// Sets a sub-attribute. In a list it is set in each value, or in a new one.
pub(super) fn set_sub(object: &mut Object, of: &Attribute, sub: &str, value: Option<Value>) {
    let slot = object.entry(of.name.clone()).or_insert(Value::Null);
    if of.multi {
        if !matches!(slot, Value::Array(values) if !values.is_empty()) {
            *slot = Value::Array(vec![Value::Object(Object::new())]);
        }
        if let Value::Array(values) = slot {
            for entry in values.iter_mut() {
                set(object_in(entry), sub, value.clone());
            }
            values.retain(|entry| entry.as_object().is_none_or(|entry| !entry.is_empty()));
        }
    } else {
        set(object_in(slot), sub, value);
    }
    if is_unassigned(slot) {
        object.remove(&of.name);
    }
}

/// Whether a value means that the attribute is unassigned.
pub fn is_unassigned(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(values) => values.is_empty(),
        Value::Object(object) => object.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// A value without unassigned parts.
pub(super) fn assigned(value: Value, depth: usize) -> Result<Option<Value>, ScimError> {
    if depth > DEEPEST {
        return Err(ScimError::value(format!("a value is nested deeper than {DEEPEST} levels")));
    }
    let value = match value {
        Value::Object(object) => {
            let mut kept = Object::new();
            for (key, value) in object {
                if let Some(value) = assigned(value, depth + 1)? {
                    kept.insert(key, value);
                }
            }
            Value::Object(kept)
        }
        Value::Array(values) => {
            let mut kept = Vec::with_capacity(values.len());
            for value in values {
                kept.extend(assigned(value, depth + 1)?);
            }
            Value::Array(kept)
        }
        other => other,
    };
    Ok((!is_unassigned(&value)).then_some(value))
}

/// The value of an attribute with the type that the schema gives it; `None` if it is unassigned.
pub fn typed(of: &Attribute, value: Value) -> Result<Option<Value>, ScimError> {
    if is_unassigned(&value) {
        return Ok(None);
    }
    if !of.multi {
        let value = match value {
            Value::Array(mut values) if values.len() == 1 => values.pop().unwrap_or_default(),
            Value::Array(_) => {
                return Err(ScimError::value(format!("{} is a single value, not a list", of.name)));
            }
            other => other,
        };
        return single(of, value);
    }
    let values = match value {
        Value::Array(values) => values,
        other => vec![other],
    };
    let mut kept: Vec<Value> = Vec::with_capacity(values.len());
    for value in values {
        kept.extend(single(of, value)?);
    }
    one_primary(&mut kept);
    Ok((!kept.is_empty()).then_some(Value::Array(kept)))
}

/// One value of an attribute.
pub(super) fn single(of: &Attribute, value: Value) -> Result<Option<Value>, ScimError> {
    if is_unassigned(&value) {
        return Ok(None);
    }
    let wrong = |wanted: &str| Err(ScimError::value(format!("{} is not {wanted}", of.name)));
    let value = match (of.kind, value) {
        (Kind::Complex, Value::Object(object)) => {
            let mut kept = Object::new();
            for (key, value) in object {
                match of.sub(&key) {
                    Some(sub) if sub.mutability == Mutability::ReadOnly => {}
                    Some(sub) => set(&mut kept, &sub.name, typed(sub, value)?),
                    // Entra's tests send unknown sub-attributes.
                    None => set(&mut kept, &key, assigned(value, 1)?),
                }
            }
            return Ok((!kept.is_empty()).then_some(Value::Object(kept)));
        }
        // Entra sends the manager's id alone.
        (Kind::Complex, value @ (Value::String(_) | Value::Number(_))) => {
            let Some(sub) = of.sub("value") else { return wrong("an object") };
            let mut object = Object::new();
            set(&mut object, &sub.name, single(sub, value)?);
            return Ok((!object.is_empty()).then_some(Value::Object(object)));
        }
        (Kind::Complex, _) => return wrong("an object"),
        (Kind::Boolean, Value::String(text)) if text.eq_ignore_ascii_case("true") => Value::Bool(true),
        (Kind::Boolean, Value::String(text)) if text.eq_ignore_ascii_case("false") => Value::Bool(false),
        (Kind::Boolean, value @ Value::Bool(_)) => value,
        (Kind::Boolean, _) => return wrong("true or false"),
        (Kind::Integer, Value::Number(number)) if number.is_i64() || number.is_u64() => Value::Number(number),
        (Kind::Decimal, value @ Value::Number(_)) => value,
        (Kind::Integer | Kind::Decimal, Value::String(text)) => match text.trim().parse() {
            Ok(number) if of.kind == Kind::Decimal || !text.contains(['.', 'e', 'E']) => {
                Value::Number(number)
            }
            _ => return wrong("a number"),
        },
        (Kind::Integer, _) => return wrong("a whole number"),
        (Kind::Decimal, _) => return wrong("a number"),
        (_, Value::Number(number)) => Value::String(number.to_string()),
        (_, Value::Bool(value)) => Value::String(value.to_string()),
        (Kind::DateTime, Value::String(text)) => match super::filter::instant(&text) {
            Some(_) => Value::String(text),
            None => return wrong("an instant such as 2026-11-27T08:00:00Z"),
        },
        (_, Value::String(text)) if text.contains('\0') => return wrong("a text without NUL"),
        (_, value @ Value::String(_)) => value,
        (_, Value::Object(mut object)) => match object.remove("value") {
            Some(value @ Value::String(_)) => value,
            _ => return wrong("a text"),
        },
        (_, _) => return wrong("a text"),
    };
    Ok(Some(value))
}

/// Leaves the last primary value primary, and no other.
pub(super) fn one_primary(values: &mut [Value]) {
    let is_primary = |value: &Value| value.get("primary") == Some(&Value::Bool(true));
    let Some(last) = values.iter().rposition(is_primary) else { return };
    for value in values.iter_mut().take(last) {
        if is_primary(value) {
            object_in(value).insert("primary".to_owned(), Value::Bool(false));
        }
    }
}

/// The URNs of the schemas of a resource: the core schema, and each extension that has attributes.
pub fn schemas(of: &ResourceType, resource: &Object) -> Vec<String> {
    let extensions = resource.iter().filter(|(key, value)| is_urn(key) && value.is_object());
    std::iter::once(of.core.urn.clone()).chain(extensions.map(|(urn, _)| urn.clone())).collect()
}

/// The text of an attribute.
pub fn text<'a>(resource: &'a Object, key: &str) -> Option<&'a str> {
    name::get(resource, key)?.as_str()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::scim::schema::ENTERPRISE;

    fn user(body: Value) -> Value {
        Value::Object(normal(ResourceType::user(), body).unwrap())
    }

    #[test]
    fn names_and_types_follow_the_schema() {
        let body = json!({
            "SCHEMAS": ["urn:scim:schemas:core:2.0"], "id": null, "USERNAME": "noor", "Active": "False", "title": "", "password": "x",
            "nickName": ["Noo"], "emails": {"VALUE": "n@lumen.example", "Primary": "True"}, "badge": 7, "groups": [],
            "name.givenName": "Noor", "name": {"familyName": "Vale"},
            ENTERPRISE.to_uppercase(): {"Department": "Port", "manager": "9"},
        });
        assert_eq!(
            user(body),
            json!({
                "userName": "noor", "active": false, "nickName": "Noo", "badge": 7,
                "emails": [{"value": "n@lumen.example", "primary": true}],
                "name": {"givenName": "Noor", "familyName": "Vale"},
                ENTERPRISE: {"department": "Port", "manager": {"value": "9"}},
            })
        );
    }

    #[test]
    fn the_last_primary_value_is_the_primary_one() {
        let two = json!({"emails": [{"value": "a", "primary": true}, {"value": "b", "primary": "true"}]});
        assert_eq!(
            user(two)["emails"],
            json!([{"value": "a", "primary": false}, {"value": "b", "primary": true}])
        );
    }

    #[test]
    fn values_of_a_wrong_type_are_refused() {
        for wrong in [json!({"active": "maybe"}), json!({"name": 1.5, "userName": []}), json!([])] {
            assert!(normal(ResourceType::user(), wrong.clone()).is_err(), "{wrong}");
        }
    }
}
