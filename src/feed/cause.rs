//! Causes of changes, in the words of the audit trail. The file is pure.

use std::{collections::HashMap, sync::Arc};

use serde_json::json;

/// A JSON object: `{"event_id": …}`, `{"operator": …}`, `{"mapping_version": …}` or `{"rule": …}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause(Arc<str>);

impl Cause {
    /// An event of the broker, by its id.
    pub fn event(id: &str) -> Self {
        Self::of(&json!({"event_id": id}))
    }

    /// An operator, by name.
    pub fn operator(name: &str) -> Self {
        Self::of(&json!({"operator": name}))
    }

    /// A new version of the role mapping.
    pub fn mapping(version: i64) -> Self {
        Self::of(&json!({"mapping_version": version}))
    }

    /// A rule of rosterd, such as the end of a hold.
    pub fn rule(text: &str) -> Self {
        Self::of(&json!({"rule": text}))
    }

    fn of(object: &serde_json::Value) -> Self {
        Self(object.to_string().into())
    }

    pub(super) fn json(&self) -> &str {
        &self.0
    }
}

impl Default for Cause {
    fn default() -> Self {
        Self::rule("derived again")
    }
}

/// What a known cause is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum CauseOf {
    /// A membership: (group, user).
    Membership(String, String),
    /// A user or group of a tenant: (tenant, id).
    Subject(String, String),
    /// A user, group or directory in any tenant, or a tenant.
    Entity(String),
}

/// The known causes of a transaction.
#[derive(Debug, Default)]
pub(super) struct Causes {
    known: HashMap<CauseOf, Cause, foldhash::fast::RandomState>,
    pub(super) otherwise: Cause,
}

impl Causes {
    pub(super) fn put(&mut self, of: CauseOf, cause: Cause) {
        self.known.insert(of, cause);
    }

    /// The first known one.
    pub(super) fn find(&self, likely: &[CauseOf]) -> &Cause {
        likely.iter().find_map(|of| self.known.get(of)).unwrap_or(&self.otherwise)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_known_cause_counts() {
        let mut causes = Causes::default();
        let (user, group) = (CauseOf::Entity("u".into()), CauseOf::Entity("g".into()));
        causes.otherwise = Cause::mapping(2);
        causes.put(group.clone(), Cause::event("e"));

        assert_eq!(causes.find(&[user.clone(), group]).json(), r#"{"event_id":"e"}"#);
        assert_eq!(causes.find(&[user]).json(), r#"{"mapping_version":2}"#);
    }
}
