//! The fact that decides a row: for each tenant the newest fact with a claim of that tenant.

use std::collections::HashMap;

use super::{
    ownership::{Ownership, admissible},
    state::{LatestFact, StateSlice},
};
use crate::decide::fact::EntityKind;

/// A directory's ownership and kind of provider.
#[derive(Clone, Debug)]
pub struct Home {
    /// Its owner and whether it still exists.
    pub place: Ownership,
    /// The kind of provider.
    pub provider: Option<String>,
}

/// The homes by directory id.
pub type Homes = HashMap<String, Home>;

/// The fact that decides a row.
pub struct NewestFact<'a> {
    /// The fact.
    pub fact: &'a LatestFact,
    /// The directory that it belongs to.
    pub directory_id: &'a str,
    /// The state of that directory.
    pub home: &'a Home,
    revealed: bool,
}

impl NewestFact<'_> {
    /// The tenant of the row.
    pub fn tenant_id(&self) -> &str {
        &self.home.place.tenant_id
    }
}

/// The deciding fact in each tenant: usually one, and none while only removals are known. Imported directories bring
/// their own ids (docs/broker-workos.md 1.3), so several tenants may have a user or group with the same id: these are
/// different entities (promise 6).
pub fn newest_facts<'a>(
    state: &'a StateSlice,
    kind: EntityKind,
    id: &str,
    homes: &'a Homes,
) -> Vec<NewestFact<'a>> {
    let mut newest_facts: Vec<NewestFact<'a>> = Vec::new();
    for fact in admissible(state, state.facts(kind, id)) {
        let Some(claim) = state.claim(fact.claim_id) else { continue };
        let Some(home) = homes.get(&claim.directory_id) else { continue };
        let candidate = NewestFact {
            fact,
            directory_id: &claim.directory_id,
            home,
            revealed: fact.revealed_by.is_some(),
        };
        match newest_facts.iter_mut().find(|newest| newest.tenant_id() == candidate.tenant_id()) {
            None => newest_facts.push(candidate),
            Some(newest) => {
                let revealed = newest.revealed || candidate.revealed;
                if candidate.fact.version > newest.fact.version {
                    *newest = candidate;
                }
                newest.revealed = revealed;
            }
        }
    }
    newest_facts.retain(|newest| newest.revealed);
    newest_facts
}
