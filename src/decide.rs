//! Decisions: (what is known, what was just said) → what changes. Pure: no I/O, no clock, no random.
//!
//! Two steps. [`fold`] joins observations to the standing words, a join that commutes and repeats freely: the newest
//! version wins, and what was revealed stays revealed. The rest *derives* what the host sees from the standing words
//! alone. So the tables depend on the set of events and not on their order (design: *Versions*).

pub mod access;
pub mod digest;
pub mod directories;
pub mod fold;
pub mod groups;
pub mod needed;
pub mod person;
pub mod place;
pub mod roles;
pub mod state;
pub mod users;
pub mod winner;

/// The tenant of everybody in single-tenant mode, and of directories that no organization claims.
pub const DEFAULT_TENANT: &str = "default";

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tenancy {
    /// A tenant is the broker's organization.
    #[default]
    Multi,
    /// Every directory belongs to the tenant `default`.
    Single,
}
