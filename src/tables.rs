//! The tables of the directory. Each table has one file, with all SQL about it.
//!
//! Rows change only in the serialized transaction, so a row that it has loaded cannot change before it writes. A crash
//! leaves all rows of a transaction or none.

#![warn(missing_docs)]

pub mod access_under_review;
pub mod claims;
pub mod comparisons;
pub mod directories;
pub mod directory_activity;
pub mod directory_lookup;
pub mod directory_moves;
pub mod display_names;
pub mod event_cursors;
pub mod facts;
pub mod group_members;
pub mod groups;
pub mod guard_counts;
pub mod held_users;
pub mod hold_decisions;
pub mod holds;
pub mod host_tables;
pub mod manual_grants;
pub mod mappings;
pub mod memberships;
pub mod polled_events;
pub mod properties;
pub mod published;
pub mod recipients;
pub mod recompute_jobs;
pub mod refused;
pub mod refused_claims;
pub mod report_periods;
pub mod role_holders;
pub mod role_list;
pub mod roles;
pub mod scim_members;
pub mod scim_resources;
pub mod scim_tokens;
pub mod sign_in;
pub mod tenant_listing;
pub mod tenant_lookup;
pub mod tenants;
pub mod user_lookup;
pub mod users;
pub mod users_by_idp_id;
mod watched;

use crate::decide::fact::EntityKind;

/// The number of a kind in a column.
pub(crate) const fn code(kind: EntityKind) -> i16 {
    match kind {
        EntityKind::Organization => 0,
        EntityKind::Directory => 1,
        EntityKind::User => 2,
        EntityKind::Group => 3,
    }
}

pub(crate) const fn kind(code: i16) -> EntityKind {
    match code {
        0 => EntityKind::Organization,
        1 => EntityKind::Directory,
        2 => EntityKind::User,
        _ => EntityKind::Group,
    }
}

/// (tenant, id): the key of rows that the application reads.
pub type Key = (String, String);
