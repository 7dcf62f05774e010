//! The page that a path names; pure. Case does not matter, and a slash at the end is harmless.

use crate::provision::Kind;

/// The owner of the resources of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// A directory, by its id.
    Directory(String),
    /// All directories of a tenant, for reading.
    Tenant(String),
}

/// A page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Page {
    /// All resources of one kind.
    Resources(Kind),
    /// One resource.
    Resource(Kind, String),
    /// A search by a message; of both kinds without one.
    Search(Option<Kind>),
    /// The description of the service provider.
    ServiceProviderConfig,
    /// The types of resources, or one of them.
    ResourceTypes(Option<String>),
    /// The schemas, or one of them.
    Schemas(Option<String>),
    /// Several operations in one request.
    Bulk,
    /// The resource of the client's own account, which there is none.
    Me,
}

/// Reads a path that begins with `/scim/v2/`. The owner is known also if there is no such page.
pub fn read(path: &str) -> Option<(Owner, Option<Page>)> {
    let mut parts = path.split('/').filter(|part| !part.is_empty()).map(decoded);
    let mut is_next = |wanted: &str| parts.next().is_some_and(|part| part.eq_ignore_ascii_case(wanted));
    if !(is_next("scim") && is_next("v2")) {
        return None;
    }
    let first = parts.next()?;
    let owner = match first.eq_ignore_ascii_case("tenants") {
        true => Owner::Tenant(parts.next()?),
        false => Owner::Directory(first),
    };
    let rest: Vec<String> = parts.collect();
    Some((owner, page(&rest)))
}

fn page(rest: &[String]) -> Option<Page> {
    let (first, rest) = rest.split_first()?;
    let kind = Kind::ALL.into_iter().find(|kind| kind.resource_type().endpoint.eq_ignore_ascii_case(first));
    let one = rest.first().cloned();
    Some(match (first.to_ascii_lowercase().as_str(), kind, rest.len()) {
        (_, Some(kind), 0) => Page::Resources(kind),
        (_, Some(kind), 1) if one.as_deref() == Some(".search") => Page::Search(Some(kind)),
        (_, Some(kind), 1) => Page::Resource(kind, one?),
        (".search", _, 0) => Page::Search(None),
        ("serviceproviderconfig" | "serviceproviderconfigs", _, 0) => Page::ServiceProviderConfig,
        ("resourcetypes", _, 0 | 1) => Page::ResourceTypes(one),
        ("schemas", _, 0 | 1) => Page::Schemas(one),
        ("bulk", _, 0) => Page::Bulk,
        ("me", _, _) => Page::Me,
        _ => return None,
    })
}

/// A part of a path without percent-encoding. A plus sign in a path is a plus sign.
fn decoded(part: &str) -> String {
    let mut bytes = Vec::with_capacity(part.len());
    let mut rest = part.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let coded = (*first == b'%').then(|| after.get(..2)).flatten();
        let byte = coded.and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok());
        bytes.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { after.get(2..).unwrap_or_default() } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_found_without_regard_to_case_and_slashes() {
        let dir = || Owner::Directory("d".to_owned());
        for (path, expected) in [
            ("/scim/v2/d/Users", Some((dir(), Some(Page::Resources(Kind::User))))),
            ("/SCIM/V2/d/users/", Some((dir(), Some(Page::Resources(Kind::User))))),
            ("/scim/v2/d/Groups/g%2F1", Some((dir(), Some(Page::Resource(Kind::Group, "g/1".to_owned()))))),
            ("/scim/v2/d/Users/.search", Some((dir(), Some(Page::Search(Some(Kind::User)))))),
            ("/scim/v2/d/.search", Some((dir(), Some(Page::Search(None))))),
            ("/scim/v2/d/Schemas/urn:x", Some((dir(), Some(Page::Schemas(Some("urn:x".to_owned())))))),
            ("/scim/v2/d/Bulk", Some((dir(), Some(Page::Bulk)))),
            ("/scim/v2/d/Me", Some((dir(), Some(Page::Me)))),
            ("/scim/v2/d", Some((dir(), None))),
            ("/scim/v2/d/Users/a/b", Some((dir(), None))),
            (
                "/scim/v2/tenants/t/Users",
                Some((Owner::Tenant("t".to_owned()), Some(Page::Resources(Kind::User)))),
            ),
            ("/scim/v2", None),
            ("/healthz", None),
        ] {
            assert_eq!(read(path), expected, "{path}");
        }
    }
}
