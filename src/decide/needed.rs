//! Which deliveries the log cannot do without.

use std::collections::HashSet;

use super::{
    fold::claim_of,
    state::{Standing, State},
};
use crate::fact::{Kind, Observation};

/// Deliveries that memberships and role mentions rest on.
pub type Evidence = HashSet<i64>;

/// Whether something that stands rests on this delivery: the newest word on an entity or membership, the word that
/// reveals it, the newest deletion of a group, the newest word on a bearer of an
/// id, the oldest claim to a directory, the mention of a role. All others can go, and the rest folds to the
/// same tables.
pub fn needed(state: &State, inbox_id: i64, observation: &Observation, evidence: &Evidence) -> bool {
    let ends = |word: &Standing| word.ended.as_ref().is_some_and(|ended| ended.inbox_id == inbox_id);
    let names = |word: &Standing| {
        word.bearers.iter().any(|bearer| bearer.inbox_id == inbox_id || bearer.spoken_by == inbox_id)
    };
    let rests = |word: &Standing| {
        word.inbox_id == inbox_id || word.revealed_by == Some(inbox_id) || ends(word) || names(word)
    };
    let holds = |kind: Kind, id: &str| state.words(kind, id).iter().any(rests);
    let entities = match observation {
        Observation::Organization(word) => holds(Kind::Organization, &word.id),
        Observation::Directory { word, .. } => holds(Kind::Directory, &word.id),
        Observation::User { word, .. } => holds(Kind::User, &word.id),
        Observation::Group { word, .. } => holds(Kind::Group, &word.id),
        Observation::Membership { user, group, .. } => {
            holds(Kind::User, &user.id) || holds(Kind::Group, &group.id)
        }
    };
    let claims = claim_of(observation).is_some_and(|(directory_id, _)| {
        state
            .claims_of(directory_id)
            .any(|claim| claim.first_inbox_id == inbox_id || claim.revealed_by == Some(inbox_id))
    });
    entities || claims || evidence.contains(&inbox_id)
}
