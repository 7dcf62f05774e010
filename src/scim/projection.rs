//! The attributes of an answer: `attributes` and `excludedAttributes` (RFC 7644 3.9).

use serde_json::Value;

use super::{
    ScimError,
    name::{Name, Named, get, is_urn, resolve},
    resource::Object,
    schema::{ResourceType, Returned},
};

/// The attributes that a client wants.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Projection {
    /// The usual ones.
    #[default]
    Default,
    /// Only these, and those that are always returned.
    Only(Vec<Wanted>),
    /// The usual ones without these.
    Without(Vec<Wanted>),
}

/// A name in a projection. Unknown names are ignored: they select nothing.
#[derive(Clone, Debug, PartialEq)]
pub enum Wanted {
    /// An attribute or a sub-attribute.
    Attribute(Name),
    /// An extension.
    Extension(String),
    /// A key that the schema does not have.
    Key(String),
}

impl Projection {
    /// From the two parameters, which exclude each other.
    pub fn of(of: &ResourceType, attributes: &[String], excluded: &[String]) -> Result<Self, ScimError> {
        let wanted = |names: &[String]| names.iter().map(|name| wanted(of, name)).collect();
        match (attributes.is_empty(), excluded.is_empty()) {
            (true, true) => Ok(Self::Default),
            (false, true) => Ok(Self::Only(wanted(attributes))),
            (true, false) => Ok(Self::Without(wanted(excluded))),
            (false, false) => {
                Err(ScimError::value("attributes and excludedAttributes exclude each other; use one of them"))
            }
        }
    }

    /// Whether an answer has any part of this core attribute, when the usual answers have it.
    pub fn includes(&self, attribute: &str) -> bool {
        let names = |wanted: &Wanted| matches!(wanted, Wanted::Attribute(name) if name.urn.is_none() && name.attribute == attribute);
        match self {
            Self::Default => true,
            Self::Only(wanted) => wanted.iter().any(names),
            Self::Without(wanted) => !wanted.iter().any(|wanted| {
                names(wanted) && matches!(wanted, Wanted::Attribute(name) if name.sub.is_none())
            }),
        }
    }

    /// Whether the client asks for this core attribute by name.
    pub fn asks_for(&self, attribute: &str) -> bool {
        matches!(self, Self::Only(_)) && self.includes(attribute)
    }

    /// The parts of a resource that an answer has.
    pub fn apply(&self, of: &ResourceType, mut resource: Object) -> Object {
        match self {
            Self::Default => {}
            Self::Without(wanted) => {
                for wanted in wanted {
                    remove(of, &mut resource, wanted);
                }
            }
            Self::Only(wanted) => {
                let mut kept = Object::new();
                for attribute in of.common.iter().filter(|a| a.returned == Returned::Always) {
                    if let Some(value) = resource.get(&attribute.name) {
                        kept.insert(attribute.name.clone(), value.clone());
                    }
                }
                for wanted in wanted {
                    keep(&resource, &mut kept, wanted);
                }
                return kept;
            }
        }
        resource
    }
}

fn wanted(of: &ResourceType, name: &str) -> Wanted {
    match resolve(of, name.trim()) {
        Some(Named::Attribute(name, ..) | Named::Undeclared(name)) => Wanted::Attribute(name),
        Some(Named::Extension(urn)) => Wanted::Extension(urn),
        None => Wanted::Key(name.trim().to_owned()),
    }
}

fn remove(of: &ResourceType, resource: &mut Object, wanted: &Wanted) {
    match wanted {
        Wanted::Extension(urn) => drop(resource.remove(urn)),
        Wanted::Key(key) => {
            let key = resource.keys().find(|known| known.eq_ignore_ascii_case(key)).cloned();
            drop(key.and_then(|key| resource.remove(&key)));
        }
        Wanted::Attribute(name) if is_extension(resource, name) => drop(resource.remove(&name.to_string())),
        Wanted::Attribute(name) => {
            let is_always = name.urn.is_none()
                && of.attribute(&name.attribute).is_some_and(|a| a.returned == Returned::Always);
            let object = match &name.urn {
                None => Some(resource),
                Some(urn) => resource.get_mut(urn).and_then(Value::as_object_mut),
            };
            let Some(object) = object.filter(|_| !is_always) else { return };
            match &name.sub {
                None => drop(object.remove(&name.attribute)),
                Some(sub) => {
                    let values = match object.get_mut(&name.attribute) {
                        Some(Value::Array(values)) => values.as_mut_slice(),
                        Some(value) => std::slice::from_mut(value),
                        None => &mut [],
                    };
                    for value in values.iter_mut().filter_map(Value::as_object_mut) {
                        value.remove(sub);
                    }
                }
            }
        }
    }
}

fn keep(resource: &Object, kept: &mut Object, wanted: &Wanted) {
    match wanted {
        Wanted::Extension(urn) => {
            if let Some(value) = resource.get(urn) {
                kept.insert(urn.clone(), value.clone());
            }
        }
        Wanted::Key(key) => {
            let found = resource.iter().find(|(known, _)| known.eq_ignore_ascii_case(key) && !is_urn(known));
            if let Some((key, value)) = found {
                kept.insert(key.clone(), value.clone());
            }
        }
        Wanted::Attribute(name) if is_extension(resource, name) => {
            keep(resource, kept, &Wanted::Extension(name.to_string()));
        }
        Wanted::Attribute(name) => {
            let Some(value) = name.value(resource) else { return };
            let object = super::resource::part(kept, name.urn.as_deref());
            let Some(sub) = &name.sub else {
                object.insert(name.attribute.clone(), value.clone());
                return;
            };
            join_sub(object.entry(name.attribute.clone()).or_insert(Value::Null), value, sub);
        }
    }
}

/// Whether the resource has an extension that is not declared under the whole text of the name.
fn is_extension(resource: &Object, name: &Name) -> bool {
    name.urn.is_some() && resource.get(&name.to_string()).is_some_and(Value::is_object)
}

/// Copies one sub-attribute, beside others that were copied before.
fn join_sub(kept: &mut Value, value: &Value, sub: &str) {
    match value {
        Value::Array(values) => {
            if !kept.is_array() {
                *kept = Value::Array(vec![Value::Object(Object::new()); values.len()]);
            }
            if let Value::Array(kept) = kept {
                for (kept, value) in kept.iter_mut().zip(values) {
                    join_sub(kept, value, sub);
                }
            }
        }
        Value::Object(object) => {
            if let Some(value) = get(object, sub) {
                super::resource::object_in(kept).insert(sub.to_owned(), value.clone());
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn shown(attributes: &[&str], excluded: &[&str]) -> Value {
        let of = ResourceType::user();
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let resource = json!({
            "id": "1", "schemas": [], "userName": "noor", "title": "Pilot", "name": {"familyName": "Vale", "givenName": "Noor"},
            "emails": [{"value": "a", "type": "work"}, {"value": "b"}], "urn:acme:User": {"badge": 7},
        });
        let Value::Object(resource) = resource else { panic!() };
        let projection = Projection::of(of, &names(attributes), &names(excluded)).unwrap();
        Value::Object(projection.apply(of, resource))
    }

    #[test]
    fn the_id_and_the_schemas_are_always_there() {
        assert_eq!(
            shown(&["USERNAME", "unknown"], &[]),
            json!({"id": "1", "schemas": [], "userName": "noor"})
        );
        assert_eq!(
            shown(&["name.givenName", "emails.value", "emails.type", "urn:acme:User:badge"], &[]),
            json!({
                "id": "1", "schemas": [], "name": {"givenName": "Noor"},
                "emails": [{"value": "a", "type": "work"}, {"value": "b"}], "urn:acme:User": {"badge": 7},
            })
        );
        assert_eq!(
            shown(&[], &["id", "schemas", "title", "emails", "name.familyName", "urn:acme:User"]),
            json!({"id": "1", "schemas": [], "userName": "noor", "name": {"givenName": "Noor"}})
        );
    }

    #[test]
    fn the_two_parameters_exclude_each_other() {
        assert!(Projection::of(ResourceType::user(), &["id".into()], &["title".into()]).is_err());
    }
}
