//! A resource as an answer shows it: the document with `id`, `schemas`, `meta` and the members of a group.

use serde_json::{Value, json};

use super::{Kind, execute::read};
use crate::{
    scim::{
        etag,
        projection::Projection,
        resource::{Object, schemas},
    },
    tables::{scim_members::ScimMember, scim_resources::ScimResource},
};

/// The highest number of members in an answer that the client has not asked for by name.
pub const MOST_MEMBERS: usize = 1_000;

/// One more than that tells that a group has too many.
pub const MOST_MEMBERS_READ: usize = MOST_MEMBERS + 1;

/// The whole resource, without members. `base` is the address of the directory.
pub fn whole(resource: &ScimResource, base: &str) -> Object {
    let kind = Kind::of_code(resource.kind);
    let of = kind.resource_type();
    let mut shown = read(resource);
    shown.insert("id".to_owned(), resource.id.as_str().into());
    shown.insert("schemas".to_owned(), json!(schemas(of, &shown)));
    shown.insert(
        "meta".to_owned(),
        json!({
            "resourceType": of.name,
            "created": resource.created_at().to_string(),
            "lastModified": resource.modified_at().to_string(),
            "location": location(resource, base),
            "version": etag::version(resource.version),
        }),
    );
    shown
}

/// The address of the resource.
pub fn location(resource: &ScimResource, base: &str) -> String {
    format!("{base}/{}/{}", Kind::of_code(resource.kind).resource_type().endpoint, resource.id)
}

/// A member of a group.
pub fn member(member: &ScimMember, base: &str) -> Value {
    let mut shown = Object::new();
    shown.insert("value".to_owned(), member.member_id.as_str().into());
    if let Some(kind) = member.kind {
        let of = Kind::of_code(kind).resource_type();
        shown.insert("$ref".to_owned(), format!("{base}/{}/{}", of.endpoint, member.member_id).into());
        shown.insert("type".to_owned(), of.name.into());
    }
    Value::Object(shown)
}

/// How many members of a group an answer needs; 0 for none. One more than the limit tells that there are too many.
pub fn members_wanted(kind: Kind, projection: &Projection) -> usize {
    match kind {
        Kind::User => 0,
        Kind::Group if projection.asks_for("members") => usize::MAX >> 1,
        Kind::Group if projection.includes("members") => MOST_MEMBERS_READ,
        Kind::Group => 0,
    }
}

/// Adds the members to a group, unless there are more than an answer has without being asked.
pub fn with_members(group: &mut Object, members: Vec<Value>, projection: &Projection) {
    if members.is_empty() || (members.len() > MOST_MEMBERS && !projection.asks_for("members")) {
        return;
    }
    group.insert("members".to_owned(), Value::Array(members));
}
