//! Rules that test attributes which nobody has, also inside `not`, where such a test is always true.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::decide::{mapping::Mapping, users::UserRow};

/// The paths that no active user had so far, by section: a tenant's own one, or the general one.
#[derive(Default)]
pub(super) struct UnmetAttributes(BTreeMap<Option<String>, BTreeSet<Vec<String>>>);

impl UnmetAttributes {
    pub(super) fn of(mapping: &Mapping) -> Self {
        let mut unmet = Self::default();
        let own = mapping.tenants().map(|tenant_id| Some(tenant_id.as_str()));
        for section in own.chain([None]) {
            // No tenant has an empty name, so this is the general section.
            let policy = mapping.of(section.unwrap_or_default());
            let paths: BTreeSet<Vec<String>> =
                policy.rules.iter().flat_map(|rule| rule.when.attributes()).map(<[String]>::to_vec).collect();
            unmet.0.insert(section.map(str::to_owned), paths);
        }
        unmet
    }

    /// Removes the paths that this active user has.
    pub(super) fn meet(&mut self, row: &UserRow) {
        let section = Some(row.tenant_id.clone());
        let section = if self.0.contains_key(&section) { section } else { None };
        let Some(paths) = self.0.get_mut(&section).filter(|paths| !paths.is_empty()) else { return };
        let Ok(attributes) = serde_json::from_str::<Value>(&row.custom_attributes) else { return };
        paths.retain(|path| !has(&attributes, path));
    }

    /// One warning for each rule with such a path.
    pub(super) fn warnings(&self, mapping: &Mapping) -> BTreeSet<String> {
        let mut warnings = BTreeSet::new();
        for (section, paths) in &self.0 {
            let policy = mapping.of(section.as_deref().unwrap_or_default());
            let place = section.as_ref().map_or(String::new(), |tenant_id| format!(" of {tenant_id}"));
            for rule in &policy.rules {
                for path in rule.when.attributes().into_iter().filter(|path| paths.contains(*path)) {
                    let path = path.join(".");
                    warnings.insert(format!("rule {:?}{place}: nobody has the attribute {path}", rule.name));
                }
            }
        }
        warnings
    }
}

/// Whether there is a value. Directories write null for an attribute without one.
fn has(attributes: &Value, path: &[String]) -> bool {
    let value = path.iter().try_fold(attributes, |value, key| value.get(key));
    value.is_some_and(|value| !value.is_null())
}
