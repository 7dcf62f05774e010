//! The word that counts: for each tenant the newest among those whose claim stands.

use std::collections::HashMap;

use super::{
    place::{Place, admissible},
    state::{Standing, State},
};
use crate::fact::Kind;

/// A directory's outcome, and its kind of provider.
#[derive(Clone, Debug)]
pub struct Home {
    pub place: Place,
    pub provider: Option<String>,
}

pub type Homes = HashMap<String, Home>;

pub struct Winner<'a> {
    pub word: &'a Standing,
    pub directory_id: &'a str,
    pub home: &'a Home,
    revealed: bool,
}

impl Winner<'_> {
    pub fn tenant_id(&self) -> &str {
        &self.home.place.tenant_id
    }
}

/// Usually one; none while only removals speak of the entity. Several tenants may each have a user or group of one id,
/// since imported directories bring their own ids (docs/broker-workos.md 1.3): they are different entities (promise 6).
pub fn winners<'a>(state: &'a State, kind: Kind, id: &str, homes: &'a Homes) -> Vec<Winner<'a>> {
    let mut winners: Vec<Winner<'a>> = Vec::new();
    for word in admissible(state, state.words(kind, id)) {
        let Some(claim) = state.claim(word.claim_id) else { continue };
        let Some(home) = homes.get(&claim.directory_id) else { continue };
        let candidate =
            Winner { word, directory_id: &claim.directory_id, home, revealed: word.revealed_by.is_some() };
        match winners.iter_mut().find(|winner| winner.tenant_id() == candidate.tenant_id()) {
            None => winners.push(candidate),
            Some(winner) => {
                let revealed = winner.revealed || candidate.revealed;
                if candidate.word.version > winner.word.version {
                    *winner = candidate;
                }
                winner.revealed = revealed;
            }
        }
    }
    winners.retain(|winner| winner.revealed);
    winners
}
