//! One operation on an attribute of a resource.

use serde_json::Value;

use super::{message::Verb, path::Place};
use crate::scim::{
    ScimError,
    filter::{Filter, Literal, Operator, matches_value},
    name::Name,
    resource::{
        Object, assigned, is_unassigned, object_in, one_primary, part, set, set_sub, single, tidy, typed,
    },
    schema::{Attribute, Kind},
};

pub(super) fn change(
    resource: &mut Object,
    verb: Verb,
    place: &Place<'_>,
    value: Option<Value>,
) -> Result<(), ScimError> {
    let urn = place.name.urn.as_deref();
    let object = part(resource, urn);
    let outcome = match (&place.filter, place.sub) {
        (None, None) => whole(object, verb, place.attribute, value),
        (None, Some(sub)) => {
            let value = match verb {
                Verb::Remove => None,
                Verb::Add | Verb::Replace => typed(sub, value.unwrap_or_default())?,
            };
            let is_absent = !object.contains_key(&place.attribute.name);
            if !(is_absent && value.is_none()) {
                set_sub(object, place.attribute, &sub.name, value);
            }
            Ok(())
        }
        (Some(filter), sub) => some_values(object, verb, place.attribute, filter, sub, value),
    };
    tidy(resource, urn);
    outcome
}

/// An attribute of an extension that is not declared: its values are stored as they are sent.
pub(super) fn undeclared(
    resource: &mut Object,
    verb: Verb,
    name: &Name,
    value: Option<Value>,
) -> Result<(), ScimError> {
    let value = match verb {
        Verb::Remove => None,
        Verb::Add | Verb::Replace => assigned(value.unwrap_or_default(), 0)?,
    };
    let object = part(resource, name.urn.as_deref());
    match &name.sub {
        None => set(object, &name.attribute, value),
        Some(sub) => {
            let slot = object.entry(name.attribute.clone()).or_insert(Value::Null);
            set(object_in(slot), sub, value);
            if is_unassigned(slot) {
                object.remove(&name.attribute);
            }
        }
    }
    tidy(resource, name.urn.as_deref());
    Ok(())
}

fn whole(object: &mut Object, verb: Verb, of: &Attribute, value: Option<Value>) -> Result<(), ScimError> {
    let value = value.filter(|value| !value.is_null());
    match (verb, of.multi) {
        (Verb::Remove, _) if of.required => {
            Err(ScimError::mutability(format!("{} is required and cannot be removed", of.name)))
        }
        (Verb::Remove, true) if value.is_some() => {
            let removed = listed(value.unwrap_or_default());
            if let Some(Value::Array(values)) = object.get_mut(&of.name) {
                values.retain(|value| !removed.iter().any(|removed| is_named_by(value, removed)));
            }
            if object.get(&of.name).is_some_and(is_unassigned) {
                object.remove(&of.name);
            }
            Ok(())
        }
        (Verb::Remove, _) => {
            object.remove(&of.name);
            Ok(())
        }
        (Verb::Add, true) => {
            let mut added = Vec::new();
            for value in value.map(listed).unwrap_or_default() {
                added.extend(single(of, value)?);
            }
            one_primary(&mut added);
            append(object, of, added);
            Ok(())
        }
        (Verb::Add | Verb::Replace, false) if of.kind == Kind::Complex => {
            match typed(of, value.unwrap_or_default())? {
                Some(Value::Object(parts)) => {
                    let slot = object_in(object.entry(of.name.clone()).or_insert(Value::Null));
                    slot.extend(parts);
                }
                _ => drop(object.remove(&of.name)),
            }
            Ok(())
        }
        (Verb::Add | Verb::Replace, _) => {
            set(object, &of.name, typed(of, value.unwrap_or_default())?);
            Ok(())
        }
    }
}

fn listed(value: Value) -> Vec<Value> {
    match value {
        Value::Array(values) => values,
        value => vec![value],
    }
}

/// Whether a value of a `remove` means this value of the list: by `value`, or else by all parts that it names.
fn is_named_by(value: &Value, removed: &Value) -> bool {
    let folded = |value: &Value| value.as_str().map(str::to_lowercase);
    let same = |a: &Value, b: &Value| a == b || folded(a).is_some_and(|a| folded(b) == Some(a));
    match (value.get("value"), removed.get("value")) {
        (Some(value), Some(removed)) => same(value, removed),
        (value_of, _) if !removed.is_object() => same(value_of.unwrap_or(value), removed),
        _ => {
            let parts = removed.as_object().map(|parts| parts.iter().filter(|(_, part)| !part.is_null()));
            let mut parts = parts.into_iter().flatten().peekable();
            parts.peek().is_some()
                && parts.all(|(key, part)| value.get(key).is_some_and(|value| same(value, part)))
        }
    }
}

/// Adds values that are not in the list yet. A new primary value ends the primacy of the others.
fn append(object: &mut Object, of: &Attribute, added: Vec<Value>) {
    if added.is_empty() {
        return;
    }
    let slot = object.entry(of.name.clone()).or_insert_with(|| Value::Array(Vec::new()));
    if !slot.is_array() {
        *slot = Value::Array(Vec::new());
    }
    if let Value::Array(values) = slot {
        for value in added {
            if !values.contains(&value) {
                values.push(value);
            }
        }
        one_primary(values);
    }
}

fn some_values(
    object: &mut Object,
    verb: Verb,
    of: &Attribute,
    filter: &Filter,
    sub: Option<&Attribute>,
    value: Option<Value>,
) -> Result<(), ScimError> {
    let mut values = object.get(&of.name).cloned().map(listed).unwrap_or_default();
    let matching: Vec<usize> = (0..values.len())
        .filter(|index| values.get(*index).is_some_and(|value| matches_value(filter, value)))
        .collect();
    match (verb, sub) {
        (Verb::Remove, None) => {
            let mut index = 0;
            values.retain(|_| {
                index += 1;
                !matching.contains(&(index - 1))
            });
        }
        (Verb::Remove, Some(sub)) => {
            for index in matching {
                let Some(value) = values.get_mut(index) else { continue };
                object_in(value).remove(&sub.name);
            }
            values.retain(|value| !is_unassigned(value));
        }
        (Verb::Add | Verb::Replace, sub) => {
            let given = match sub {
                Some(sub) => typed(sub, value.unwrap_or_default())?,
                None => single(of, one_of(value.unwrap_or_default()))?,
            };
            if matching.is_empty() {
                if let Some(given) = given {
                    let mut built = built_from(filter).ok_or_else(|| {
                        ScimError::no_target(format!("no value of {} satisfies {filter}", of.name))
                    })?;
                    join(&mut built, sub, Some(given));
                    values.push(Value::Object(built));
                    one_primary(&mut values);
                }
            } else {
                for index in &matching {
                    let Some(value) = values.get_mut(*index).map(object_in) else { continue };
                    if verb == Verb::Replace && sub.is_none() {
                        *value = built_from(filter).unwrap_or_default();
                    }
                    join(value, sub, given.clone());
                }
                keep_primary(&mut values, &matching);
            }
            values.retain(|value| !is_unassigned(value));
        }
    }
    set(object, &of.name, (!values.is_empty()).then_some(Value::Array(values)));
    Ok(())
}

/// A value in a list of one means the value.
fn one_of(value: Value) -> Value {
    match value {
        Value::Array(mut values) if values.len() == 1 => values.pop().unwrap_or_default(),
        value => value,
    }
}

fn join(value: &mut Object, sub: Option<&Attribute>, given: Option<Value>) {
    match (sub, given) {
        (Some(sub), given) => set(value, &sub.name, given),
        (None, Some(Value::Object(parts))) => value.extend(parts),
        (None, _) => {}
    }
}

/// The value that an `eq` filter describes. Entra expects that an operation on a value that does not exist creates it.
fn built_from(filter: &Filter) -> Option<Object> {
    let mut built = Object::new();
    let parts = match filter {
        Filter::And(parts) => parts.as_slice(),
        filter => std::slice::from_ref(filter),
    };
    for part in parts {
        let Filter::Compare(place, Operator::Eq, literal) = part else { return None };
        let value = match literal {
            Literal::Text(text) => Value::String(text.clone()),
            Literal::Boolean(value) => Value::Bool(*value),
            Literal::Number(number) => Value::Number(number.clone()),
            Literal::Null => continue,
        };
        built.insert(place.name.attribute.clone(), value);
    }
    Some(built)
}

/// A changed value that is primary ends the primacy of the others.
fn keep_primary(values: &mut [Value], changed: &[usize]) {
    let is_primary = |value: &Value| value.get("primary") == Some(&Value::Bool(true));
    let winner = changed.iter().rev().find(|index| values.get(**index).is_some_and(is_primary)).copied();
    let Some(winner) = winner else { return };
    for (index, value) in values.iter_mut().enumerate() {
        if index != winner && is_primary(value) {
            object_in(value).insert("primary".to_owned(), Value::Bool(false));
        }
    }
}
