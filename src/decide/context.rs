//! The other inputs of a user's row: directories, groups, the mapping and manual grants.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{namesakes::SeparatePersons, newest_fact::Homes, protected_roles::RoleLoss, roles::Manual};
use crate::decide::mapping::{Mapping, condition::GroupMembership};

/// The groups of each user, by (tenant, user).
pub type Groups = HashMap<(String, String), Vec<GroupMembership>>;
/// The roles that operators granted, by (tenant, person).
pub type ManualGrants = HashMap<(String, String), Vec<Manual>>;

/// The held states, by (tenant, user).
pub type HeldStates = HashMap<(String, String), HeldState>;

/// The part of a row that a hold leaves unchanged, whatever is derived.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeldState {
    /// Whether access remains as in the row.
    pub access: bool,
    /// Roles that remain as in the row.
    pub roles: BTreeSet<String>,
}

/// The protected roles that each user retains without a grant, by (tenant, user), with the loss
/// (`super::protected_roles`).
pub type RetainedRoles = HashMap<(String, String), BTreeMap<String, RoleLoss>>;

/// The loaded inputs of a derivation, beside the facts.
pub struct Context<'a> {
    /// Owner and state of each directory.
    pub homes: &'a Homes,
    /// The role mapping in force.
    pub mapping: &'a Mapping,
    /// Users who are another person than their `idp_id` alone tells.
    pub separate: SeparatePersons,
    /// The groups of the users.
    pub groups: Groups,
    /// The manual grants.
    pub manual_grants: ManualGrants,
    /// Manual grants that follow a person to a new person id: (tenant, user, old person id, new person id).
    pub followed: Vec<[String; 4]>,
    /// The states that the guard holds.
    pub held_states: HeldStates,
    /// The protected roles that users retain.
    pub retained: RetainedRoles,
}

impl<'a> Context<'a> {
    /// A context without groups, manual grants, held states and retained roles.
    pub fn new(homes: &'a Homes, mapping: &'a Mapping) -> Self {
        let (groups, manual_grants) = (Groups::new(), ManualGrants::new());
        let followed = Vec::new();
        let (separate, held_states, retained) =
            (SeparatePersons::new(), HeldStates::new(), RetainedRoles::new());
        Self { homes, mapping, separate, groups, manual_grants, followed, held_states, retained }
    }

    /// The user's groups, sorted by id; empty if no rule uses groups.
    pub fn groups(&self, tenant_id: &str, user_id: &str) -> &[GroupMembership] {
        self.groups.get(&(tenant_id.to_owned(), user_id.to_owned())).map_or(&[], Vec::as_slice)
    }

    /// The protected roles that this user retains.
    pub fn retained(&self, tenant_id: &str, user_id: &str) -> Option<&BTreeMap<String, RoleLoss>> {
        self.retained.get(&(tenant_id.to_owned(), user_id.to_owned()))
    }

    /// The state that the guard holds for this user.
    pub fn held_state(&self, tenant_id: &str, user_id: &str) -> Option<&HeldState> {
        self.held_states.get(&(tenant_id.to_owned(), user_id.to_owned()))
    }

    /// The manual grants of this person.
    pub fn manual(&self, tenant_id: &str, person_id: &str) -> &[Manual] {
        self.manual_grants.get(&(tenant_id.to_owned(), person_id.to_owned())).map_or(&[], Vec::as_slice)
    }
}
