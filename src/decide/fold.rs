//! The join: an observation into the standing words. Order, repetition and grouping make no difference to the result.

use super::{
    bearers::{self, named},
    digest::digest,
    state::{Bearer, Claim, Ended, FirstWord, NO_CLAIM, Overruled, Said, Standing, State},
};
use crate::fact::{Kind, Membership, Observation, Scope, User, Version, Word};

/// Every claim named by `observation` must be in `state`: [`claim_of`] tells which.
pub fn fold(state: &mut State, inbox_id: i64, observation: Observation) {
    match observation {
        Observation::Organization(word) => {
            join(state, inbox_id, NO_CLAIM, word, None);
        }
        Observation::Directory { scope, word } => {
            let Some(claim) = speak(state, inbox_id, &scope, 0, &word.version, word.reveals) else { return };
            join(state, inbox_id, claim, word, None);
        }
        Observation::User { scope, word } => {
            let Some(claim) = speak(state, inbox_id, &scope, 1, &word.version, word.reveals) else { return };
            mention_roles(state, inbox_id, claim, &word);
            let bearer = named(&word, !word.reveals, inbox_id);
            join(state, inbox_id, claim, word, bearer);
        }
        Observation::Group { scope, word } => {
            let Some(claim) = speak(state, inbox_id, &scope, 1, &word.version, word.reveals) else { return };
            join(state, inbox_id, claim, word, None);
        }
        Observation::Membership { scope, membership, user, group } => {
            let Some(claim) = speak(state, inbox_id, &scope, 1, &membership.version, membership.added) else {
                return;
            };
            mention_roles(state, inbox_id, claim, &user);
            let bearer = named(&user, false, inbox_id);
            join(state, inbox_id, claim, user, bearer);
            join(state, inbox_id, claim, group, None);
            join_membership(state, inbox_id, claim, membership);
        }
    }
}

/// The (directory, organization) an observation speaks under; an empty organization where it names none.
pub fn claim_of(observation: &Observation) -> Option<(&str, &str)> {
    let scope = match observation {
        Observation::Organization(_) => return None,
        Observation::Directory { scope, .. }
        | Observation::User { scope, .. }
        | Observation::Group { scope, .. }
        | Observation::Membership { scope, .. } => scope,
    };
    Some((&scope.directory_id, scope.organization_id.as_deref().unwrap_or_default()))
}

fn speak(
    state: &mut State,
    inbox_id: i64,
    scope: &Scope,
    rank: i16,
    version: &Version,
    reveals: bool,
) -> Option<i64> {
    let organization_id = scope.organization_id.as_deref().unwrap_or_default();
    let id = state.claim_between(&scope.directory_id, organization_id)?.id;
    let claim: &mut Claim = state.claim_mut(id)?;
    let FirstWord { rank: first_rank, at, event } = &claim.first;
    let older = (rank, version.emitted, &version.event) < (*first_rank, *at, event);
    let reveals = reveals && claim.revealed_by.is_none();
    if older {
        claim.first = FirstWord { rank, at: version.emitted, event: version.event.clone() };
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

fn join<T: Said>(state: &mut State, inbox_id: i64, claim_id: i64, word: Word<T>, bearer: Option<Bearer>) {
    let mut overruled = None;
    let (words, contents) = state.words_mut(T::KIND, &word.id);
    // Of several, under claims of several directories, any newer one may come to count instead of another.
    let alone = words.len() == 1;
    let ended = (T::KIND == Kind::Group && !word.live).then(|| Ended {
        at: word.version.emitted,
        event: word.version.event.clone(),
        inbox_id,
    });
    let mut emptied = ended.is_some();
    let mut renamed = bearer.is_some();
    let (newer, news) = match words.iter_mut().find(|standing| standing.claim_id == claim_id) {
        None => {
            let (revealed_by, digest) = (word.reveals.then_some(inbox_id), digest(&word));
            let (version, live) = (word.version, word.live);
            let bearers = bearer.into_iter().collect();
            words.push(Standing { claim_id, version, revealed_by, live, ended, bearers, digest, inbox_id });
            (true, true)
        }
        Some(standing) => {
            let newer = word.version > standing.version;
            let (winner, loser) = match newer {
                true => ((&word.version, word.live), (&standing.version, standing.live)),
                false => ((&standing.version, standing.live), (&word.version, word.live)),
            };
            if winner.1 && !loser.1 && winner.0.emitted <= loser.0.emitted && winner.0.event != loser.0.event
            {
                overruled = Some(Overruled {
                    kind: T::KIND,
                    id: word.id.clone(),
                    removal: loser.0.event.clone(),
                    by: winner.0.event.clone(),
                });
            }
            let reveals = word.reveals && standing.revealed_by.is_none();
            // A repetition has the same time and id, and is no later one.
            let known = standing.ended.as_ref().map(|known| (known.at, &known.event));
            emptied = ended.as_ref().is_some_and(|ended| known < Some((ended.at, &ended.event)));
            renamed = bearer.is_some_and(|bearer| bearers::join(&mut standing.bearers, bearer));
            if !newer && !reveals && !emptied && !renamed {
                state.touched.overruled.extend(overruled);
                return;
            }
            if emptied {
                standing.ended = ended;
            }
            if word.reveals {
                standing.revealed_by = Some(inbox_id);
            }
            let mut differs = false;
            if newer {
                let known = contents.get(&(T::KIND, standing.inbox_id)).and_then(|content| T::of(content));
                let digest = match known == Some(&word.content) && standing.live && word.live {
                    // Every member's event repeats the group, and to compare is cheaper than to digest.
                    true => standing.digest,
                    false => digest(&word),
                };
                differs = !alone || (digest, word.live) != (standing.digest, standing.live);
                (standing.version, standing.live) = (word.version, word.live);
                (standing.digest, standing.inbox_id) = (digest, inbox_id);
            }
            (newer, differs || reveals)
        }
    };
    // One alone has borne the id all the time.
    let renamed = renamed && words.iter().map(|word| word.bearers.len()).sum::<usize>() > 1;
    state.touched.overruled.extend(overruled);
    let entity = (T::KIND, word.id);
    if newer {
        state.insert_content(inbox_id, word.content.into_content());
    }
    if emptied {
        state.touched.emptied.insert((entity.1.clone(), claim_id));
    }
    if news || renamed {
        state.touched.entities.insert(entity.clone());
    }
    state.touched.words.insert((entity, claim_id));
}

fn join_membership(state: &mut State, inbox_id: i64, claim_id: i64, membership: Membership) {
    let key = (membership.group_id.clone(), membership.user_id.clone(), claim_id);
    match state.touched.memberships.get_mut(&key) {
        Some((newest, _)) if newest.version >= membership.version => {}
        Some(slot) => *slot = (membership, inbox_id),
        None => {
            state.touched.memberships.insert(key, (membership, inbox_id));
        }
    }
}

/// `roles` lists every slug that was ever named, by old words too, so that it does not depend on their order; but a
/// removal creates nothing, not even a role.
fn mention_roles(state: &mut State, inbox_id: i64, claim_id: i64, user: &Word<User>) {
    if !user.reveals {
        return;
    }
    for slug in &user.content.roles {
        state.touched.mentions.entry((claim_id, slug.clone())).or_insert(inbox_id);
    }
}
