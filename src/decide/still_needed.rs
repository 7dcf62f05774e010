//! The deliveries that the log must retain.

use std::collections::HashSet;

use super::{
    fold_facts::claim_of,
    state::{Bearer, LatestFact, StateSlice},
};
use crate::decide::fact::{EntityKind, Observation};

/// Deliveries from which memberships and role mentions were derived.
pub type NeededEvidence = HashSet<i64>;

/// Whether current state was derived from this delivery: the latest fact about an entity or membership, the fact that
/// reveals it, the newest deletion of a group, the newest or the first fact about a bearer of an id, the profile
/// before a user's deletion, the oldest claim to a directory, or the mention of a role. All other deliveries can be
/// deleted, and a replay of the rest gives the same tables.
pub fn needed(
    state: &StateSlice,
    inbox_id: i64,
    observation: &Observation,
    evidence: &NeededEvidence,
) -> bool {
    let ends = |fact: &LatestFact| fact.ended.as_ref().is_some_and(|ended| ended.inbox_id == inbox_id);
    let names = |fact: &LatestFact| {
        let rests =
            |bearer: &Bearer| [bearer.inbox_id, bearer.spoken_by, bearer.first_by].contains(&inbox_id);
        fact.bearers.iter().any(rests)
    };
    let describes = |fact: &LatestFact| {
        let before = fact.deletion.as_ref().and_then(|deletion| deletion.before.as_ref());
        before.is_some_and(|(_, delivery)| *delivery == inbox_id)
    };
    let rests = |fact: &LatestFact| {
        fact.inbox_id == inbox_id
            || fact.revealed_by == Some(inbox_id)
            || ends(fact)
            || names(fact)
            || describes(fact)
    };
    let holds = |kind: EntityKind, id: &str| state.facts(kind, id).iter().any(rests);
    let entities = match observation {
        Observation::Organization(fact) => holds(EntityKind::Organization, &fact.id),
        Observation::Directory { fact, .. } => holds(EntityKind::Directory, &fact.id),
        Observation::User { fact, .. } => holds(EntityKind::User, &fact.id),
        Observation::Group { fact, .. } => holds(EntityKind::Group, &fact.id),
        Observation::Membership { user, group, .. } => {
            holds(EntityKind::User, &user.id) || holds(EntityKind::Group, &group.id)
        }
    };
    let claims = claim_of(observation).is_some_and(|(directory_id, _)| {
        state
            .claims_of(directory_id)
            .any(|claim| claim.first_inbox_id == inbox_id || claim.revealed_by == Some(inbox_id))
    });
    entities || claims || evidence.contains(&inbox_id)
}
