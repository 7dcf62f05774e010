//! The contents of facts.

use serde::Serialize;

use crate::decide::fact::{self, EntityKind};

/// The content of a fact.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// An organization.
    Organization(fact::Organization),
    /// A directory.
    Directory(fact::Directory),
    /// A user.
    User(fact::User),
    /// A group.
    Group(fact::Group),
}

/// The content types of facts.
pub trait FactContent: Serialize + PartialEq {
    /// The kind of the entity.
    const KIND: EntityKind;
    /// Wraps the content.
    fn into_content(self) -> Content;
    /// The content as this type; `None` if it has another kind.
    fn of(content: &Content) -> Option<&Self>;
}

macro_rules! fact_contents {
    ($($kind:ident)*) => {$(
        impl FactContent for fact::$kind {
            const KIND: EntityKind = EntityKind::$kind;

            fn into_content(self) -> Content {
                Content::$kind(self)
            }

            fn of(content: &Content) -> Option<&Self> {
                match content {
                    Content::$kind(fact_contents) => Some(fact_contents),
                    _ => None,
                }
            }
        }
    )*};
}

fact_contents!(Organization Directory User Group);

impl Content {
    /// The kind of the entity.
    pub fn kind(&self) -> EntityKind {
        match self {
            Self::Organization(_) => EntityKind::Organization,
            Self::Directory(_) => EntityKind::Directory,
            Self::User(_) => EntityKind::User,
            Self::Group(_) => EntityKind::Group,
        }
    }
}
