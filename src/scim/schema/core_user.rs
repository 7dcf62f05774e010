//! The core schema of users (RFC 7643 4.1), without `groups`, `password` and `x509Certificates`.

use super::{Attribute, Kind, Schema, USER, Uniqueness};

const PLACES: &[&str] = &["work", "home", "other"];

pub(super) fn schema() -> Schema {
    let text = Attribute::text;
    let value = |about| text("value", about);
    let name = vec![
        text("formatted", "The full name as it is shown."),
        text("familyName", "The family name."),
        text("givenName", "The given name."),
        text("middleName", "The middle names."),
        text("honorificPrefix", "The title before the name."),
        text("honorificSuffix", "The suffix after the name."),
    ];
    let address = vec![
        text("formatted", "The address as it is written on a letter."),
        text("streetAddress", "The street and the number."),
        text("locality", "The town."),
        text("region", "The state or the region."),
        text("postalCode", "The postal code."),
        text("country", "The country, by ISO 3166-1."),
        Attribute { usual: PLACES, ..text("type", "The function of the address.") },
        Attribute::new("primary", Kind::Boolean, "Whether it is the preferred address; one at most is."),
    ];
    let photo =
        Attribute { points_to: &["external"], ..Attribute::new("value", Kind::Reference, "The URL.") };
    let messengers = &["aim", "gtalk", "icq", "xmpp", "msn", "skype", "qq", "yahoo"];
    let user_name = Attribute {
        required: true,
        uniqueness: Uniqueness::Server,
        ..text("userName", "The login name, unique in the directory without regard to case.")
    };
    let profile = Attribute::new("profileUrl", Kind::Reference, "The address of a page about the person.");
    let numbers = &["work", "home", "mobile", "fax", "pager", "other"];
    Schema {
        urn: USER.to_owned(),
        name: "User",
        about: "An account in the directory.",
        attributes: vec![
            user_name,
            Attribute::complex("name", "The parts of the name.", name),
            text("displayName", "The name as it is shown."),
            text("nickName", "The casual name."),
            Attribute { points_to: &["external"], ..profile },
            text("title", "The job title."),
            text("userType", "The relation to the organization, such as employee."),
            text("preferredLanguage", "The language, as in Accept-Language."),
            text("locale", "The locale for formats of numbers and dates."),
            text("timezone", "The time zone, such as Europe/Lisbon."),
            Attribute::new("active", Kind::Boolean, "Whether the person has access."),
            Attribute::plural("emails", "The e-mail addresses.", value("The address."), PLACES),
            Attribute::plural("phoneNumbers", "The telephone numbers.", value("The number."), numbers),
            Attribute::plural(
                "ims",
                "The addresses for instant messages.",
                value("The address."),
                messengers,
            ),
            Attribute::plural("photos", "The pictures.", photo, &["photo", "thumbnail"]),
            Attribute { multi: true, ..Attribute::complex("addresses", "The postal addresses.", address) },
            Attribute::plural("entitlements", "The entitlements.", value("The entitlement."), &[]),
            Attribute::plural("roles", "The roles.", value("The role."), &[]),
        ],
    }
}
