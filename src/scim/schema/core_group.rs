//! The core schema of groups (RFC 7643 4.2).

use super::{Attribute, GROUP, Kind, Mutability, Schema};

pub(super) fn schema() -> Schema {
    let immutable = |attribute| Attribute { mutability: Mutability::Immutable, ..attribute };
    let reference = Attribute::new("$ref", Kind::Reference, "The address of the member.").exact();
    let members = vec![
        immutable(Attribute::text("value", "The id of the member.").exact()),
        immutable(Attribute { points_to: &["User", "Group"], ..reference }),
        immutable(Attribute {
            usual: &["User", "Group"],
            ..Attribute::text("type", "The type of the member.")
        }),
    ];
    Schema {
        urn: GROUP.to_owned(),
        name: "Group",
        about: "A group of the directory.",
        attributes: vec![
            Attribute { required: true, ..Attribute::text("displayName", "The name of the group.") },
            Attribute { multi: true, ..Attribute::complex("members", "The members of the group.", members) },
        ],
    }
}
