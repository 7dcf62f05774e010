//! Decisions: from the known state and new facts to changes. Pure: no I/O, no clock, no random numbers.
//!
//! There are two steps. [`fold_facts`] joins observations to the latest facts: the highest version wins, in any order and
//! with any repetition. All other modules derive the application's rows from the latest facts alone. So the tables
//! depend on the set of events and not on their order (docs/versions.md).

#![warn(missing_docs)]

pub mod access;
pub mod bearers;
mod content;
pub mod content_hash;
pub mod context;
pub mod directories;
pub mod email_key;
pub mod erased;
pub mod fact;
pub mod fold_facts;
pub mod groups;
pub mod guard;
pub(crate) mod json_number;
pub mod last_profile;
pub mod mapping;
pub mod moves;
pub mod namesakes;
pub mod newest_fact;
pub mod ownership;
pub mod person_id;
pub mod privileges;
pub mod profile;
pub mod protected_roles;
pub mod roles;
pub mod rule_input;
pub mod rule_matches;
pub mod state;
pub mod still_needed;
pub mod tenant;
#[cfg(test)]
pub(crate) mod testing;
mod user_change;
pub mod users;

use std::{collections::BTreeMap, sync::Arc};

use crate::decide::mapping::Mapping;

/// The tenant of everybody in single-tenant mode, and of directories that no organization claims.
pub const DEFAULT_TENANT: &str = "default";

/// How directories are divided among tenants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tenancy {
    /// A tenant is the broker's organization.
    #[default]
    Multi,
    /// Every directory belongs to the tenant `default`.
    Single,
}

/// The operator's settings and role mapping. The tables are a function of the events and of these rules.
#[derive(Clone, Debug, PartialEq)]
pub struct Rules {
    /// How directories are divided among tenants.
    pub tenancy: Tenancy,
    /// What happens to the people of a deleted directory.
    pub directory_deleted: DirectoryDeleted,
    /// The role mapping in force.
    pub mapping: Arc<Mapping>,
    /// The limits of the mass-change guard. The default is off.
    pub guard: guard::Guard,
    /// The length of a directory's first synchronization, in which changes of privileged roles are not reported one by one.
    pub first_sync_hours: u32,
}

/// What happens to the people of a deleted directory. Its groups are removed in any case (lesson 7).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DirectoryDeleted {
    /// The setting of all other tenants.
    pub otherwise: People,
    /// Settings of single tenants, by tenant id.
    pub of_tenant: BTreeMap<String, People>,
}

/// What happens to the people of a deleted directory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum People {
    /// They lose access.
    #[default]
    Deprovision,
    /// They keep their access, as when a customer changes its provider. A deleted organization still ends their
    /// access.
    Keep,
}

impl Default for Rules {
    fn default() -> Self {
        let mapping = Arc::new(Mapping::built_in());
        let directory_deleted = DirectoryDeleted::default();
        let (tenancy, guard, first_sync_hours) = (Tenancy::default(), guard::Guard::default(), 6);
        Self { tenancy, directory_deleted, mapping, guard, first_sync_hours }
    }
}

impl Rules {
    pub(crate) fn keeps_people(&self, tenant_id: &str) -> bool {
        let DirectoryDeleted { otherwise, of_tenant } = &self.directory_deleted;
        of_tenant.get(tenant_id).unwrap_or(otherwise) == &People::Keep
    }
}
