//! The directory as tables: one file for each, its SQL in that file and nowhere else.
//!
//! Everything here runs inside the one write transaction in turn, so what was loaded cannot change before it is
//! written.

pub mod claims;
pub mod directories;
pub mod groups;
pub mod guard_counts;
pub mod heard;
pub mod held_users;
pub mod holds;
pub mod host;
pub mod lookup;
pub mod manual_grants;
pub mod mappings;
pub mod memberships;
pub mod names;
pub mod properties;
pub mod protected_seats;
pub mod refreshes;
pub mod refused;
pub mod refused_claims;
pub mod reports_told;
pub mod role_list;
pub mod roles;
pub mod tenants;
pub mod users;
pub mod words;

use crate::fact::Kind;

/// How a kind is kept in a column.
pub(crate) const fn code(kind: Kind) -> i16 {
    match kind {
        Kind::Organization => 0,
        Kind::Directory => 1,
        Kind::User => 2,
        Kind::Group => 3,
    }
}

pub(crate) const fn kind(code: i16) -> Kind {
    match code {
        0 => Kind::Organization,
        1 => Kind::Directory,
        2 => Kind::User,
        _ => Kind::Group,
    }
}

/// (tenant, id): the key of everything the host sees.
pub type Key = (String, String);
