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
            |bearer: &Bearer| [bearer.inbox_id, bearer.last_event_by, bearer.first_by].contains(&inbox_id);
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
        // The latest facts about memberships are evidence.
        Observation::Members { group, .. } => {
            group.as_ref().is_some_and(|group| holds(EntityKind::Group, &group.id))
        }
    };
    let claims = claim_of(observation).is_some_and(|(directory_id, _)| {
        state
            .claims_of(directory_id)
            .any(|claim| claim.first_inbox_id == inbox_id || claim.revealed_by == Some(inbox_id))
    });
    entities || claims || evidence.contains(&inbox_id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        decide::{
            fact::{Fact, Group, Membership, Organization, Scope, User, Version},
            profile::Profile,
            state::{FirstSighting, GroupDeletion, NO_CLAIM, OwnershipClaim, UserDeletion},
        },
        runtime::clock::Timestamp,
    };

    fn version() -> Version {
        Version { at: Timestamp::default(), emitted: Timestamp::default(), event: "e".to_owned() }
    }

    fn fact<T>(id: &str, content: T) -> Fact<T> {
        Fact { id: id.to_owned(), version: version(), reveals: true, live: true, content }
    }

    fn scope() -> Scope {
        Scope { directory_id: "d".to_owned(), organization_id: None }
    }

    fn user() -> Fact<User> {
        let time = Timestamp::default();
        fact(
            "u",
            User {
                profile: Profile::default(),
                state: "active".to_owned(),
                custom_attributes: "{}".to_owned(),
                roles: Vec::new(),
                erased: false,
                created_at: time,
                updated_at: time,
            },
        )
    }

    fn group() -> Fact<Group> {
        let time = Timestamp::default();
        fact("g", Group { idp_id: None, name: "G".to_owned(), created_at: time, updated_at: time })
    }

    fn membership() -> Observation {
        let membership =
            Membership { group_id: "g".to_owned(), user_id: "u".to_owned(), version: version(), added: true };
        Observation::Membership { scope: scope(), membership, user: user(), group: group() }
    }

    fn latest(inbox_id: i64) -> LatestFact {
        LatestFact {
            claim_id: 1,
            version: version(),
            revealed_by: None,
            live: true,
            ended: None,
            bearers: Vec::new(),
            deletion: None,
            digest: 0,
            inbox_id,
        }
    }

    fn knowing(kind: EntityKind, id: &str, fact: LatestFact) -> StateSlice {
        let mut state = StateSlice::default();
        state.insert_fact(kind, id.to_owned(), fact);
        state
    }

    /// Of deliveries 1 to 20, those that are needed.
    fn needed_ids(state: &StateSlice, observation: &Observation) -> Vec<i64> {
        (1..=20).filter(|id| needed(state, *id, observation, &NeededEvidence::default())).collect()
    }

    #[test]
    fn the_latest_fact_the_revealing_one_and_the_newest_deletion_of_a_group_are_needed() {
        let ended = GroupDeletion { at: Timestamp::default(), event: "gone".to_owned(), inbox_id: 7 };
        let known = LatestFact { revealed_by: Some(5), ended: Some(ended), ..latest(9) };
        let state = knowing(EntityKind::Group, "g", known);
        let about_group = Observation::Group { scope: scope(), fact: group() };
        assert_eq!(needed_ids(&state, &about_group), [5, 7, 9]);
        assert_eq!(needed_ids(&state, &membership()), [5, 7, 9], "a membership tells of the group, too");
        assert_eq!(
            needed_ids(&state, &Observation::User { scope: scope(), fact: user() }),
            Vec::<i64>::new()
        );
    }

    #[test]
    fn deliveries_that_name_a_bearer_and_the_profile_before_a_deletion_are_needed() {
        let bearer = Bearer {
            idp_id: Some("i".to_owned()),
            email_key: None,
            newest: version(),
            ends: false,
            inbox_id: 3,
            last_event: (Timestamp::default(), "e".to_owned()),
            last_event_by: 4,
            first: Timestamp::default(),
            first_by: 2,
        };
        let deletion = UserDeletion { before: Some((version(), 6)) };
        let known = LatestFact { bearers: vec![bearer], deletion: Some(deletion), ..latest(9) };
        let state = knowing(EntityKind::User, "u", known);
        let about_user = Observation::User { scope: scope(), fact: user() };
        assert_eq!(needed_ids(&state, &about_user), [2, 3, 4, 6, 9]);
        assert_eq!(needed_ids(&state, &membership()), [2, 3, 4, 6, 9]);
        assert_eq!(
            needed_ids(&state, &Observation::Group { scope: scope(), fact: group() }),
            Vec::<i64>::new()
        );
    }

    #[test]
    fn deliveries_behind_claims_memberships_and_roles_are_needed() {
        let mut state = StateSlice::default();
        state.insert_claim(OwnershipClaim {
            id: 1,
            directory_id: "d".to_owned(),
            organization_id: String::new(),
            tenure: 0,
            first: FirstSighting { rank: 0, at: Timestamp::default(), event: "e".to_owned() },
            first_inbox_id: 11,
            revealed_by: Some(12),
            tenant_id: None,
            fresh: false,
        });
        assert_eq!(needed_ids(&state, &membership()), [11, 12]);
        let elsewhere = Scope { directory_id: "other".to_owned(), organization_id: None };
        assert_eq!(
            needed_ids(&state, &Observation::User { scope: elsewhere, fact: user() }),
            Vec::<i64>::new()
        );
        let evidence = NeededEvidence::from([13]);
        assert!(
            needed(&state, 13, &membership(), &evidence) && !needed(&state, 14, &membership(), &evidence)
        );
    }

    #[test]
    fn the_latest_fact_about_an_organization_is_needed() {
        let organization = Organization {
            name: "O".to_owned(),
            created_at: Timestamp::default(),
            updated_at: Timestamp::default(),
        };
        let known = LatestFact { claim_id: NO_CLAIM, ..latest(8) };
        let state = knowing(EntityKind::Organization, "o", known);
        assert_eq!(needed_ids(&state, &Observation::Organization(fact("o", organization))), [8]);
    }
}
