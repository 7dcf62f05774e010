//! The description of the service provider: `/ServiceProviderConfig` (RFC 7643 5, RFC 9865 4).

use serde_json::{Value, json};

use super::{
    cursor::TIMEOUT_SECONDS,
    query::{DEFAULT_COUNT, LIST, MOST_COUNT},
    schema::ResourceType,
};

/// The limits of bulk requests; `None` if there are no bulk requests.
#[derive(Clone, Copy, Debug)]
pub struct BulkLimits {
    /// The highest number of operations.
    pub operations: usize,
    /// The largest body in bytes.
    pub bytes: usize,
}

/// The description. `base` is the address of the service provider; a service provider without writes has no PATCH.
pub fn service_provider_config(base: &str, has_writes: bool, bulk: Option<BulkLimits>) -> Value {
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"],
        "patch": {"supported": has_writes},
        "bulk": {
            "supported": bulk.is_some(),
            "maxOperations": bulk.map_or(0, |bulk| bulk.operations),
            "maxPayloadSize": bulk.map_or(0, |bulk| bulk.bytes),
        },
        "filter": {"supported": true, "maxResults": MOST_COUNT},
        "changePassword": {"supported": false},
        "sort": {"supported": true},
        "etag": {"supported": true},
        "pagination": {
            "cursor": true,
            "index": true,
            "defaultPaginationMethod": "index",
            "defaultPageSize": DEFAULT_COUNT,
            "maxPageSize": MOST_COUNT,
            "cursorTimeout": TIMEOUT_SECONDS,
        },
        "authenticationSchemes": [{
            "type": "oauthbearertoken",
            "name": "Bearer token",
            "description": "A token in the header Authorization, after the word Bearer.",
            "specUri": "https://www.rfc-editor.org/rfc/rfc6750",
            "primary": true,
        }],
        "meta": {"resourceType": "ServiceProviderConfig", "location": format!("{base}/ServiceProviderConfig")},
    })
}

/// A list of all its entries, in one page.
pub fn whole_list(entries: Vec<Value>) -> Value {
    json!({
        "schemas": [LIST],
        "totalResults": entries.len(),
        "startIndex": 1,
        "itemsPerPage": entries.len(),
        "Resources": entries,
    })
}

/// All schemas of these types, each once.
pub fn schemas(types: &[&ResourceType], base: &str) -> Vec<Value> {
    let of = |of: &ResourceType| {
        std::iter::once(of.core.clone()).chain(of.extensions.iter().cloned()).collect::<Vec<_>>()
    };
    types.iter().flat_map(|each| of(each)).map(|schema| super::schema::schema_json(&schema, base)).collect()
}
