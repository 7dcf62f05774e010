//! The order of a list (RFC 7644 3.4.2.3): unassigned values are last when ascending, first when descending. Of a list of
//! values the primary one counts, or the first.

use std::cmp::Ordering;

use serde_json::Value;

use super::{
    ScimError,
    filter::{self, Place},
    name::{Name, Named, resolve},
    resource::Object,
    schema::{Kind, ResourceType},
};

/// An attribute that orders a list.
#[derive(Clone, Debug)]
pub struct SortKey {
    place: Place,
    descending: bool,
}

impl SortKey {
    /// Reads `sortBy`.
    pub fn of(of: &ResourceType, name: &str, descending: bool) -> Result<Self, ScimError> {
        let unknown = || ScimError::value(format!("{} has no attribute {name:?} to sort by", of.name));
        let Some(Named::Attribute(name, attribute, sub)) = resolve(of, name.trim()) else {
            return Err(unknown());
        };
        let value =
            if sub.is_none() && attribute.kind == Kind::Complex { attribute.sub("value") } else { None };
        let of = value.or(sub).unwrap_or(attribute);
        if of.kind == Kind::Complex {
            return Err(unknown());
        }
        let sub = sub.or(value).map(|sub| sub.name.clone());
        let place = Place { name: Name { sub, ..name }, kind: of.kind, case_exact: of.case_exact };
        Ok(Self { place, descending })
    }

    /// The attribute.
    pub fn name(&self) -> &Name {
        &self.place.name
    }

    /// Whether the order is descending.
    pub fn is_descending(&self) -> bool {
        self.descending
    }

    /// Compares two resources.
    pub fn compare(&self, a: &Object, b: &Object) -> Ordering {
        let order = match (self.value(a), self.value(b)) {
            (None, None) => Ordering::Equal,
            (None, Some(_)) => Ordering::Greater,
            (Some(_), None) => Ordering::Less,
            (Some(a), Some(b)) => filter::order(&self.place, a, b),
        };
        if self.descending { order.reverse() } else { order }
    }

    fn value<'a>(&self, resource: &'a Object) -> Option<&'a Value> {
        let value = self.place.name.value(resource)?;
        let one = match value {
            Value::Array(values) => {
                let primary = values.iter().find(|value| value.get("primary") == Some(&Value::Bool(true)));
                primary.or_else(|| values.first())?
            }
            value => value,
        };
        match &self.place.name.sub {
            Some(sub) => one.get(sub),
            None => Some(one),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn sorted(by: &str, descending: bool) -> Vec<u64> {
        let key = SortKey::of(ResourceType::user(), by, descending).unwrap();
        let mut users: Vec<Object> = [
            json!({"n": 1, "title": "b", "emails": [{"value": "z"}, {"value": "a", "primary": true}]}),
            json!({"n": 2}),
            json!({"n": 3, "title": "A", "emails": [{"value": "m"}]}),
        ]
        .into_iter()
        .map(|user| user.as_object().unwrap().clone())
        .collect();
        users.sort_by(|a, b| key.compare(a, b));
        users.iter().map(|user| user["n"].as_u64().unwrap()).collect()
    }

    #[test]
    fn unassigned_values_are_last_and_the_primary_value_counts() {
        assert_eq!(sorted("title", false), [3, 1, 2]);
        assert_eq!(sorted("title", true), [2, 1, 3]);
        assert_eq!(sorted("emails", false), [1, 3, 2]);
        assert_eq!(sorted("emails.value", false), [1, 3, 2]);
        assert!(SortKey::of(ResourceType::user(), "name", false).is_err());
        assert!(SortKey::of(ResourceType::user(), "badge", false).is_err());
    }
}
