//! The role mapping: the rules that turn facts of a directory into the application's roles, for each tenant.
//!
//! One TOML document ([`document`]) has the rules of all tenants. It is checked as a whole ([`check()`]) and stored in
//! versions (`tables::mappings`). A tenant's section replaces the general one.

pub mod check;
pub mod condition;
mod document;
#[cfg(test)]
mod tests;
mod written_condition;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, LazyLock},
};

pub use check::{MappingFault, check};
use condition::Condition;

/// The document of the built-in mapping, in force until an operator applies another one.
pub const DEFAULT: &str = include_str!("mapping/default.toml");

static BUILT_IN: LazyLock<Mapping> = LazyLock::new(|| check(DEFAULT).unwrap_or_default());

/// The policies of all tenants.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Mapping {
    /// The number of the applied version; 0 for the built-in mapping.
    pub version: i64,
    otherwise: Arc<MappingPolicy>,
    of_tenant: BTreeMap<String, Arc<MappingPolicy>>,
}

/// The policy of one tenant.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MappingPolicy {
    /// How the roles of several matching rules are combined.
    pub strategy: Strategy,
    /// The treatment of a person to whom no rule grants a role.
    pub unmapped: Unmapped,
    /// The treatment of slugs in the broker's role field that no rule names.
    pub unknown_roles: UnknownRoles,
    /// Roles that neither a rule nor the broker's role field may grant (lesson 33).
    pub never_from_directory: BTreeSet<String>,
    /// The declared roles, by slug.
    pub roles: BTreeMap<String, Role>,
    /// In the order of the document. The first rule that grants a role is its explanation.
    pub rules: Vec<Rule>,
}

/// How the roles of several matching rules are combined.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strategy {
    /// Every role that any rule grants.
    #[default]
    All,
    /// Only the role with the highest priority.
    Highest,
}

/// The treatment of a person to whom no rule grants a role (lesson 31).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Unmapped {
    /// They have access and no role.
    #[default]
    None,
    /// They have no access.
    NoAccess,
    /// They get this role.
    Role(String),
}

/// The treatment of a slug in the broker's role field that no rule names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum UnknownRoles {
    /// It becomes a role of the application and is granted.
    #[default]
    Create,
    /// It grants nothing.
    Ignore,
    /// It grants this role.
    MapTo(String),
}

/// A declared role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    /// Its display name.
    pub name: String,
    /// A higher number goes before a lower one; a role without a number comes last.
    pub priority: Option<i64>,
    /// Gains and losses are mailed, and the guard counts the losses.
    pub privileged: bool,
    /// The last holder in a tenant retains it (`decide::protected_roles`).
    pub protected: bool,
}

/// One rule of the document.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// Its name, unique within its section; explanations cite it.
    pub name: String,
    /// The condition.
    pub when: Condition,
    /// Slugs of the roles that it grants.
    pub grants: Vec<String>,
}

impl Mapping {
    /// The built-in mapping: the broker's role slugs are the roles.
    pub fn built_in() -> Self {
        BUILT_IN.clone()
    }

    /// The same rules under another version number.
    pub fn as_version(self, version: i64) -> Self {
        Self { version, ..self }
    }

    /// The policy of a tenant: its own section, or the general one.
    pub fn of(&self, tenant_id: &str) -> &MappingPolicy {
        self.of_tenant.get(tenant_id).unwrap_or(&self.otherwise)
    }

    /// Tenants with a section of their own.
    pub fn tenants(&self) -> impl Iterator<Item = &String> {
        self.of_tenant.keys()
    }

    /// Whether any rule uses groups.
    pub fn uses_groups(&self) -> bool {
        self.policies().any(|policy| policy.rules.iter().any(|rule| rule.when.uses_groups()))
    }

    /// Whether any rule uses attributes.
    pub fn uses_attributes(&self) -> bool {
        self.policies().any(|policy| policy.rules.iter().any(|rule| rule.when.uses_attributes()))
    }

    /// Whether any tenant has a protected role.
    pub fn protects(&self) -> bool {
        self.policies().any(|policy| policy.protected().next().is_some())
    }

    /// The same rules without protected roles. A rebuild uses it, because the log does not tell which rows had a role.
    pub fn unprotected(&self) -> Self {
        let unprotected = |policy: &Arc<MappingPolicy>| {
            let mut policy = MappingPolicy::clone(policy);
            policy.roles.values_mut().for_each(|role| role.protected = false);
            Arc::new(policy)
        };
        let of_tenant = self.of_tenant.iter().map(|(tenant, policy)| (tenant.clone(), unprotected(policy)));
        Self {
            version: self.version,
            otherwise: unprotected(&self.otherwise),
            of_tenant: of_tenant.collect(),
        }
    }

    fn policies(&self) -> impl Iterator<Item = &MappingPolicy> {
        self.of_tenant.values().chain([&self.otherwise]).map(Arc::as_ref)
    }
}

impl MappingPolicy {
    /// Whether any rule names this slug of the broker's role field.
    pub fn knows(&self, slug: &str) -> bool {
        self.rules.iter().any(|rule| rule.when.names_role(slug))
    }

    /// The application's roles in a tenant, slug and name. `mentioned` are the slugs that the broker ever named there.
    pub fn listed<'a>(&'a self, mentioned: impl Iterator<Item = &'a str>) -> BTreeMap<&'a str, &'a str> {
        let mut listed: BTreeMap<&str, &str> =
            self.roles.iter().map(|(slug, role)| (slug.as_str(), role.name.as_str())).collect();
        if self.unknown_roles == UnknownRoles::Create {
            for slug in mentioned.filter(|slug| !self.knows(slug)) {
                listed.entry(slug).or_insert(slug);
            }
        }
        listed
    }

    /// The slugs of the protected roles.
    pub fn protected(&self) -> impl Iterator<Item = &str> {
        self.roles.iter().filter(|(_, role)| role.protected).map(|(slug, _)| slug.as_str())
    }

    /// The tenant's privileged roles.
    pub fn privileged(&self) -> impl Iterator<Item = &str> {
        self.roles.iter().filter(|(_, role)| role.privileged).map(|(slug, _)| slug.as_str())
    }

    /// Whether this role is declared as privileged.
    pub fn is_privileged(&self, slug: &str) -> bool {
        self.roles.get(slug).is_some_and(|role| role.privileged)
    }
}
