//! Rules that do nothing: they match nobody, or all they grant is granted before.

use std::collections::{BTreeMap, BTreeSet};

use super::walk::Matches;
use crate::decide::mapping::Mapping;

/// A rule for all tenants is judged by all of them together, one of a tenant's own by that tenant.
pub(super) fn warnings(mapping: &Mapping, matches: &BTreeMap<String, Vec<Matches>>) -> BTreeSet<String> {
    let own: BTreeSet<&String> = mapping.tenants().collect();
    let mut sums: BTreeMap<(Option<&str>, &str), Matches> = BTreeMap::new();
    for (tenant_id, of_rules) in matches {
        let section = own.contains(tenant_id).then_some(tenant_id.as_str());
        for (rule, matches) in mapping.of(tenant_id).rules.iter().zip(of_rules) {
            let sum = sums.entry((section, &rule.name)).or_default();
            sum.users += matches.users;
            sum.explains += matches.explains;
        }
    }
    let warning = |((section, rule), sum): ((Option<&str>, &str), Matches)| {
        let place = section.map_or(String::new(), |tenant_id| format!(" of {tenant_id}"));
        match sum {
            Matches { users: 0, .. } => Some(format!("rule {rule:?}{place} matches nobody")),
            Matches { explains: 0, users } => Some(format!(
                "rule {rule:?}{place} is hidden: what it grants to its {users} users is decided by other rules"
            )),
            _ => None,
        }
    };
    sums.into_iter().filter_map(warning).collect()
}
