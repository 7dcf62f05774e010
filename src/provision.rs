//! Writes and reads of directories by SCIM, without HTTP.
//!
//! A write changes the stored document of a resource and appends a delivery with the result to the inbox, in one
//! transaction. The applier folds the delivery like every other one. The document is what the identity provider wrote; the
//! application's tables are what the facts, the guard and the mapping make of it.
//!
//! | module | does |
//! |---|---|
//! | [`request`] | a write, its result, and what is stored of a request |
//! | [`writer`] | one thread commits all writes that arrived during the commit before |
//! | [`shelf`] | the documents that a batch of writes needs, read once |
//! | [`execute`] | one write on the shelf |
//! | [`change`] | the document after a write; pure |
//! | [`delivery`] | the body of a delivery |
//! | [`list`] | filters, order and pages |
//! | [`directory`] | the resources of a directory, as its identity provider wrote them |
//! | [`tenant`] | the resources of a tenant, as the application must see them |
//! | [`shown`] | a resource as an answer shows it |
//! | [`token`] | secrets of clients and their digests |

#![warn(missing_docs)]

pub mod change;
pub mod delivery;
pub mod directory;
pub mod execute;
pub mod list;
pub mod request;
pub mod shelf;
pub mod shown;
pub mod tenant;
pub mod token;
pub mod writer;

use crate::{
    scim::schema::ResourceType,
    tables::scim_resources::{GROUP, USER},
};

/// The kind of a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A user.
    User,
    /// A group.
    Group,
}

impl Kind {
    /// Both kinds.
    pub const ALL: [Self; 2] = [Self::User, Self::Group];

    /// Its schemas.
    pub fn resource_type(self) -> &'static ResourceType {
        match self {
            Self::User => ResourceType::user(),
            Self::Group => ResourceType::group(),
        }
    }

    /// Its number in the table.
    pub const fn code(self) -> i16 {
        match self {
            Self::User => USER,
            Self::Group => GROUP,
        }
    }

    /// The kind with this number.
    pub const fn of_code(code: i16) -> Self {
        if code == GROUP { Self::Group } else { Self::User }
    }
}
