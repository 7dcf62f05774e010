//! Derives the roles of a user from the current facts, whatever was granted before (lesson 30). Pure and total; the
//! order of arrival does not matter.

#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, fmt};

use super::protected_roles::RoleLoss;
use crate::{
    decide::mapping::{
        MappingPolicy, Strategy, UnknownRoles, Unmapped,
        condition::{ConditionEvidence, UserFacts},
    },
    runtime::clock::Timestamp,
};

/// The text of `granted_by` for a slug of the broker's role field that no rule names.
pub const PASS_THROUGH: &str = "broker role";

/// The text of `granted_by` for a retained role.
pub const RETAINED: &str = "protected: nobody else holds it";

/// A role that an operator granted. No fact of the directory ends it, and the row has it while the person has access.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Manual {
    /// The role's slug.
    pub role: String,
    /// When it was granted.
    pub since: Timestamp,
    /// The operator who granted it.
    pub by: String,
    /// The operator's reason.
    pub reason: String,
}

/// The explanation of a role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Because {
    /// A rule of the mapping.
    Rule {
        /// The rule's name.
        name: String,
        /// The facts that fulfil its condition.
        evidence: Vec<ConditionEvidence>,
    },
    /// This slug of the broker's role field, by the policy on slugs that no rule names.
    BrokerRole(String),
    /// No rule grants a role, and the mapping defines a role for that case.
    Unmapped,
    /// An operator granted it.
    Manual(Manual),
    /// No rule grants it since this loss. The role is protected, and nobody else in the tenant holds it.
    Retained(RoleLoss),
}

/// The start of a role: the later of a time and the latest fact about the user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Since {
    /// The time of the fact; `None` if it is the time of the user's latest fact.
    pub at: Option<Timestamp>,
    /// Whether the user's latest fact counts too.
    pub newest_fact: bool,
}

/// The outcome for one user.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Derived {
    /// Each role with its explanation.
    pub held: BTreeMap<String, Because>,
    /// Whether the policy denies access because no rule grants a role.
    pub shut_out: bool,
    /// The broker's slugs that the policy ignores.
    pub ignored: Vec<String>,
}

/// The roles of a user under a policy.
pub fn derive(policy: &MappingPolicy, facts: UserFacts<'_>, manual: &[Manual]) -> Derived {
    let mut derived = Derived::default();
    // The first matching rule in the order of the document is the explanation.
    for rule in &policy.rules {
        let Some(evidence) = rule.when.matches(facts) else { continue };
        for role in &rule.grants {
            let because = || Because::Rule { name: rule.name.clone(), evidence: evidence.clone() };
            derived.held.entry(role.clone()).or_insert_with(because);
        }
    }
    for slug in facts.role_slugs.iter().filter(|slug| !policy.knows(slug)) {
        let role = match &policy.unknown_roles {
            UnknownRoles::Create => slug,
            UnknownRoles::MapTo(role) => role,
            UnknownRoles::Ignore => {
                derived.ignored.push(slug.clone());
                continue;
            }
        };
        derived.held.entry(role.clone()).or_insert_with(|| Because::BrokerRole(slug.clone()));
    }
    derived.held.retain(|role, _| !policy.never_from_directory.contains(role));
    if policy.strategy == Strategy::Highest {
        keep_highest(policy, &mut derived.held);
    }
    if derived.held.is_empty() {
        match &policy.unmapped {
            Unmapped::None => {}
            Unmapped::NoAccess => derived.shut_out = manual.is_empty(),
            Unmapped::Role(role) if policy.never_from_directory.contains(role) => {}
            Unmapped::Role(role) => drop(derived.held.insert(role.clone(), Because::Unmapped)),
        }
    }
    for grant in manual {
        // If a rule and an operator grant the role, the rule is the explanation. When the rule ends, the manual grant
        // remains.
        derived.held.entry(grant.role.clone()).or_insert_with(|| Because::Manual(grant.clone()));
    }
    derived
}

fn keep_highest(policy: &MappingPolicy, held: &mut BTreeMap<String, Because>) {
    let priority = |role: &str| policy.roles.get(role).and_then(|role| role.priority);
    // Of several roles without a priority the first by name is chosen, so that the result is always the same.
    let highest = held.keys().rev().max_by_key(|role| priority(role)).cloned();
    held.retain(|role, _| Some(role) == highest.as_ref());
}

impl Because {
    /// The start of the role, in the broker's time.
    pub fn since(&self) -> Since {
        let group = |one: &ConditionEvidence| match one {
            ConditionEvidence::Group(group) => Some(group.since),
            ConditionEvidence::Role(_) | ConditionEvidence::Attribute { .. } => None,
        };
        match self {
            Self::Rule { evidence, .. } => Since {
                at: evidence.iter().filter_map(group).max(),
                newest_fact: evidence.iter().any(|one| group(one).is_none()),
            },
            Self::Manual(grant) => Since { at: Some(grant.since), newest_fact: false },
            Self::Retained(loss) => Since { at: Some(loss.at), newest_fact: false },
            Self::BrokerRole(_) | Self::Unmapped => Since { at: None, newest_fact: true },
        }
    }
}

/// The text of `user_roles.granted_by`.
impl fmt::Display for Because {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rule { name, evidence } => {
                write!(f, "rule {name}")?;
                for (n, one) in evidence.iter().enumerate() {
                    write!(f, "{} {one}", if n == 0 { ":" } else { "," })?;
                }
                Ok(())
            }
            Self::BrokerRole(_) => f.write_str(PASS_THROUGH),
            Self::Unmapped => f.write_str("default role: nothing else is granted"),
            Self::Manual(grant) => write!(f, "manual grant: {}", grant.reason),
            Self::Retained(_) => f.write_str(RETAINED),
        }
    }
}
