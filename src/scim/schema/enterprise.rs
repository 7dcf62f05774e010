//! The enterprise extension of users (RFC 7643 4.3).

use super::{Attribute, ENTERPRISE, Kind, Schema};

pub(super) fn schema() -> Schema {
    let text = Attribute::text;
    let reference = Attribute::new("$ref", Kind::Reference, "The address of the manager.").exact();
    let manager = vec![
        text("value", "The id of the manager.").exact(),
        Attribute { points_to: &["User"], ..reference },
        text("displayName", "The name of the manager."),
    ];
    Schema {
        urn: ENTERPRISE.to_owned(),
        name: "EnterpriseUser",
        about: "The place of a person in the organization.",
        attributes: vec![
            text("employeeNumber", "The number of the employee."),
            text("costCenter", "The cost center."),
            text("organization", "The organization."),
            text("division", "The division."),
            text("department", "The department."),
            Attribute::complex("manager", "The manager.", manager),
        ],
    }
}
