//! What else a user's row depends on: directories, groups, the mapping, and what was given by hand.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{namesakes::Apart, newest_fact::Homes, protected_roles::RoleLoss, roles::Manual};
use crate::decide::mapping::{Mapping, condition::GroupMembership};

/// By (tenant, user), and by (tenant, person).
pub type Groups = HashMap<(String, String), Vec<GroupMembership>>;
/// By (tenant, person): roles that operators granted.
pub type ManualGrants = HashMap<(String, String), Vec<Manual>>;

/// By (tenant, user).
pub type HeldStates = HashMap<(String, String), HeldState>;

/// What a user keeps of what is shown, whatever is derived.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeldState {
    /// Whether access is left as shown.
    pub access: bool,
    /// Roles that are left as shown.
    pub roles: BTreeSet<String>,
}

/// By (tenant, user): protected roles that they keep, since when nothing grants them (`super::protected_roles`).
pub type RetainedRoles = HashMap<(String, String), BTreeMap<String, RoleLoss>>;

/// What is loaded beside the facts.
pub struct Context<'a> {
    /// Owner and state of each directory.
    pub homes: &'a Homes,
    /// The role mapping in force.
    pub mapping: &'a Mapping,
    /// Whoever is not who their `idp_id` alone says.
    pub apart: Apart,
    /// The groups of the users.
    pub groups: Groups,
    /// The manual grants.
    pub by_hand: ManualGrants,
    /// Roles that were given to these users when the person was known otherwise: (tenant, user, person then, person now).
    pub followed: Vec<[String; 4]>,
    /// What the guard holds.
    pub stays: HeldStates,
    /// What protected roles retain.
    pub kept: RetainedRoles,
}

impl<'a> Context<'a> {
    /// No groups, nothing given by hand, nothing that stays or is kept.
    pub fn new(homes: &'a Homes, mapping: &'a Mapping) -> Self {
        let (groups, by_hand) = (Groups::new(), ManualGrants::new());
        let followed = Vec::new();
        let (apart, stays, kept) = (Apart::new(), HeldStates::new(), RetainedRoles::new());
        Self { homes, mapping, apart, groups, by_hand, followed, stays, kept }
    }

    /// Sorted by id; none where no rule asks for groups.
    pub fn groups(&self, tenant_id: &str, user_id: &str) -> &[GroupMembership] {
        self.groups.get(&(tenant_id.to_owned(), user_id.to_owned())).map_or(&[], Vec::as_slice)
    }

    /// The protected roles that this user retains.
    pub fn kept(&self, tenant_id: &str, user_id: &str) -> Option<&BTreeMap<String, RoleLoss>> {
        self.kept.get(&(tenant_id.to_owned(), user_id.to_owned()))
    }

    /// What the guard holds for this user.
    pub fn stay(&self, tenant_id: &str, user_id: &str) -> Option<&HeldState> {
        self.stays.get(&(tenant_id.to_owned(), user_id.to_owned()))
    }

    /// The manual grants of this person.
    pub fn manual(&self, tenant_id: &str, person_id: &str) -> &[Manual] {
        self.by_hand.get(&(tenant_id.to_owned(), person_id.to_owned())).map_or(&[], Vec::as_slice)
    }
}
