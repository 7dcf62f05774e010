//! Changes of a group's members. They are separate from the group, so that a change of one member of a very large group
//! needs that member only.

use serde_json::Value;

use super::{message::Verb, path::Place};
use crate::scim::{
    ScimError,
    filter::{Filter, Literal, Operator},
    name::get,
};

/// A member that a client names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MemberRef {
    /// The id of the user or group.
    pub value: String,
}

/// One change, in the order of the operations.
#[derive(Clone, Debug, PartialEq)]
pub enum MemberChange {
    /// They are members.
    Add(Vec<MemberRef>),
    /// They are no members.
    Remove(Vec<MemberRef>),
    /// Nobody is a member.
    RemoveAll,
    /// Nobody is a member who satisfies this condition on `value` and `type`.
    RemoveMatching(Filter),
    /// They are the only members.
    Replace(Vec<MemberRef>),
}

/// The members that a value names: a list, an object, or an id.
pub fn member_refs(value: &Value) -> Result<Vec<MemberRef>, ScimError> {
    let values = match value {
        Value::Null => &[],
        Value::Array(values) => values.as_slice(),
        value => std::slice::from_ref(value),
    };
    let mut refs = Vec::with_capacity(values.len());
    for value in values {
        refs.push(MemberRef { value: id(value)? });
    }
    Ok(refs)
}

fn id(value: &Value) -> Result<String, ScimError> {
    let text = match value {
        Value::String(id) => Some(id.as_str()),
        Value::Object(member) => get(member, "value")
            .and_then(Value::as_str)
            .or_else(|| get(member, "$ref")?.as_str()?.rsplit('/').next()),
        _ => None,
    };
    match text.map(str::trim) {
        Some(id) if !id.is_empty() => Ok(id.to_owned()),
        _ => Err(ScimError::value("a member has no id in `value`")),
    }
}

pub(super) fn change(
    verb: Verb,
    place: &Place<'_>,
    value: Option<&Value>,
) -> Result<Option<MemberChange>, ScimError> {
    let refs = |value: Option<&Value>| value.map(member_refs).transpose().map(Option::unwrap_or_default);
    Ok(Some(match (&place.filter, place.sub, verb) {
        (None, None, Verb::Add) => MemberChange::Add(refs(value)?),
        (None, None, Verb::Replace) => MemberChange::Replace(refs(value)?),
        (None, None, Verb::Remove) => match value {
            None | Some(Value::Null) => MemberChange::RemoveAll,
            Some(value) => MemberChange::Remove(member_refs(value)?),
        },
        (Some(filter), None, Verb::Remove) => match ids(filter) {
            Some(members) => MemberChange::Remove(members),
            None => MemberChange::RemoveMatching(filter.clone()),
        },
        _ => {
            return Err(ScimError::mutability("a member cannot be changed; remove it and add another one"));
        }
    }))
}

/// The ids that a condition names, if it names nothing else.
fn ids(filter: &Filter) -> Option<Vec<MemberRef>> {
    match filter {
        Filter::Compare(place, Operator::Eq, Literal::Text(id)) if place.name.attribute == "value" => {
            Some(vec![MemberRef { value: id.clone() }])
        }
        Filter::Or(parts) => {
            parts.iter().map(ids).collect::<Option<Vec<_>>>().map(|ids| ids.into_iter().flatten().collect())
        }
        _ => None,
    }
}
