//! Joins an observation into the latest facts. Order, repetition and grouping of observations do not change the
//! result.

use super::{
    bearers::{self, Joined, named, provided},
    content_hash::digest,
    state::{
        Bearer, FactContent, FirstSighting, GroupDeletion, LatestFact, NO_CLAIM, Overruled, OwnershipClaim,
        StateSlice, UserDeletion,
    },
};
use crate::decide::fact::{EntityKind, Fact, Membership, Observation, Scope, User, Version};

/// Joins one delivery's observation. The observation's claim ([`claim_of`]) must be in `state`; without it nothing
/// changes.
pub fn fold(state: &mut StateSlice, inbox_id: i64, observation: Observation) {
    match observation {
        Observation::Organization(fact) => {
            join(state, inbox_id, NO_CLAIM, fact, OfUser::default());
        }
        Observation::Directory { scope, fact } => {
            let Some(claim) = sight_claim(state, inbox_id, &scope, 0, &fact.version, fact.reveals) else {
                return;
            };
            let bearer = provided(&fact, inbox_id);
            join(state, inbox_id, claim, fact, OfUser { bearer, deletes: false });
        }
        Observation::User { scope, fact } => {
            let Some(claim) = sight_claim(state, inbox_id, &scope, 1, &fact.version, fact.reveals) else {
                return;
            };
            mention_roles(state, inbox_id, claim, &fact);
            let deletes = !fact.reveals;
            let bearer = named(&fact, deletes, inbox_id);
            join(state, inbox_id, claim, fact, OfUser { bearer, deletes });
        }
        Observation::Group { scope, fact } => {
            let Some(claim) = sight_claim(state, inbox_id, &scope, 1, &fact.version, fact.reveals) else {
                return;
            };
            join(state, inbox_id, claim, fact, OfUser::default());
        }
        Observation::Membership { scope, membership, user, group } => {
            let Some(claim) = sight_claim(state, inbox_id, &scope, 1, &membership.version, membership.added)
            else {
                return;
            };
            mention_roles(state, inbox_id, claim, &user);
            let bearer = named(&user, false, inbox_id);
            join(state, inbox_id, claim, user, OfUser { bearer, deletes: false });
            join(state, inbox_id, claim, group, OfUser::default());
            join_membership(state, inbox_id, claim, membership);
        }
        Observation::Members { scope, group, changes } => {
            let Some(version) = group
                .as_ref()
                .map(|group| &group.version)
                .or_else(|| changes.first().map(|change| &change.version))
                .cloned()
            else {
                return;
            };
            let reveals = group.is_some() || changes.iter().any(|change| change.added);
            let Some(claim) = sight_claim(state, inbox_id, &scope, 1, &version, reveals) else { return };
            if let Some(group) = group {
                join(state, inbox_id, claim, group, OfUser::default());
            }
            for change in changes {
                join_membership(state, inbox_id, claim, change);
            }
        }
    }
}

/// The (directory, organization) of an observation; an empty organization if it names none.
pub fn claim_of(observation: &Observation) -> Option<(&str, &str)> {
    let scope = match observation {
        Observation::Organization(_) => return None,
        Observation::Directory { scope, .. }
        | Observation::User { scope, .. }
        | Observation::Group { scope, .. }
        | Observation::Membership { scope, .. }
        | Observation::Members { scope, .. } => scope,
    };
    Some((&scope.directory_id, scope.organization_id.as_deref().unwrap_or_default()))
}

fn sight_claim(
    state: &mut StateSlice,
    inbox_id: i64,
    scope: &Scope,
    rank: i16,
    version: &Version,
    reveals: bool,
) -> Option<i64> {
    let organization_id = scope.organization_id.as_deref().unwrap_or_default();
    let tenure = state.tenure(&scope.directory_id, inbox_id);
    let id = state.claim_between(&scope.directory_id, organization_id, tenure)?.id;
    let claim: &mut OwnershipClaim = state.claim_mut(id)?;
    let FirstSighting { rank: first_rank, at, event } = &claim.first;
    let older = (rank, version.emitted, &version.event) < (*first_rank, *at, event);
    let reveals = reveals && claim.revealed_by.is_none();
    if older {
        claim.first = FirstSighting { rank, at: version.emitted, event: version.event.clone() };
        claim.first_inbox_id = inbox_id;
    }
    if reveals {
        claim.revealed_by = Some(inbox_id);
    }
    if older || reveals {
        state.touched.claims.insert(id);
    }
    Some(id)
}

/// Parts of a fact that only users have, beside the content.
#[derive(Default)]
struct OfUser {
    /// The bearer; for a directory its provider.
    bearer: Option<Bearer>,
    deletes: bool,
}

fn join<T: FactContent>(
    state: &mut StateSlice,
    inbox_id: i64,
    claim_id: i64,
    fact: Fact<T>,
    OfUser { bearer, deletes }: OfUser,
) {
    let mut overruled = None;
    let (facts, contents) = state.facts_mut(T::KIND, &fact.id);
    // With facts under several claims, a newer fact may replace another claim's fact as the one that counts.
    let alone = facts.len() == 1;
    let ended = (T::KIND == EntityKind::Group && !fact.live).then(|| GroupDeletion {
        at: fact.version.emitted,
        event: fact.version.event.clone(),
        inbox_id,
    });
    let mut emptied = ended.is_some();
    let mut joined = Joined { news: bearer.is_some(), earlier: false };
    let mut described = false;
    let (newer, news) = match facts.iter_mut().find(|latest| latest.claim_id == claim_id) {
        None => {
            let (revealed_by, digest) = (fact.reveals.then_some(inbox_id), digest(&fact));
            let (version, live) = (fact.version, fact.live);
            let bearers = bearer.into_iter().collect();
            let deletion = deletes.then(UserDeletion::default);
            facts.push(LatestFact {
                claim_id,
                version,
                revealed_by,
                live,
                ended,
                bearers,
                deletion,
                digest,
                inbox_id,
            });
            (true, true)
        }
        Some(latest) => {
            let newer = fact.version > latest.version;
            let (newest, loser) = match newer {
                true => ((&fact.version, fact.live), (&latest.version, latest.live)),
                false => ((&latest.version, latest.live), (&fact.version, fact.live)),
            };
            if newest.1 && !loser.1 && newest.0.emitted <= loser.0.emitted && newest.0.event != loser.0.event
            {
                overruled = Some(Overruled {
                    kind: T::KIND,
                    id: fact.id.clone(),
                    removal: loser.0.event.clone(),
                    by: newest.0.event.clone(),
                });
            }
            let reveals = fact.reveals && latest.revealed_by.is_none();
            // A repetition has the same time and id, so it is not later.
            let known = latest.ended.as_ref().map(|known| (known.at, &known.event));
            emptied = ended.as_ref().is_some_and(|ended| known < Some((ended.at, &ended.event)));
            joined = bearer.map(|bearer| bearers::join(&mut latest.bearers, bearer)).unwrap_or_default();
            described = describe(latest, &fact.version, inbox_id, deletes);
            if !newer && !reveals && !emptied && !joined.news && !described {
                state.touched.overruled.extend(overruled);
                return;
            }
            if emptied {
                latest.ended = ended;
            }
            if fact.reveals {
                latest.revealed_by = Some(inbox_id);
            }
            let mut differs = false;
            if newer {
                let known = contents.get(&(T::KIND, latest.inbox_id)).and_then(|content| T::of(content));
                let digest = match known == Some(&fact.content) && latest.live && fact.live {
                    // Each member's event repeats the group. A comparison costs less than a digest.
                    true => latest.digest,
                    false => digest(&fact),
                };
                differs = !alone || (digest, fact.live) != (latest.digest, latest.live);
                (latest.version, latest.live) = (fact.version, fact.live);
                (latest.digest, latest.inbox_id) = (digest, inbox_id);
            }
            (newer, differs || reveals)
        }
    };
    // A single bearer has had the id all the time. With several, the result may differ now.
    let several = facts.iter().map(|fact| fact.bearers.len()).sum::<usize>() > 1;
    let renamed = joined.earlier || (joined.news && several);
    state.touched.overruled.extend(overruled);
    let entity = (T::KIND, fact.id);
    if newer || described {
        state.insert_content(inbox_id, fact.content.into_content());
    }
    if emptied {
        state.touched.emptied.insert((entity.1.clone(), claim_id));
    }
    if news || renamed || described {
        state.touched.entities.insert(entity.clone());
    }
    state.touched.facts.insert((entity, claim_id));
}

/// Records the newest fact before a deletion, while the latest fact is a deletion. Returns whether this older fact
/// became it.
fn describe(latest: &mut LatestFact, version: &Version, inbox_id: i64, deletes: bool) -> bool {
    let newer = *version > latest.version;
    match (newer, deletes, &mut latest.deletion) {
        (true, false, deletion) => *deletion = None,
        (true, true, deletion @ None) => {
            *deletion = Some(UserDeletion { before: Some((latest.version.clone(), latest.inbox_id)) });
        }
        (false, false, Some(UserDeletion { before }))
            if before.as_ref().is_none_or(|(known, _)| version > known) =>
        {
            *before = Some((version.clone(), inbox_id));
            return true;
        }
        _ => {}
    }
    false
}

fn join_membership(state: &mut StateSlice, inbox_id: i64, claim_id: i64, membership: Membership) {
    let key = (membership.group_id.clone(), membership.user_id.clone(), claim_id);
    match state.touched.memberships.get_mut(&key) {
        Some((newest, _)) if newest.version >= membership.version => {}
        Some(slot) => *slot = (membership, inbox_id),
        None => {
            state.touched.memberships.insert(key, (membership, inbox_id));
        }
    }
}

/// `roles` lists every slug that any fact ever named, so the list does not depend on order. A removal creates nothing,
/// not even a role.
fn mention_roles(state: &mut StateSlice, inbox_id: i64, claim_id: i64, user: &Fact<User>) {
    if !user.reveals {
        return;
    }
    for slug in &user.content.roles {
        state.touched.mentions.entry((claim_id, slug.clone())).or_insert(inbox_id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::{
        state::Touched,
        testing::{active, connected, scope},
    };

    /// Folds the fact that `u` is active under this `idp_id`. Returns whether `u` must be derived again.
    fn derives_again(state: &mut StateSlice, seconds: i64, idp_id: &str) -> bool {
        state.touched = Touched::default();
        fold(state, seconds, Observation::User { scope: scope(), fact: active(seconds, idp_id) });
        state.touched.entities.contains(&(EntityKind::User, "u".to_owned()))
    }

    #[test]
    fn an_unchanged_profile_is_derived_again_when_its_bearer_is_known_for_longer_or_there_are_several() {
        let (mut state, _) = connected();
        assert!(derives_again(&mut state, 5, "A"));
        assert!(!derives_again(&mut state, 7, "A"), "nothing is new");
        assert!(derives_again(&mut state, 3, "A"), "the bearer's time begins earlier");
        assert!(!derives_again(&mut state, 4, "A"), "nothing is new");

        assert!(derives_again(&mut state, 6, "B"), "there was another bearer");
        assert!(derives_again(&mut state, 8, "A"), "of several bearers, one is known for longer");
    }
}
