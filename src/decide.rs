//! Decisions: (what is known, what was just said) → what changes. Pure: no I/O, no clock, no random.
//!
//! Two steps. [`fold`] joins observations to the standing words, a join that commutes and repeats freely: the newest
//! version wins, and what was revealed stays revealed. The rest *derives* what the host sees from the standing words
//! alone. So the tables depend on the set of events and not on their order (docs/versions.md).

pub mod access;
pub mod address;
pub mod around;
pub mod bearers;
pub mod digest;
pub mod directories;
pub mod examine;
pub mod fold;
pub mod groups;
pub mod guard;
pub mod needed;
pub mod person;
pub mod place;
pub mod privileges;
pub mod protect;
pub mod roles;
pub mod said;
pub mod state;
pub mod tenant;
pub mod users;
pub mod winner;

use std::{collections::BTreeMap, sync::Arc};

use crate::mapping::Mapping;

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

/// What the operator has decided about decisions. The tables are a function of the events and of these.
#[derive(Clone, Debug, PartialEq)]
pub struct Rules {
    pub tenancy: Tenancy,
    pub directory_deleted: DirectoryDeleted,
    pub mapping: Arc<Mapping>,
    /// Off unless settings say otherwise.
    pub guard: guard::Guard,
}

/// What becomes of the people when a directory is deleted; its groups go in any case (lesson 7).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DirectoryDeleted {
    pub otherwise: People,
    pub of_tenant: BTreeMap<String, People>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum People {
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
