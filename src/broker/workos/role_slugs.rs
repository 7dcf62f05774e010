//! `role` and `roles[]` of a directory user, in any form.
//!
//! Only a grant needs a readable slug. A slug that cannot be a key grants nothing, so an event that removes roles has
//! its effect, whatever else it contains.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, SeqAccess, Visitor},
};

use super::json::Text;

/// The most roles of one user in the broker's role field. No real user has so many; the limit bounds the cost.
const MOST: usize = 1_000;

/// `{"slug": …}`, or a list of these.
#[derive(Debug, Default)]
pub(super) struct Slugs<'a> {
    found: Vec<Text<'a>>,
    /// The number of values that are not a slug object.
    unreadable: usize,
}

/// The slugs, sorted and without repetition. Some environments send `role` or `roles`, some both (lesson 32).
pub(super) fn granting(role: Slugs<'_>, roles: Slugs<'_>, left_out: &mut Vec<String>) -> Vec<String> {
    let mut unreadable = role.unreadable + roles.unreadable;
    let mut slugs = Vec::with_capacity(role.found.len() + roles.found.len());
    for slug in role.found.into_iter().chain(roles.found) {
        match slug.id("role slug") {
            Ok(slug) => slugs.push(slug),
            Err(_) => unreadable += 1,
        }
    }
    slugs.sort_unstable();
    slugs.dedup();
    if unreadable > 0 {
        left_out.push(format!("roles: {unreadable} cannot be read and grant nothing"));
    }
    if slugs.len() > MOST {
        left_out.push(format!("roles: {} after the first {MOST} grant nothing", slugs.len() - MOST));
        slugs.truncate(MOST);
    }
    slugs
}

impl<'de: 'a, 'a> Deserialize<'de> for Slugs<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyValue;

        fn none<'de>(unreadable: usize) -> Slugs<'de> {
            Slugs { found: Vec::new(), unreadable }
        }

        impl<'de> Visitor<'de> for AnyValue {
            type Value = Slugs<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("any JSON value")
            }
            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(none(0))
            }
            fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
                Ok(none(1))
            }
            fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
                Ok(none(1))
            }
            fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
                Ok(none(1))
            }
            fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
                Ok(none(1))
            }
            fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
                Ok(none(1))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut slug = Text::default();
                while let Some(Text(key)) = map.next_key()? {
                    match key.as_deref() {
                        Some("slug") => slug = map.next_value()?,
                        _ => drop(map.next_value::<IgnoredAny>()?),
                    }
                }
                Ok(Slugs { found: vec![slug], unreadable: 0 })
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
                let mut all = none(0);
                while let Some(item) = items.next_element::<Slugs<'de>>()? {
                    all.found.extend(item.found);
                    all.unreadable += item.unreadable;
                }
                Ok(all)
            }
        }

        deserializer.deserialize_any(AnyValue)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_is_no_slug_is_counted_in_both_fields() {
        let granted = |role, roles| {
            let mut left_out = Vec::new();
            let read = |json| serde_json::from_str(json).unwrap();
            (granting(read(role), read(roles), &mut left_out), left_out)
        };
        let unreadable = |count| vec![format!("roles: {count} cannot be read and grant nothing")];
        assert_eq!(
            granted("true", r#"["a", {"slug": "admin"}, {"slug": ""}]"#),
            (vec!["admin".into()], unreadable(3))
        );
        assert_eq!(granted("null", r#"["a"]"#), (vec![], unreadable(1)));
        assert_eq!(
            granted(r#"{"slug": "b"}"#, r#"[{"slug": "a"}, {"slug": "b"}]"#),
            (vec!["a".into(), "b".into()], vec![])
        );
    }
}
