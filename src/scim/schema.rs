//! Schemas: the attributes of a resource and their characteristics (RFC 7643 2.2 and 7).

mod core_group;
mod core_user;
mod enterprise;
mod written;

use std::sync::LazyLock;

pub use written::{resource_type_json, schema_json};

/// The URN of the core schema of users.
pub const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
/// The URN of the core schema of groups.
pub const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
/// The URN of the enterprise extension of users.
pub const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

/// The data type of an attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A text.
    Text,
    /// True or false.
    Boolean,
    /// A number with a fraction.
    Decimal,
    /// A whole number.
    Integer,
    /// An instant, as a text.
    DateTime,
    /// Bytes in base64.
    Binary,
    /// A URI.
    Reference,
    /// An object with sub-attributes.
    Complex,
}

/// Who may change an attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutability {
    /// Only the service provider.
    ReadOnly,
    /// Everybody.
    ReadWrite,
    /// A client, once.
    Immutable,
    /// A client may write it and nobody may read it.
    WriteOnly,
}

/// When an attribute is part of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Returned {
    /// In every answer.
    Always,
    /// In no answer.
    Never,
    /// Unless the client excludes it.
    Default,
    /// If the client asks for it.
    Request,
}

/// Whether two resources may have the same value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Uniqueness {
    /// They may.
    None,
    /// No two resources of this service provider may.
    Server,
}

/// An attribute, or a sub-attribute of one.
#[derive(Clone, Debug)]
pub struct Attribute {
    /// The name, in the case in which it is written.
    pub name: String,
    /// One sentence for people.
    pub about: &'static str,
    /// The data type.
    pub kind: Kind,
    /// Whether it is a list.
    pub multi: bool,
    /// Whether a resource needs it.
    pub required: bool,
    /// Whether the case of a text counts.
    pub case_exact: bool,
    /// Who may change it.
    pub mutability: Mutability,
    /// When it is returned.
    pub returned: Returned,
    /// Whether its values are unique.
    pub uniqueness: Uniqueness,
    /// The usual values.
    pub usual: &'static [&'static str],
    /// The types that a reference points to.
    pub points_to: &'static [&'static str],
    /// The sub-attributes.
    pub subs: Vec<Attribute>,
}

impl Attribute {
    /// An attribute with the default characteristics of RFC 7643 2.2.
    pub fn new(name: &str, kind: Kind, about: &'static str) -> Self {
        Self {
            name: name.to_owned(),
            about,
            kind,
            multi: false,
            required: false,
            case_exact: false,
            mutability: Mutability::ReadWrite,
            returned: Returned::Default,
            uniqueness: Uniqueness::None,
            usual: &[],
            points_to: &[],
            subs: Vec::new(),
        }
    }

    fn text(name: &str, about: &'static str) -> Self {
        Self::new(name, Kind::Text, about)
    }

    fn complex(name: &str, about: &'static str, subs: Vec<Self>) -> Self {
        Self { subs, ..Self::new(name, Kind::Complex, about) }
    }

    /// A list of values with the usual sub-attributes (RFC 7643 2.4).
    fn plural(name: &str, about: &'static str, value: Self, usual: &'static [&'static str]) -> Self {
        let subs = vec![
            value,
            Self::text("display", "A name for people."),
            Self { usual, ..Self::text("type", "The function of the value.") },
            Self::new("primary", Kind::Boolean, "Whether it is the preferred value; one value at most is."),
        ];
        Self { multi: true, ..Self::complex(name, about, subs) }
    }

    fn exact(self) -> Self {
        Self { case_exact: true, ..self }
    }

    fn read_only(self) -> Self {
        Self { mutability: Mutability::ReadOnly, ..self }
    }

    /// The sub-attribute with this name, without regard to case.
    pub fn sub(&self, name: &str) -> Option<&Self> {
        self.subs.iter().find(|sub| sub.name.eq_ignore_ascii_case(name))
    }

    /// Whether the list has at most one primary value.
    pub fn has_primary(&self) -> bool {
        self.multi && self.sub("primary").is_some()
    }
}

/// A schema.
#[derive(Clone, Debug)]
pub struct Schema {
    /// The URN.
    pub urn: String,
    /// The name for people.
    pub name: &'static str,
    /// One sentence for people.
    pub about: &'static str,
    /// The attributes.
    pub attributes: Vec<Attribute>,
}

impl Schema {
    /// The attribute with this name, without regard to case.
    pub fn attribute(&self, name: &str) -> Option<&Attribute> {
        self.attributes.iter().find(|attribute| attribute.name.eq_ignore_ascii_case(name))
    }
}

/// A type of resources: its core schema and its extensions.
#[derive(Clone, Debug)]
pub struct ResourceType {
    /// `User` or `Group`.
    pub name: &'static str,
    /// `Users` or `Groups`.
    pub endpoint: &'static str,
    /// One sentence for people.
    pub about: &'static str,
    /// The core schema.
    pub core: Schema,
    /// The declared extensions. A resource keeps other extensions too, without types.
    pub extensions: Vec<Schema>,
    /// `id`, `externalId`, `meta` and `schemas`.
    pub common: Vec<Attribute>,
}

impl ResourceType {
    /// Users with the enterprise extension.
    pub fn user() -> &'static Self {
        static USERS: LazyLock<ResourceType> = LazyLock::new(|| ResourceType {
            name: "User",
            endpoint: "Users",
            about: "An account in the directory.",
            core: core_user::schema(),
            extensions: vec![enterprise::schema()],
            common: common(),
        });
        &USERS
    }

    /// Groups.
    pub fn group() -> &'static Self {
        static GROUPS: LazyLock<ResourceType> = LazyLock::new(|| ResourceType {
            name: "Group",
            endpoint: "Groups",
            about: "A group of the directory.",
            core: core_group::schema(),
            extensions: Vec::new(),
            common: common(),
        });
        &GROUPS
    }

    /// The same type with more declared extensions.
    pub fn with_extensions(&self, extensions: impl IntoIterator<Item = Schema>) -> Self {
        let mut extended = self.clone();
        extended.extensions.extend(extensions);
        extended
    }

    /// A core or common attribute.
    pub fn attribute(&self, name: &str) -> Option<&Attribute> {
        let common = self.common.iter().find(|attribute| attribute.name.eq_ignore_ascii_case(name));
        common.or_else(|| self.core.attribute(name))
    }

    /// A declared extension.
    pub fn extension(&self, urn: &str) -> Option<&Schema> {
        self.extensions.iter().find(|schema| schema.urn.eq_ignore_ascii_case(urn))
    }
}

fn common() -> Vec<Attribute> {
    let id = Attribute {
        returned: Returned::Always,
        uniqueness: Uniqueness::Server,
        ..Attribute::text("id", "The id that the service provider has given.").exact().read_only()
    };
    let instant = |name, about| Attribute::new(name, Kind::DateTime, about).read_only();
    let meta = vec![
        Attribute::text("resourceType", "The type of the resource.").exact().read_only(),
        instant("created", "The time of creation."),
        instant("lastModified", "The time of the last change."),
        Attribute::new("location", Kind::Reference, "The address of the resource.").exact().read_only(),
        Attribute::text("version", "The version, as in the header ETag.").exact().read_only(),
    ];
    let schemas = Attribute::new("schemas", Kind::Reference, "The URNs of the schemas.").exact();
    vec![
        id,
        Attribute::text("externalId", "The id that the client uses.").exact(),
        Attribute::complex("meta", "Data about the resource.", meta).read_only(),
        Attribute { multi: true, returned: Returned::Always, ..schemas },
    ]
}
