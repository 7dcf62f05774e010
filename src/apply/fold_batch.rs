//! Folds the observations of a batch under the claims that they name. Records activity of directories, and refuses deliveries
//! whose claim lost.

use std::collections::BTreeSet;

use super::{erased, parse_batch::ParsedObservation};
use crate::{
    db::{DbError, Serialized},
    decide::{
        fold_facts::{claim_of, fold},
        state::{OwnershipClaim, StateSlice},
    },
    inbox::dead_letters::{self, DeadLetter},
    runtime::clock::Timestamp,
    tables::{
        directory_activity,
        refused_claims::{self, RefusedClaim},
    },
};

/// Folds every observation, and returns the claim of each delivery that names a directory. Removes the profile from
/// late observations about an erased person first, and from their stored bodies.
pub(super) fn fold_all(
    conn: &mut Serialized<'_>,
    state: &mut StateSlice,
    observations: Vec<ParsedObservation>,
) -> Result<Vec<ClaimedDelivery>, DbError> {
    let mut claimed = Vec::with_capacity(observations.len());
    for ParsedObservation { inbox_id, attempts, observation } in observations {
        let claim = claim_of(&observation).and_then(|(directory, org)| {
            state.claim_between(directory, org, state.tenure(directory, inbox_id))
        });
        let claim_id = claim.map(|claim| claim.id);
        claimed.extend(claim_id.map(|claim_id| ClaimedDelivery {
            inbox_id,
            attempts,
            claim_id,
            ends_access: observation.ends_access(),
        }));
        let observation = erased::without_profile(conn, state, inbox_id, *observation)?;
        fold(state, inbox_id, observation);
    }
    Ok(claimed)
}

/// A directory is active when a delivery names it, whoever owns it.
pub(super) fn note_activity(
    conn: &mut Serialized<'_>,
    state: &StateSlice,
    claimed: &[ClaimedDelivery],
    now: Timestamp,
) -> Result<(), DbError> {
    let claims: BTreeSet<i64> = claimed.iter().map(|delivery| delivery.claim_id).collect();
    let active = claims.iter().filter_map(|id| Some(state.claim(*id)?.directory_id.as_str()));
    Ok(directory_activity::note(conn, &active.collect(), now)?)
}

/// A delivery, and the claim under which it names a directory.
pub(super) struct ClaimedDelivery {
    inbox_id: i64,
    attempts: i16,
    claim_id: i64,
    ends_access: bool,
}

/// Returns dead letters for the deliveries whose claim lost: their directory belongs to another organization. Counts
/// them, so that the operator is notified.
pub(super) fn refuse(
    conn: &mut Serialized<'_>,
    state: &StateSlice,
    claimed: &[ClaimedDelivery],
    now: Timestamp,
) -> Result<Vec<DeadLetter>, DbError> {
    let mut letters = Vec::new();
    let mut refused = refused_claims::ByDirectory::new();
    for ClaimedDelivery { inbox_id, attempts, claim_id, ends_access } in claimed {
        let lost = state.claim(*claim_id).filter(|claim| claim.tenant_id.is_none());
        let Some(OwnershipClaim { directory_id, organization_id, .. }) = lost else { continue };
        let detail = format!("directory {directory_id} belongs to another tenant than {organization_id}");
        letters.push(DeadLetter {
            inbox_id: *inbox_id,
            reason: dead_letters::OTHER_TENANT,
            detail,
            attempts: *attempts,
            claims: Some((directory_id.clone(), organization_id.clone())),
            retry_at: None,
        });
        let counted = refused.entry(directory_id.clone()).or_insert_with(|| RefusedClaim {
            organization_id: String::new(),
            events: 0,
            leavers: 0,
            inbox_id: 0,
        });
        counted.organization_id.clone_from(organization_id);
        counted.inbox_id = *inbox_id;
        counted.events += 1;
        counted.leavers += i64::from(*ends_access);
    }
    refused_claims::add(conn, &refused, now)?;
    Ok(letters)
}
