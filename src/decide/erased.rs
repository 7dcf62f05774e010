//! An erased person remains erased: facts about the time before the erasure have no profile any more.
//!
//! The body of an erased fact carries a mark, and its fact names a bearer without `idp_id` and address. So the stored
//! bearers contain the time until which a user's facts are erased, in any order of arrival, and a replay of the log gives
//! the same. A fact is about the erased person if it is not newer than that time, or if it is a deletion and no newer
//! fact is known. With another newer fact the person exists again.

use super::{
    fact::{EntityKind, Fact, Observation, User, Version},
    state::{LatestFact, StateSlice},
};

/// The id of the user, when this is a fact about an erased person that still has its profile.
pub fn late(state: &StateSlice, inbox_id: i64, observation: &Observation) -> Option<String> {
    let (scope, fact, deletes) = match observation {
        Observation::User { scope, fact } => (scope, fact, !fact.reveals),
        Observation::Membership { scope, user, .. } => (scope, user, false),
        _ => return None,
    };
    if fact.content.erased {
        return None;
    }
    let organization_id = scope.organization_id.as_deref().unwrap_or_default();
    let tenure = state.tenure(&scope.directory_id, inbox_id);
    let claim = state.claim_between(&scope.directory_id, organization_id, tenure)?;
    let tenant_id = claim.tenant_id.as_deref()?;
    is_late(state, tenant_id, fact, deletes).then(|| fact.id.clone())
}

fn is_late(state: &StateSlice, tenant_id: &str, fact: &Fact<User>, deletes: bool) -> bool {
    let of_tenant = |known: &&LatestFact| {
        state.claim(known.claim_id).is_some_and(|claim| claim.tenant_id.as_deref() == Some(tenant_id))
    };
    let known = || state.facts(EntityKind::User, &fact.id).iter().filter(of_tenant);
    let erased = known().flat_map(|known| &known.bearers).filter(|bearer| bearer.is_erased());
    let Some(until): Option<&Version> = erased.map(|bearer| &bearer.newest).max() else { return false };
    fact.version <= *until || (deletes && known().all(|known| known.version <= *until))
}
