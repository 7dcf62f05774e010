//! The document as it is written. [`super::check()`] finds its faults and its meaning.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::{Spanned, Value};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Document {
    strategy: Option<Spanned<String>>,
    unmapped: Option<Spanned<Value>>,
    unknown_roles: Option<Spanned<Value>>,
    never_from_directory: Option<Vec<Spanned<String>>>,
    roles: Option<BTreeMap<String, Spanned<Role>>>,
    rules: Option<Vec<Spanned<Rule>>>,
    #[serde(default)]
    tenants: BTreeMap<String, Section>,
}

/// The general section, or the section of one tenant.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Section {
    pub(super) strategy: Option<Spanned<String>>,
    /// `"none"`, `"no_access"` or `{ role = "…" }`.
    pub(super) unmapped: Option<Spanned<Value>>,
    /// `"create"`, `"ignore"` or `{ map_to = "…" }`.
    pub(super) unknown_roles: Option<Spanned<Value>>,
    pub(super) never_from_directory: Option<Vec<Spanned<String>>>,
    pub(super) roles: Option<BTreeMap<String, Spanned<Role>>>,
    pub(super) rules: Option<Vec<Spanned<Rule>>>,
}

impl Document {
    pub(super) fn sections(self) -> (Section, BTreeMap<String, Section>) {
        let Self { strategy, unmapped, unknown_roles, never_from_directory, roles, rules, tenants } = self;
        (Section { strategy, unmapped, unknown_roles, never_from_directory, roles, rules }, tenants)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Role {
    pub(super) name: Option<String>,
    pub(super) priority: Option<i64>,
    #[serde(default)]
    pub(super) privileged: bool,
    #[serde(default)]
    pub(super) protected: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rule {
    pub(super) name: Spanned<String>,
    pub(super) grants: Vec<Spanned<String>>,
    pub(super) when: Spanned<When>,
}

/// Exactly one of these.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct When {
    pub(super) role: Option<Value>,
    pub(super) group: Option<Group>,
    pub(super) attribute: Option<Attribute>,
    pub(super) all: Option<Vec<Spanned<When>>>,
    pub(super) any: Option<Vec<Spanned<When>>>,
    pub(super) not: Option<Box<Spanned<When>>>,
}

/// Exactly one of the first three.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Group {
    pub(super) id: Option<String>,
    pub(super) name: Option<String>,
    pub(super) pattern: Option<String>,
    pub(super) directory: Option<String>,
}

/// Keys joined by dots, or a list of keys. A key in a list may contain dots.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum AttributePath {
    Dotted(String),
    Keys(Vec<String>),
}

/// A path and exactly one of the other fields.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Attribute {
    pub(super) path: AttributePath,
    pub(super) equals: Option<Value>,
    pub(super) one_of: Option<Vec<Value>>,
    pub(super) pattern: Option<String>,
    pub(super) contains: Option<Value>,
}
