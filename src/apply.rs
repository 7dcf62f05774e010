//! Applying: one serialized transaction for each batch.
//!
//! One transaction turns deliveries into latest facts, rows of the application's tables and notices in the outbox, and
//! ends their queue entries. After a crash all of a batch is done or nothing. One batch runs at a time in the whole
//! database (`Database::write_serialized`), however many processes there are, so each batch sees the result of the one
//! before. There is no leader and no lease: the next process takes the oldest deliveries.

mod causes;
pub mod consequences;
pub mod directories;
pub mod erased;
mod fold_batch;
pub mod groups;
pub mod guard;
pub mod load;
pub mod load_context;
pub mod namesakes;
pub mod one_by_one;
pub mod parse_batch;
pub mod prefetch_batch;
pub mod protected_roles;
pub mod recompute;
pub mod refused_deliveries;
pub mod refused_entities;
pub mod users;
mod write_facts;

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
        guard::Extent,
        ownership::{Ownership, place, settle},
        state::{Overruled, StateSlice},
    },
    inbox::{
        dead_letters::{self, DeadLetter},
        queue::{self, QueueQuery},
    },
    outbox::{self, Notice},
    runtime::{clock::Timestamp, failpoint},
    sync::backfill,
    tables::{directory_activity, mappings, role_list},
};
use consequences::Consequences;
use fold_batch::{fold_all, note_activity, refuse};
use parse_batch::{LeftOut, ParsedBatch};
use prefetch_batch::Prefetcher;
use users::{Derivation, people};
use write_facts::write_facts;

/// The limits of one transaction.
#[derive(Clone, Copy, Debug)]
pub struct Batch {
    pub deliveries: usize,
    pub bytes: usize,
    /// People and groups in one step of a recomputation.
    pub entities: usize,
}

impl Default for Batch {
    fn default() -> Self {
        Self { deliveries: 2_000, bytes: 8 << 20, entities: 500 }
    }
}

/// The result of a batch, for logs and metrics.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct AppliedBatch {
    pub deliveries: usize,
    pub dead_letters: Vec<DeadLetter>,
    pub left_out: Vec<LeftOut>,
    pub overruled: Vec<Overruled>,
    pub leavers: usize,
    /// Notices to administrators, those about leavers among them.
    pub notices: usize,
    /// The number of directories that must be recomputed now.
    pub recomputes: usize,
    /// Another process had applied the prefetched deliveries, so the oldest of the queue were applied instead.
    pub overtaken: bool,
    /// For the log.
    pub event_keys: Vec<String>,
}

#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    #[error("{0}")]
    Database(#[from] DbError),
    #[error("{0}")]
    Mapping(#[from] mappings::InForceError),
    /// Nothing is applied with a mapping that is no longer in force.
    #[error("another role mapping was applied meanwhile")]
    MappingChanged,
}

impl From<diesel::result::Error> for ApplyError {
    fn from(error: diesel::result::Error) -> Self {
        Self::Database(error.into())
    }
}

/// Applies the oldest deliveries that are due. Returns `Ok` with no deliveries when the queue is empty.
pub fn step(
    database: &Database,
    rules: &Rules,
    batch: Batch,
    prefetcher: &Prefetcher,
    now: Timestamp,
) -> Result<AppliedBatch, ApplyError> {
    // Bodies are read and parsed before the serialized transaction, so that no other process waits for that. A stored
    // body does not change.
    let batched = prefetcher.take(database, batch, now)?;
    if batched.inbox_ids.is_empty() {
        return Ok(AppliedBatch::default());
    }
    let applied = match batched.is_full {
        true => {
            let in_hand = batched.span();
            prefetcher.during(database, batch, now, in_hand, || {
                apply_serialized(database, rules, batch, batched, now)
            })
        }
        false => apply_serialized(database, rules, batch, batched, now),
    }?;
    if applied.overtaken {
        // Otherwise the prefetched batch could contain the deliveries that have just been applied.
        prefetcher.forget();
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
            // Another process was faster. This process has the lock now, so no other one takes these deliveries.
            let oldest = QueueQuery::oldest(batch.deliveries, batch.bytes);
            batched = parse_batch::read(queue::take(conn, now, &oldest)?, now);
            queue::done(conn, &batched.inbox_ids)?;
        }
        Ok(AppliedBatch { overtaken, ..apply(conn, rules, batched, now)? })
    })
}

/// The mapping changes in serialized transactions only. So all rows of this transaction are derived with this mapping.
pub(crate) fn expect_mapping(conn: &mut Conn, rules: &Rules) -> Result<(), ApplyError> {
    match mappings::version(conn)? == rules.mapping.version {
        true => Ok(()),
        false => Err(ApplyError::MappingChanged),
    }
}

/// Applies deliveries that have left the queue, in the caller's transaction.
pub fn apply(
    conn: &mut Serialized<'_>,
    rules: &Rules,
    batched: ParsedBatch,
    now: Timestamp,
) -> Result<AppliedBatch, DbError> {
    let ParsedBatch { inbox_ids, event_keys, received_at, observations, dead_letters, left_out, is_full: _ } =
        batched;
    let left_out = left_out.into_iter().map(|(_, left_out)| left_out).collect();
    let mut applied =
        AppliedBatch { deliveries: inbox_ids.len(), dead_letters, left_out, ..AppliedBatch::default() };
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

    causes::note_batch(conn, &state, batch);

    // 3. Write the facts. A delivery whose claim lost is refused, but its fact is stored under that claim.
    note_activity(conn, &state, &claimed, now)?;
    applied.dead_letters.extend(refuse(conn, &state, &claimed, now)?);
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
    consequences.entries.extend(audit::role_list_entries::from_deliveries(&relisted, &state, batch));

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
        // Directories of the first import are not reported one by one.
        consequences.notices.retain(|notice| !is_connected(notice));
    }
    begin_first_syncs(conn, rules, &consequences.notices, now)?;
    consequences.write(conn, now)?;
    failpoint::reach("noticed");
    dead_letters::add(conn, &applied.dead_letters, now)?;
    applied.recomputes = consequences.directories.len();
    (applied.leavers, applied.notices) = (consequences.leavers(), consequences.notices.len());
    applied.event_keys = event_keys;
    Ok(applied)
}

/// The time of applying is read before deliveries are taken, so the newest one may have been received after it. No record
/// must contain an application before the reception. A larger difference is an error of another process's clock, and is
/// ignored.
fn not_before(received_at: &[Timestamp], now: Timestamp) -> Timestamp {
    const MOST_SECONDS: i64 = 5;
    let plausible = received_at.iter().copied().filter(|at| *at < now.plus_seconds(MOST_SECONDS));
    plausible.fold(now, Timestamp::max)
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

fn places(state: &StateSlice, rules: &Rules) -> HashMap<String, Ownership> {
    state.directories().map(|id| (id.clone(), place(state, id, rules))).collect()
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
