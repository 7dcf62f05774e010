//! Reads JSON that differs from the documented form, so that no leaver is lost because of it.
//!
//! Profile fields are lenient: a null or a number in place of a text counts as no text. Ids, times and states are
//! strict.

use std::{borrow::Cow, fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, SeqAccess, Visitor, value::MapAccessDeserializer},
};
use serde_json::Value;

use crate::{
    broker::{LONGEST_ID, NotUnderstood},
    runtime::clock::Timestamp,
};

/// The longest stored profile text, in characters. The rest is cut off.
const LONGEST_TEXT: usize = 1_024;

/// A text; `None` for any other JSON value.
#[derive(Debug, Default, Clone)]
pub(super) struct Text<'a>(pub(super) Option<Cow<'a, str>>);

impl<'a> Text<'a> {
    /// The text, cleaned for both databases; `None` when blank.
    pub(super) fn get(&self) -> Option<String> {
        let text = self.0.as_deref()?.trim();
        (!text.is_empty()).then(|| cleaned(text))
    }

    pub(super) fn id(&self, field: &'static str) -> Result<String, NotUnderstood> {
        id(self.0.as_deref().unwrap_or_default(), field)
    }

    pub(super) fn time(&self) -> Option<Timestamp> {
        Timestamp::parse(self.0.as_deref()?)
    }

    pub(super) fn raw(&self) -> Option<&str> {
        self.0.as_deref()
    }
}

/// An id is opaque: imported ids have no known prefix (docs/broker-workos.md 1.3). But it must fit a key.
pub(super) fn id(text: &str, field: &'static str) -> Result<String, NotUnderstood> {
    if text.is_empty() || text.len() > LONGEST_ID || text.contains('\0') {
        return Err(NotUnderstood::Id { field });
    }
    Ok(text.to_owned())
}

/// The text in a form that both databases can store. PostgreSQL cannot store NUL.
pub(super) fn cleaned(text: &str) -> String {
    if text.len() <= LONGEST_TEXT && !text.contains('\0') {
        return text.to_owned();
    }
    text.chars().take(LONGEST_TEXT).map(|c| if c == '\0' { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

/// The same for a whole JSON value, keys included.
pub(super) fn without_nul(value: Value) -> Value {
    if has_nul(&value) { replaced(value) } else { value }
}

fn has_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(has_nul),
        Value::Object(map) => map.iter().any(|(key, value)| key.contains('\0') || has_nul(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

fn replaced(value: Value) -> Value {
    let clean = |text: String| text.replace('\0', "\u{fffd}");
    match value {
        Value::String(text) => Value::String(clean(text)),
        Value::Array(items) => Value::Array(items.into_iter().map(replaced).collect()),
        Value::Object(map) => {
            Value::Object(map.into_iter().map(|(key, value)| (clean(key), replaced(value))).collect())
        }
        plain => plain,
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyValue;

        impl<'de> Visitor<'de> for AnyValue {
            type Value = Option<Cow<'de, str>>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("any JSON value")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Some(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Some(Cow::Owned(text.to_owned())))
            }
            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(None)
            }
            fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
                Ok(None)
            }
            fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
                Ok(None)
            }
            fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
                Ok(None)
            }
            fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
                Ok(None)
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
                while items.next_element::<IgnoredAny>()?.is_some() {}
                Ok(None)
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(None)
            }
        }

        deserializer.deserialize_any(AnyValue).map(Text)
    }
}

/// A `T` that is written as an object. Without this type serde would accept a list of values for a struct.
pub(super) struct Object<T>(pub(super) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnObject<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for AnObject<T> {
            type Value = T;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map))
            }
        }

        deserializer.deserialize_map(AnObject(PhantomData)).map(Object)
    }
}

/// The error text is serde_json's: it has line and column, and no content.
pub(super) fn parsed<'a, T: Deserialize<'a>>(json: &'a str) -> Result<T, NotUnderstood> {
    let Object(value) =
        serde_json::from_str(json).map_err(|error| NotUnderstood::Shape(error.to_string()))?;
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_as_long_as_a_key_at_most() {
        assert!(id(&"x".repeat(LONGEST_ID), "id").is_ok());
        assert!(id(&"x".repeat(LONGEST_ID + 1), "id").is_err());
    }

    #[test]
    fn a_list_instead_of_an_object_is_an_error_that_says_so() {
        let error = parsed::<serde_json::Map<String, Value>>("[1]").unwrap_err().to_string();
        assert!(error.contains("expected an object"), "{error}");
    }
}
