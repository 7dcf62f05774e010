//! The tenant of a directory, and whether the directory still exists.

use super::{
    DEFAULT_TENANT, Rules, Tenancy, moves,
    state::{LatestFact, NO_CLAIM, OwnershipClaim, StateSlice, UNSPOKEN},
    tenant,
};
use crate::{decide::fact::EntityKind, runtime::clock::Timestamp};

/// The owner and state of a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ownership {
    /// The tenant that owns it.
    pub tenant_id: String,
    /// The time since which the directory or its organization is deleted, by the broker's clock.
    pub gone_since: Option<Timestamp>,
    /// The time since which its people have no access for that reason; `None` also if the tenant's setting keeps them.
    pub dismissed_since: Option<Timestamp>,
    /// A fact that is no removal is known under one of its claims.
    pub revealed: bool,
}

/// The organization that owns a directory: by the last move, or else the oldest claim's.
pub fn owner<'a>(state: &'a StateSlice, directory_id: &str) -> Option<&'a str> {
    match moves::owner(state.moves_of(directory_id)) {
        Some(owner) => Some(owner),
        None => oldest(state.claims_of(directory_id)).map(|claim| claim.organization_id.as_str()),
    }
}

/// The time of the first statement about a directory by an organization that owns it, or owned it.
pub fn connected_at(state: &StateSlice, directory_id: &str) -> Option<Timestamp> {
    let moves = state.moves_of(directory_id);
    let stands = |claim: &&OwnershipClaim| {
        moves.is_empty() || moves::counts(moves, &claim.organization_id, claim.tenure)
    };
    oldest(state.claims_of(directory_id).filter(stands)).map(|claim| claim.first.at)
}

/// A fact without organization is no claim.
fn oldest<'a>(claims: impl Iterator<Item = &'a OwnershipClaim>) -> Option<&'a OwnershipClaim> {
    claims
        .filter(|claim| !claim.organization_id.is_empty() && claim.first.rank < UNSPOKEN)
        .min_by(|a, b| (&a.first, &a.organization_id).cmp(&(&b.first, &b.organization_id)))
}

/// The tenant of a claim; `None` if another organization owns the directory (promise 6).
pub fn tenant_of(state: &StateSlice, claim: &OwnershipClaim, rules: &Rules) -> Option<String> {
    let owner = owner(state, &claim.directory_id);
    let agrees = claim.organization_id.is_empty()
        || match state.moves_of(&claim.directory_id) {
            [] => Some(claim.organization_id.as_str()) == owner,
            moves => moves::counts(moves, &claim.organization_id, claim.tenure),
        };
    agrees.then(|| tenant_owned_by(owner, rules))
}

/// The tenant of a directory with this owner.
fn tenant_owned_by(owner: Option<&str>, rules: &Rules) -> String {
    match (rules.tenancy, owner) {
        (Tenancy::Multi, Some(owner)) => tenant::of_organization(owner).into_owned(),
        (Tenancy::Multi, None) | (Tenancy::Single, _) => DEFAULT_TENANT.to_owned(),
    }
}

/// Derives the owner and state of a directory.
pub fn place(state: &StateSlice, directory_id: &str, rules: &Rules) -> Ownership {
    let owner = owner(state, directory_id);
    let tenant_id = tenant_owned_by(owner, rules);
    let removal = |latest: &LatestFact| (!latest.live).then_some(latest.version.at);
    let directory_gone = directory_fact(state, directory_id).and_then(removal);
    let organization_gone = owner.and_then(|owner| organization_fact(state, owner)).and_then(removal);
    let gone_since = directory_gone.into_iter().chain(organization_gone).min();
    Ownership {
        gone_since,
        dismissed_since: if rules.keeps_people(&tenant_id) { organization_gone } else { gone_since },
        tenant_id,
        revealed: state
            .claims_of(directory_id)
            .any(|claim| claim.tenant_id.is_some() && claim.revealed_by.is_some()),
    }
}

/// The newest admissible fact about the directory itself.
pub fn directory_fact<'a>(state: &'a StateSlice, directory_id: &str) -> Option<&'a LatestFact> {
    admissible(state, state.facts(EntityKind::Directory, directory_id))
        .max_by(|a, b| a.version.cmp(&b.version))
}

/// The fact about the tenant's organization.
pub fn tenant_fact<'a>(state: &'a StateSlice, tenant_id: &str) -> Option<&'a LatestFact> {
    organization_fact(state, tenant::organization(tenant_id)?)
}

/// The fact about an organization.
pub fn organization_fact<'a>(state: &'a StateSlice, organization_id: &str) -> Option<&'a LatestFact> {
    state.facts(EntityKind::Organization, organization_id).iter().find(|fact| fact.claim_id == NO_CLAIM)
}

/// The facts under claims that have not lost.
pub fn admissible<'a>(
    state: &'a StateSlice,
    facts: &'a [LatestFact],
) -> impl Iterator<Item = &'a LatestFact> {
    facts.iter().filter(|fact| state.claim(fact.claim_id).is_some_and(|claim| claim.tenant_id.is_some()))
}

/// Decides the claims of every directory in the slice and writes each claim's tenant into it. Returns the claims with
/// another tenant than before.
pub fn settle(state: &mut StateSlice, rules: &Rules) -> Vec<MovedDirectory> {
    let outcomes: Vec<(i64, Option<String>)> =
        state.claims().map(|claim| (claim.id, tenant_of(state, claim, rules))).collect();
    let mut moved = Vec::new();
    for (id, tenant_id) in outcomes {
        let Some(claim) = state.claim_mut(id) else { continue };
        if claim.tenant_id == tenant_id {
            continue;
        }
        let left = std::mem::replace(&mut claim.tenant_id, tenant_id);
        let (directory_id, fresh) = (claim.directory_id.clone(), claim.fresh);
        state.touched.claims.insert(id);
        // All facts under a fresh claim are in this batch, so no other entity is affected.
        if !fresh {
            moved.push(MovedDirectory { directory_id, left });
        }
    }
    moved
}

/// A claim with another tenant than before.
#[derive(Debug, PartialEq, Eq)]
pub struct MovedDirectory {
    /// The directory.
    pub directory_id: String,
    /// The tenant before, if any.
    pub left: Option<String>,
}
