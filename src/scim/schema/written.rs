//! Schemas and types of resources as JSON (RFC 7643 6 and 7).

use serde_json::{Value, json};

use super::{Attribute, Kind, Mutability, ResourceType, Returned, Schema, Uniqueness};

/// The URN of a schema's description.
const SCHEMA: &str = "urn:ietf:params:scim:schemas:core:2.0:Schema";
/// The URN of the description of a type of resources.
const RESOURCE_TYPE: &str = "urn:ietf:params:scim:schemas:core:2.0:ResourceType";

/// A schema as `/Schemas` shows it. `base` is the address of the service provider.
pub fn schema_json(schema: &Schema, base: &str) -> Value {
    json!({
        "schemas": [SCHEMA],
        "id": schema.urn,
        "name": schema.name,
        "description": schema.about,
        "attributes": schema.attributes.iter().map(attribute).collect::<Vec<_>>(),
        "meta": {"resourceType": "Schema", "location": format!("{base}/Schemas/{}", schema.urn)},
    })
}

/// A type of resources as `/ResourceTypes` shows it.
pub fn resource_type_json(of: &ResourceType, base: &str) -> Value {
    let extensions = of.extensions.iter().map(|schema| json!({"schema": schema.urn, "required": false}));
    json!({
        "schemas": [RESOURCE_TYPE],
        "id": of.name,
        "name": of.name,
        "description": of.about,
        "endpoint": format!("/{}", of.endpoint),
        "schema": of.core.urn,
        "schemaExtensions": extensions.collect::<Vec<_>>(),
        "meta": {"resourceType": "ResourceType", "location": format!("{base}/ResourceTypes/{}", of.name)},
    })
}

fn attribute(of: &Attribute) -> Value {
    let kind = match of.kind {
        Kind::Text => "string",
        Kind::Boolean => "boolean",
        Kind::Decimal => "decimal",
        Kind::Integer => "integer",
        Kind::DateTime => "dateTime",
        Kind::Binary => "binary",
        Kind::Reference => "reference",
        Kind::Complex => "complex",
    };
    let mutability = match of.mutability {
        Mutability::ReadOnly => "readOnly",
        Mutability::ReadWrite => "readWrite",
        Mutability::Immutable => "immutable",
        Mutability::WriteOnly => "writeOnly",
    };
    let returned = match of.returned {
        Returned::Always => "always",
        Returned::Never => "never",
        Returned::Default => "default",
        Returned::Request => "request",
    };
    let uniqueness = match of.uniqueness {
        Uniqueness::None => "none",
        Uniqueness::Server => "server",
    };
    let mut written = json!({
        "name": of.name,
        "type": kind,
        "multiValued": of.multi,
        "description": of.about,
        "required": of.required,
        "caseExact": of.case_exact,
        "mutability": mutability,
        "returned": returned,
        "uniqueness": uniqueness,
    });
    if let Some(written) = written.as_object_mut() {
        if !of.usual.is_empty() {
            written.insert("canonicalValues".to_owned(), json!(of.usual));
        }
        if of.kind == Kind::Reference {
            let points_to = if of.points_to.is_empty() { &["uri"] } else { of.points_to };
            written.insert("referenceTypes".to_owned(), json!(points_to));
        }
        if of.kind == Kind::Complex {
            written.insert("subAttributes".to_owned(), of.subs.iter().map(attribute).collect());
        }
    }
    written
}
