//! The role mapping: which of the host's roles the facts of a directory grant, tenant by tenant.
//!
//! One TOML document for all tenants ([`document`]), checked as a whole ([`check()`]) before anything is made of it, kept
//! in versions (`tables::mappings`). What a tenant's section says replaces what the document says for everybody.

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

/// Which mapping holds where none was applied.
pub const DEFAULT: &str = include_str!("mapping/default.toml");

static BUILT_IN: LazyLock<Mapping> = LazyLock::new(|| check(DEFAULT).unwrap_or_default());

/// What holds for whom.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Mapping {
    /// 0 for the compiled-in one.
    pub version: i64,
    otherwise: Arc<MappingPolicy>,
    of_tenant: BTreeMap<String, Arc<MappingPolicy>>,
}

/// What holds for one tenant.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MappingPolicy {
    /// How the roles of several matching rules are combined.
    pub strategy: Strategy,
    /// What a person gets to whom no rule grants a role.
    pub unmapped: Unmapped,
    /// What happens to slugs of the broker that are not declared.
    pub unknown_roles: UnknownRoles,
    /// Roles that no rule may grant, nor the broker's role field (lesson 33).
    pub never_from_directory: BTreeSet<String>,
    /// The declared roles, by slug.
    pub roles: BTreeMap<String, Role>,
    /// In the order of the document: the first rule that grants a role is its explanation.
    pub rules: Vec<Rule>,
}

/// How the roles of several matching rules are combined.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strategy {
    /// Every role that any rule grants.
    #[default]
    All,
    /// Of those, the one of the highest priority.
    Highest,
}

/// What becomes of somebody to whom nothing in the directory grants a role (lesson 31).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Unmapped {
    /// They may come in, and hold no role.
    #[default]
    None,
    /// They are denied access.
    NoAccess,
    /// They hold this role.
    Role(String),
}

/// What becomes of a slug in the broker's role field that no rule names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum UnknownRoles {
    /// It is a role of the host's, granted to whoever has it.
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
    /// The higher, the more it counts; without one it counts least.
    pub priority: Option<i64>,
    /// Worth telling when somebody gains or loses it.
    pub privileged: bool,
    /// Its last holder in a tenant keeps it (`decide::protect`).
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
    /// The compiled-in mapping: the broker's role slugs are the roles.
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

    /// Whether memberships matter to anybody's roles.
    pub fn uses_groups(&self) -> bool {
        self.policies().any(|policy| policy.rules.iter().any(|rule| rule.when.uses_groups()))
    }

    /// Whether attributes matter to anybody's roles.
    pub fn uses_attributes(&self) -> bool {
        self.policies().any(|policy| policy.rules.iter().any(|rule| rule.when.uses_attributes()))
    }

    /// Whether any tenant has a protected role.
    pub fn protects(&self) -> bool {
        self.policies().any(|policy| policy.protected().next().is_some())
    }

    /// The same, protecting nothing: for a fold of the log, which does not tell who was ever shown (`rebuild`).
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
    /// Whether a rule looks for this slug in the broker's role field.
    pub fn knows(&self, slug: &str) -> bool {
        self.rules.iter().any(|rule| rule.when.names_role(slug))
    }

    /// The host's roles of a tenant whose broker ever named `mentioned`: slug and name.
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

    /// Whether any role is privileged.
    pub fn has_privileged(&self) -> bool {
        self.roles.values().any(|role| role.privileged)
    }

    /// Whether this role is declared as privileged.
    pub fn is_privileged(&self, slug: &str) -> bool {
        self.roles.get(slug).is_some_and(|role| role.privileged)
    }
}
