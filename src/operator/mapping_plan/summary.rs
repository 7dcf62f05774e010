//! A plan in short: how many people gain and lose each role.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Plan;

/// How many people gain, lose or keep one role.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RoleCounts {
    pub gain: usize,
    pub lose: usize,
    /// Last holders of a protected role, who would lose it otherwise.
    pub keep: usize,
    pub privileged: bool,
}

impl Plan {
    /// The counts of each role that changes for somebody.
    pub fn by_role(&self) -> BTreeMap<&str, RoleCounts> {
        let mut counts: BTreeMap<&str, RoleCounts> = BTreeMap::new();
        for user in self.tenants.values().flat_map(BTreeMap::values) {
            for role in user.gains.keys() {
                counts.entry(role).or_default().gain += 1;
            }
            for role in &user.loses {
                counts.entry(role).or_default().lose += 1;
            }
            for role in &user.keeps {
                counts.entry(role).or_default().keep += 1;
            }
            for role in &user.privileged {
                counts.entry(role).or_default().privileged = true;
            }
        }
        counts
    }
}
