//! PATCH (RFC 7644 3.5.2): a message with operations, applied to a copy of a resource. All operations succeed, or nothing
//! changes.
//!
//! Entra ID and Okta differ from the RFC and from each other: operations in capitals, texts for booleans, `remove` with a
//! list of values, dotted names and URNs as keys of a value without path. All of these are understood.

mod change;
mod members;
mod message;
mod path;
#[cfg(test)]
mod tests;

use serde_json::Value;

use super::{
    ScimError,
    name::{Named, resolve},
    resource::{Object, put},
    schema::{Mutability, ResourceType},
};

pub use members::{MemberChange, MemberRef, member_refs};
pub use message::{Operation, Verb, read_message};

use path::{Path, read_path};

/// The result of a PATCH.
#[derive(Clone, Debug, PartialEq)]
pub struct Patched {
    /// The resource afterwards.
    pub resource: Object,
    /// The changes of a group's members, in order. Members are no part of the resource here: a group may have very many.
    pub members: Vec<MemberChange>,
}

/// Applies the operations to a copy, in order. Each sees the result of the one before.
pub fn apply(of: &ResourceType, resource: &Object, operations: &[Operation]) -> Result<Patched, ScimError> {
    let mut patched = Patched { resource: resource.clone(), members: Vec::new() };
    for (index, operation) in operations.iter().enumerate() {
        apply_one(of, &mut patched, operation).map_err(|error| error.in_operation(index + 1))?;
    }
    check_required(of, &patched.resource)?;
    Ok(patched)
}

/// Checks that a resource has the attributes that it needs.
pub fn check_required(of: &ResourceType, resource: &Object) -> Result<(), ScimError> {
    match of
        .core
        .attributes
        .iter()
        .find(|attribute| attribute.required && !resource.contains_key(&attribute.name))
    {
        Some(missing) => Err(ScimError::value(format!("{} needs the attribute {}", of.name, missing.name))),
        None => Ok(()),
    }
}

fn apply_one(of: &ResourceType, patched: &mut Patched, operation: &Operation) -> Result<(), ScimError> {
    let Operation { verb, path, value } = operation;
    let Some(path) = path else {
        return match (verb, value) {
            (Verb::Remove, _) => Err(ScimError::no_target("remove needs a path")),
            (_, Some(Value::Object(attributes))) => {
                attributes.iter().try_for_each(|(key, value)| apply_key(of, patched, *verb, key, value))
            }
            _ => Err(ScimError::value("an operation without path needs an object as value")),
        };
    };
    if path.eq_ignore_ascii_case("password") {
        return Ok(());
    }
    match read_path(of, path)? {
        Path::Attribute(place) if place.is_read_only() => {
            Err(ScimError::mutability(format!("{path} can be changed by the service provider only")))
        }
        Path::Attribute(place) if place.is_members(of) => {
            patched.members.extend(members::change(*verb, &place, value.as_ref())?);
            Ok(())
        }
        Path::Attribute(place) => change::change(&mut patched.resource, *verb, &place, value.clone()),
        Path::Extension(urn) => match verb {
            Verb::Remove => {
                patched.resource.remove(&urn);
                Ok(())
            }
            Verb::Add | Verb::Replace => {
                put(of, &mut patched.resource, &urn, value.clone().unwrap_or_default())
            }
        },
        Path::Undeclared(_) if patched.resource.contains_key(path) => {
            match verb {
                Verb::Remove => drop(patched.resource.remove(path)),
                Verb::Add | Verb::Replace => {
                    put(of, &mut patched.resource, path, value.clone().unwrap_or_default())?;
                }
            }
            Ok(())
        }
        Path::Undeclared(name) => change::undeclared(&mut patched.resource, *verb, &name, value.clone()),
    }
}

/// One key of a value without path. Keys that a client cannot set are ignored: Okta sends the id with each new name.
fn apply_key(
    of: &ResourceType,
    patched: &mut Patched,
    verb: Verb,
    key: &str,
    value: &Value,
) -> Result<(), ScimError> {
    match resolve(of, key) {
        Some(Named::Attribute(name, attribute, sub)) => {
            let place = path::Place { name, attribute, sub, filter: None };
            if place.is_read_only() || key.eq_ignore_ascii_case("schemas") {
                return Ok(());
            }
            if place.is_members(of) {
                patched.members.extend(members::change(verb, &place, Some(value))?);
                return Ok(());
            }
            change::change(&mut patched.resource, verb, &place, Some(value.clone()))
        }
        Some(Named::Extension(urn)) => match value {
            Value::Object(attributes) => attributes
                .iter()
                .try_for_each(|(key, value)| apply_key(of, patched, verb, &format!("{urn}:{key}"), value)),
            value => put(of, &mut patched.resource, &urn, value.clone()),
        },
        Some(Named::Undeclared(_)) | None => put(of, &mut patched.resource, key, value.clone()),
    }
}

impl path::Place<'_> {
    fn is_read_only(&self) -> bool {
        self.attribute.mutability == Mutability::ReadOnly
            || self.sub.is_some_and(|sub| sub.mutability == Mutability::ReadOnly)
    }

    fn is_members(&self, of: &ResourceType) -> bool {
        of.name == "Group" && self.name.urn.is_none() && self.name.attribute == "members"
    }
}
