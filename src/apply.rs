//! Applying: one write transaction a batch.
//!
//! What was delivered becomes latest facts, rows that the host sees, notices in the outbox, and the end of the
//! queue entry, all in one transaction: after a crash a batch has happened or it has not. Batches run one at a time
//! over the whole database (`Database::write_serialized`), however many processes there are, so each decides on what the
//! last one left; no leader, no lease: the next process takes the oldest deliveries.

pub mod consequences;
pub mod directories;
pub mod erased;
pub mod groups;
pub mod guard;
pub mod load;
pub mod load_context;
pub mod namesakes;
pub mod one_by_one;
pub mod parse_batch;
pub mod prefetch;
pub mod protected_roles;
pub mod recompute;
pub mod refused;
pub mod refused_deliveries;
pub mod users;

use std::collections::{BTreeSet, HashMap};

use crate::{
    audit::{
        self,
        row_entries::{ChangeCause, Deliveries},
    },
    db::{Conn, Database, DbError, IN_A_BATCH, Serialized, wait_for_rows},
    decide::{
        Rules,
        fact::EntityKind,
        fold_facts::{claim_of, fold},
        guard::Extent,
        ownership::{Ownership, place, settle},
        state::{Overruled, OwnershipClaim, StateSlice},
    },
    inbox::{
        dead_letters::{self, DeadLetter},
        queue::{self, QueueQuery},
    },
    outbox::{self, Notice},
    runtime::{clock::Timestamp, failpoint},
    sync::backfill,
    tables::{
        claims, directory_activity, facts, mappings,
        memberships::{self, NewMembership},
        refused_claims::{self, RefusedClaim},
        role_list, roles,
    },
};
use consequences::Consequences;
use parse_batch::{LeftOut, ParsedBatch, ParsedObservation};
use prefetch::Prefetcher;
use users::{Derivation, people};

/// How much one transaction takes on.
#[derive(Clone, Copy, Debug)]
pub struct Batch {
    pub deliveries: usize,
    pub bytes: usize,
    /// People and groups derived again in one step of a refresh.
    pub entities: usize,
}

impl Default for Batch {
    fn default() -> Self {
        Self { deliveries: 2_000, bytes: 8 << 20, entities: 500 }
    }
}

/// What a batch did, for logs and metrics.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct AppliedBatch {
    pub deliveries: usize,
    pub set_aside: Vec<DeadLetter>,
    pub left_out: Vec<LeftOut>,
    pub overruled: Vec<Overruled>,
    pub leavers: usize,
    /// News for administrators, leavers among them.
    pub notices: usize,
    /// Whether directories are to be refreshed now.
    pub refreshes: usize,
    /// Others had applied what was taken, so the oldest of the queue were applied instead.
    pub overtaken: bool,
    /// When the oldest delivery of the batch was received is not known here; its key is, for the log.
    pub event_keys: Vec<String>,
}

#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    #[error("{0}")]
    Database(#[from] DbError),
    #[error("{0}")]
    Mapping(#[from] mappings::InForceError),
    /// Nothing is applied by a mapping that holds no more.
    #[error("another role mapping was applied meanwhile")]
    MappingChanged,
}

impl From<diesel::result::Error> for ApplyError {
    fn from(error: diesel::result::Error) -> Self {
        Self::Database(error.into())
    }
}

/// Applies the oldest deliveries that are due. `Ok` with none applied means that the queue is empty.
pub fn step(
    database: &Database,
    rules: &Rules,
    batch: Batch,
    ahead: &Prefetcher,
    now: Timestamp,
) -> Result<AppliedBatch, ApplyError> {
    // Read and parsed before the serialized transaction, so that no other process waits for it. The log never changes.
    let batched = ahead.take(database, batch, now)?;
    if batched.inbox_ids.is_empty() {
        return Ok(AppliedBatch::default());
    }
    let applied = match batched.is_full {
        true => {
            let in_hand = batched.span();
            ahead.during(database, batch, now, in_hand, || {
                apply_serialized(database, rules, batch, batched, now)
            })
        }
        false => apply_serialized(database, rules, batch, batched, now),
    }?;
    if applied.overtaken {
        // Or what was read meanwhile would be what has just been applied.
        ahead.forget();
    }
    failpoint::reach("applied");
    Ok(applied)
}

fn apply_serialized(
    database: &Database,
    rules: &Rules,
    batch: Batch,
    batched: ParsedBatch,
    now: Timestamp,
) -> Result<AppliedBatch, ApplyError> {
    database.write_serialized(|conn| {
        expect_mapping(conn, rules)?;
        wait_for_rows(conn, IN_A_BATCH)?;
        let queued = queue::done(conn, &batched.inbox_ids)?;
        let mut batched = batched.still_queued(&queued);
        let overtaken = batched.inbox_ids.is_empty();
        if overtaken {
            // Another process was faster. Now this one holds the lock, so nobody else takes these deliveries.
            let oldest = QueueQuery::oldest(batch.deliveries, batch.bytes);
            batched = parse_batch::read(queue::take(conn, now, &oldest)?, now);
            queue::done(conn, &batched.inbox_ids)?;
        }
        Ok(AppliedBatch { overtaken, ..apply(conn, rules, batched, now)? })
    })
}

/// Nobody else changes the mapping during the serialized transaction, so all that follows is derived by the mapping in force.
pub(crate) fn expect_mapping(conn: &mut Conn, rules: &Rules) -> Result<(), ApplyError> {
    match mappings::version(conn)? == rules.mapping.version {
        true => Ok(()),
        false => Err(ApplyError::MappingChanged),
    }
}

/// Applies deliveries that are out of the queue, inside the caller's transaction.
pub fn apply(
    conn: &mut Serialized<'_>,
    rules: &Rules,
    batched: ParsedBatch,
    now: Timestamp,
) -> Result<AppliedBatch, DbError> {
    let ParsedBatch { inbox_ids, event_keys, received_at, observations, set_aside, left_out, is_full: _ } =
        batched;
    let left_out = left_out.into_iter().map(|(_, left_out)| left_out).collect();
    let mut applied =
        AppliedBatch { deliveries: inbox_ids.len(), set_aside, left_out, ..AppliedBatch::default() };
    if inbox_ids.is_empty() {
        return Ok(applied);
    }
    let now = not_before(&received_at, now);
    let mut consequences = Consequences::default();
    let batch = Deliveries { ids: &inbox_ids, event_keys: &event_keys, received_at: &received_at };

    // 1. Load everything known about the entities of the batch.
    let mut state =
        load::slice(conn, observations.iter().map(|parsed| (parsed.inbox_id, parsed.observation.as_ref())))?;
    let before = places(&state, rules);

    // 2. Fold the observations into facts, then settle who owns each directory.
    let claimed = fold_all(conn, &mut state, observations)?;
    applied.overruled = std::mem::take(&mut state.touched.overruled);
    let moved = settle(&mut state, rules);

    // 3. Write the facts. A delivery whose claim lost is refused, though its fact stands under that claim.
    note_activity(conn, &state, &claimed, now)?;
    applied.set_aside.extend(refuse(conn, &state, &claimed, now)?);
    let mut affected = write_facts(conn, &state)?;
    failpoint::reach("folded");

    // 4. Directories and tenants: load, decide, write.
    let left: BTreeSet<String> = moved.iter().filter_map(|moved| moved.left.clone()).collect();
    affected.extend(left.iter().cloned());
    affected.extend(moved.iter().map(|moved| place(&state, &moved.directory_id, rules).tenant_id));
    let directories::SettledDirectories { homes, changed, tenants, notices } =
        directories::directories(conn, &mut state, rules, &before, &left)?;
    affected.extend(tenants);
    consequences.notices.extend(notices);
    consequences.directories.extend(changed);
    let moved: BTreeSet<String> = moved.into_iter().map(|moved| moved.directory_id).collect();
    recompute::request_members_of_ended(conn, rules, &state, &moved)?;
    consequences.directories.extend(moved);

    // 5. The lists of roles of the affected tenants.
    let relisted = role_list::settle(conn, &rules.mapping, &affected)?;
    consequences.entries.extend(audit::role_list_entries::heard(&relisted, &state, batch));

    // 6. Groups and users: load, decide, write.
    if rules.mapping.uses_groups() {
        let members = state.touched.memberships.keys().map(|(_, user_id, _)| user_id.clone());
        let members: Vec<_> = members.map(|user_id| (EntityKind::User, user_id)).collect();
        state.touched.entities.extend(members);
    }
    let cause = ChangeCause::Deliveries(batch);
    let derivation = Derivation { rules, cause, now, extent: Extent::Touched };
    people(conn, &mut state, &homes, &derivation, &mut consequences)?;

    // 7. Write the consequences.
    let is_connected = |notice: &Notice| matches!(notice, Notice::DirectoryConnected { .. });
    if consequences.notices.iter().any(is_connected) && backfill::since(conn)?.is_some() {
        // Directories that the first import brings in are no news.
        consequences.notices.retain(|notice| !is_connected(notice));
    }
    begin_first_syncs(conn, rules, &consequences.notices, now)?;
    consequences.write(conn, now)?;
    failpoint::reach("noticed");
    dead_letters::bury(conn, &applied.set_aside, now)?;
    applied.refreshes = consequences.directories.len();
    (applied.leavers, applied.notices) = (consequences.leavers(), consequences.notices.len());
    applied.event_keys = event_keys;
    Ok(applied)
}

/// The time of applying is read before deliveries are taken, so the newest may have been received after it. No record says
/// that a delivery was applied before it was received. The clock of another process may be wrong by more, and is not followed.
fn not_before(received_at: &[Timestamp], now: Timestamp) -> Timestamp {
    const MOST_SECONDS: i64 = 5;
    let plausible = received_at.iter().copied().filter(|at| *at < now.plus_seconds(MOST_SECONDS));
    plausible.fold(now, Timestamp::max)
}

/// Folds every observation, and returns the claim of each delivery that names a directory. Late observations about an erased
/// person lose the profile first, in their stored bodies, too.
fn fold_all(
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

/// The end of the first synchronization of a directory that is connected now is reported later, in one mail.
fn begin_first_syncs<'a>(
    conn: &mut Serialized<'_>,
    rules: &Rules,
    notices: &'a [Notice],
    now: Timestamp,
) -> Result<(), DbError> {
    if rules.first_sync_hours == 0 {
        return Ok(());
    }
    let seconds = i64::from(rules.first_sync_hours) * 3_600;
    let begun = |notice: &'a Notice| match notice {
        Notice::DirectoryConnected { directory, .. } if outbox::is_news(notice, now) => {
            Some((directory.id.as_str(), Timestamp::from_micros(directory.since).plus_seconds(seconds)))
        }
        _ => None,
    };
    let begun: Vec<(&str, Timestamp)> = notices.iter().filter_map(begun).collect();
    Ok(directory_activity::begin_first_sync(conn, &begun)?)
}

/// A directory is active when anything arrives for it, whoever owns it.
fn note_activity(
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
struct ClaimedDelivery {
    inbox_id: i64,
    attempts: i16,
    claim_id: i64,
    ends_access: bool,
}

/// Dead letters of the deliveries whose claim lost: their directory belongs to another organization. They are counted, so that
/// the operator learns of them.
fn refuse(
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

fn places(state: &StateSlice, rules: &Rules) -> HashMap<String, Ownership> {
    state.directories().map(|id| (id.clone(), place(state, id, rules))).collect()
}

/// Returns the tenants in which a role is named for the first time.
fn write_facts(conn: &mut Serialized<'_>, state: &StateSlice) -> Result<BTreeSet<String>, DbError> {
    let touched = &state.touched;
    let changed: Vec<_> = touched.claims.iter().filter_map(|id| state.claim(*id)).collect();
    claims::update(conn, &changed)?;

    // In the order of their keys, so that neighbours share the path through the index.
    let mut standing: Vec<_> = touched
        .facts
        .iter()
        .filter_map(|((kind, id), claim_id)| {
            let fact = state.facts(*kind, id).iter().find(|fact| fact.claim_id == *claim_id)?;
            Some((id.as_str(), *kind, fact))
        })
        .collect();
    standing.sort_unstable_by_key(|(id, kind, fact)| (*id, *kind, fact.claim_id));
    facts::upsert(conn, &standing)?;

    let mut newest: Vec<_> = touched
        .memberships
        .iter()
        .map(|((_, _, claim_id), (membership, inbox_id))| NewMembership {
            membership,
            claim_id: *claim_id,
            inbox_id: *inbox_id,
        })
        .collect();
    newest.sort_unstable_by_key(|new| (&new.membership.group_id, &new.membership.user_id, new.claim_id));
    memberships::upsert(conn, &newest)?;

    let mentions: Vec<_> = touched.mentions.iter().collect();
    let naming = roles::mention(conn, &mentions)?;
    Ok(naming.iter().filter_map(|claim_id| state.claim(*claim_id)?.tenant_id.clone()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delivery_is_not_applied_before_it_was_received_unless_a_clock_is_wrong() {
        let at = Timestamp::from_millis;
        assert_eq!(not_before(&[at(900), at(1_500)], at(1_000)), at(1_500));
        assert_eq!(not_before(&[at(900), at(9_000)], at(1_000)), at(1_000));
        assert_eq!(not_before(&[], at(1_000)), at(1_000));
    }
}
