//! SCIM 2.0 (RFC 7643, RFC 7644, RFC 9865) as a protocol: schemas, filters, PATCH, projections, paging, errors. Pure, and
//! usable without the rest of rosterd: it knows JSON and no table, no HTTP and no clock.
//!
//! | module | does |
//! |---|---|
//! | [`schema`] | attributes and their characteristics; users, groups, the enterprise extension |
//! | [`name`] | names of attributes with sub-attributes and URNs |
//! | [`resource`] | the normal form of a resource |
//! | [`filter`] | reads, evaluates and prints filters |
//! | [`patch`] | reads and applies PATCH messages |
//! | [`projection`] | `attributes` and `excludedAttributes` |
//! | [`query`] | the parameters of a list, from a query string or a search message |
//! | [`cursor`] | cursors that nobody can change |
//! | [`etag`] | versions and preconditions |
//! | [`discovery`] | the description of the service provider |
//!
//! The reasons for own code are in `docs/decisions/`.

#![warn(missing_docs)]

pub mod cursor;
pub mod discovery;
mod error;
pub mod etag;
pub mod filter;
pub mod name;
pub mod patch;
pub mod projection;
pub mod query;
pub mod resource;
pub mod schema;
pub mod sort;

pub use error::{ERROR, ScimError};
