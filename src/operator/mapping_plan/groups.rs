//! Warnings about rules that name groups which do not exist.

use std::collections::BTreeSet;

use diesel::QueryResult;

use crate::{db::Conn, decide::mapping::Mapping, tables};

pub(super) fn warnings(conn: &mut Conn, mapping: &Mapping) -> QueryResult<BTreeSet<String>> {
    let mut warnings = BTreeSet::new();
    if !mapping.uses_groups() {
        return Ok(warnings);
    }
    let groups = tables::groups::all(conn)?;
    let own: BTreeSet<&str> = mapping.tenants().map(String::as_str).collect();
    for section in own.iter().copied().map(Some).chain([None]) {
        let is_affected = |tenant_id: &str| match section {
            Some(section) => section == tenant_id,
            None => !own.contains(tenant_id),
        };
        // The empty name selects the policy of tenants without a section.
        let policy = mapping.of(section.unwrap_or_default());
        for (rule, (named, directory)) in policy
            .rules
            .iter()
            .flat_map(|rule| rule.when.groups().into_iter().map(move |group| (rule, group)))
        {
            let exists = groups.iter().any(|group| {
                is_affected(&group.tenant_id)
                    && named.is(&group.id, &group.name)
                    && directory.is_none_or(|directory| directory == group.directory_id)
            });
            if !exists {
                let place = section.map_or(String::new(), |tenant_id| format!(" of {tenant_id}"));
                warnings.insert(format!("rule {:?}{place}: there is no group {named}", rule.name));
            }
        }
    }
    Ok(warnings)
}
