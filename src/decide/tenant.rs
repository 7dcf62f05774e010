//! The tenant id of an organization, and the reverse.

use std::borrow::Cow;

use super::DEFAULT_TENANT;

const ORGANIZATION: &str = "organization:";

/// The tenant has the id of the organization. But `default` is the tenant of directories without organization, so an
/// organization with the id `default` gets the tenant `organization:default`. An organization with *that* id gets the
/// prefix once more, so two organizations are never one tenant (promise 6).
pub fn of_organization(organization_id: &str) -> Cow<'_, str> {
    match is_prefixed_default(organization_id) {
        true => Cow::Owned(format!("{ORGANIZATION}{organization_id}")),
        false => Cow::Borrowed(organization_id),
    }
}

/// The organization of a tenant; `None` for the tenant of directories without organization.
pub fn organization(tenant_id: &str) -> Option<&str> {
    match is_prefixed_default(tenant_id) {
        true => tenant_id.strip_prefix(ORGANIZATION),
        false => Some(tenant_id),
    }
}

fn is_prefixed_default(id: &str) -> bool {
    id.strip_suffix(DEFAULT_TENANT).is_some_and(|prefixes| prefixes.replace(ORGANIZATION, "").is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_organization_is_the_tenant_of_those_without_and_no_two_are_one() {
        let ids =
            ["org_1", "default", "organization:default", "organization:organization:default", "x:default"];

        let tenants = ids.map(of_organization);

        assert_eq!(
            tenants,
            [
                "org_1",
                "organization:default",
                "organization:organization:default",
                "organization:organization:organization:default",
                "x:default"
            ]
        );
        assert_eq!(
            ids.map(|id| organization(&of_organization(id)).map(str::to_owned)),
            ids.map(|id| Some(id.into()))
        );
        assert_eq!(organization(DEFAULT_TENANT), None);
    }
}
