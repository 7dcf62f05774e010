//! Paths of PATCH operations: `name.givenName`, `emails[type eq "work"].value`, `members`, the URN of an extension.

use crate::scim::{
    ScimError,
    filter::{Filter, parse_value_filter},
    name::{Name, Named, resolve},
    schema::{Attribute, Kind, ResourceType},
};

/// The place that an operation changes.
pub(super) enum Path<'a> {
    Attribute(Place<'a>),
    Extension(String),
    Undeclared(Name),
}

/// A declared attribute.
pub(super) struct Place<'a> {
    pub(super) name: Name,
    pub(super) attribute: &'a Attribute,
    pub(super) sub: Option<&'a Attribute>,
    /// The values of the list that are changed; `None`: all.
    pub(super) filter: Option<Filter>,
}

pub(super) fn read_path<'a>(of: &'a ResourceType, text: &str) -> Result<Path<'a>, ScimError> {
    let unknown = || ScimError::path(format!("{} has no attribute {text:?}", of.name));
    let Some((head, rest)) = text.split_once('[') else {
        return match resolve(of, text) {
            Some(Named::Attribute(name, attribute, sub)) => {
                Ok(Path::Attribute(Place { name, attribute, sub, filter: None }))
            }
            Some(Named::Extension(urn)) => Ok(Path::Extension(urn)),
            Some(Named::Undeclared(name)) => Ok(Path::Undeclared(name)),
            None => Err(unknown()),
        };
    };
    let Some((inner, tail)) = rest.rsplit_once(']') else {
        return Err(ScimError::path(format!("{text:?} has no closing bracket")));
    };
    let (name, attribute) = match resolve(of, head.trim_end()) {
        Some(Named::Attribute(name, attribute, None)) if attribute.kind == Kind::Complex => (name, attribute),
        _ => return Err(unknown()),
    };
    let filter = parse_value_filter(attribute, inner)
        .map_err(|error| ScimError { scim_type: Some("invalidPath"), ..error })?;
    let sub = match tail.trim() {
        "" => None,
        tail => Some(tail.strip_prefix('.').and_then(|sub| attribute.sub(sub)).ok_or_else(unknown)?),
    };
    let name = Name { sub: sub.map(|sub| sub.name.clone()), ..name };
    Ok(Path::Attribute(Place { name, attribute, sub, filter: Some(filter) }))
}
