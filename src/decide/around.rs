//! What else a user's row depends on: directories, groups, the mapping, and what was given by hand.

use std::collections::HashMap;

use super::{roles::Manual, winner::Homes};
use crate::mapping::{Mapping, condition::Membership};

/// By (tenant, user), and by (tenant, person).
pub type Groups = HashMap<(String, String), Vec<Membership>>;
pub type ByHand = HashMap<(String, String), Vec<Manual>>;

pub struct Around<'a> {
    pub homes: &'a Homes,
    pub mapping: &'a Mapping,
    pub groups: Groups,
    pub by_hand: ByHand,
}

impl Around<'_> {
    /// Sorted by id; none where no rule asks for groups.
    pub fn groups(&self, tenant_id: &str, user_id: &str) -> &[Membership] {
        self.groups.get(&(tenant_id.to_owned(), user_id.to_owned())).map_or(&[], Vec::as_slice)
    }

    pub fn manual(&self, tenant_id: &str, person_id: &str) -> &[Manual] {
        self.by_hand.get(&(tenant_id.to_owned(), person_id.to_owned())).map_or(&[], Vec::as_slice)
    }
}
