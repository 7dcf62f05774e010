//! Warnings about rules without an effect: they match nobody, or other rules grant the same roles before.

use std::collections::{BTreeMap, BTreeSet};

use super::walk::Matches;
use crate::decide::mapping::Mapping;

/// A rule for all tenants is tested with the users of all tenants, and a tenant's own rule with that tenant's users.
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
                "rule {rule:?}{place} has no effect: other rules decide the roles of its {users} users"
            )),
            _ => None,
        }
    };
    sums.into_iter().filter_map(warning).collect()
}
