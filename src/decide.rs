//! Decisions: (what is known, what was just said) → what changes. Pure: no I/O, no clock, no random.
//!
//! Two steps. [`fold`] joins observations to the latest facts, a join that commutes and repeats freely: the newest
//! version wins, and what was revealed stays revealed. The rest *derives* what the host sees from the latest facts
//! alone. So the tables depend on the set of events and not on their order (docs/versions.md).

pub mod access;
pub mod address;
pub mod bearers;
pub mod content_hash;
pub mod context;
pub mod directories;
pub mod examine;
pub mod fact;
pub mod fold;
pub mod groups;
pub mod guard;
pub mod known_user;
pub mod last_profile;
pub mod mapping;
pub mod moves;
pub mod namesakes;
pub mod newest;
pub(crate) mod number;
pub mod ownership;
pub mod person_id;
pub mod privileges;
pub mod protected_roles;
pub mod roles;
pub mod state;
pub mod still_needed;
pub mod tenant;
pub mod users;

use std::{collections::BTreeMap, sync::Arc};

use crate::decide::mapping::Mapping;

/// The tenant of everybody in single-tenant mode, and of directories that no organization claims.
pub const DEFAULT_TENANT: &str = "default";

/// Who the tenants are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tenancy {
    /// A tenant is the broker's organization.
    #[default]
    Multi,
    /// Every directory belongs to the tenant `default`.
    Single,
}

/// What the operator has decided about decisions. The tables are a function of the events and of these.
#[derive(Clone, Debug, PartialEq)]
pub struct Rules {
    /// Who the tenants are.
    pub tenancy: Tenancy,
    /// What a deleted directory means for its people.
    pub directory_deleted: DirectoryDeleted,
    /// The role mapping in force.
    pub mapping: Arc<Mapping>,
    /// Off unless settings say otherwise.
    pub guard: guard::Guard,
}

/// What becomes of the people when a directory is deleted; its groups go in any case (lesson 7).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DirectoryDeleted {
    /// What holds for all other tenants.
    pub otherwise: People,
    /// What holds for single tenants.
    pub of_tenant: BTreeMap<String, People>,
}

/// What becomes of the people of a deleted directory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum People {
    /// They lose access.
    #[default]
    Deprovision,
    /// They stay as they are, as when a customer changes its provider. A deleted organization still ends their access.
    Keep,
}

impl Default for Rules {
    fn default() -> Self {
        let mapping = Arc::new(Mapping::built_in());
        let directory_deleted = DirectoryDeleted::default();
        Self { tenancy: Tenancy::default(), directory_deleted, mapping, guard: guard::Guard::default() }
    }
}

impl Rules {
    pub(crate) fn keeps_people(&self, tenant_id: &str) -> bool {
        let DirectoryDeleted { otherwise, of_tenant } = &self.directory_deleted;
        of_tenant.get(tenant_id).unwrap_or(otherwise) == &People::Keep
    }
}
