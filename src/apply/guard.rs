//! The guard at work, inside the transaction of the change: what somebody is about to lose is weighed against what was
//! lost lately in the directory, and held or let through. Costs one look-up a batch, and more only for losses.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{consequences::Consequences, load::rows, users::Derivation};
use crate::{
    audit::{
        hold_entries,
        row_entries::{self, LossEvent},
    },
    db::{Conn, DbError, Serialized},
    decide::{
        context::{HeldState, HeldStates},
        guard::{self, Extent, GuardLimits, HeldEntry, LostAccess, Sorted, Undecided, UserLoss},
        state::StateSlice,
        users::{UserOutcome, UserRow},
    },
    runtime::clock::Timestamp,
    tables::{
        Key,
        guard_counts::{self, AddedLosses, RecentLosses},
        held_users, holds, mappings,
    },
};

/// The state of held rows, whatever was derived. Remembers what is held and why, and ends what was held and is
/// not any more.
pub fn weigh(
    conn: &mut Serialized<'_>,
    state: &StateSlice,
    (shown, outcome): (&HashMap<String, Vec<UserRow>>, &UserOutcome),
    derivation: &Derivation<'_>,
    consequences: &mut Consequences,
) -> Result<HeldStates, DbError> {
    let rules = derivation.rules;
    if !rules.guard.on {
        return Ok(HeldStates::new());
    }
    let keys: Vec<Key> =
        shown.values().flatten().map(|row| (row.tenant_id.clone(), row.id.clone())).collect();
    let entries = held_users::live(conn, &keys)?;
    let losses = losses(conn, shown, outcome, derivation)?;
    if losses.is_empty() && entries.is_empty() {
        return Ok(HeldStates::new());
    }
    let Sorted { held: held_before, fresh, applied, overtaken } = guard::sort(losses, entries, &rules.guard);
    let restated: Vec<(&UserLoss, i64)> = held_before
        .iter()
        .filter(|(loss, entry)| loss.cause_digest != entry.cause_digest)
        .map(|(loss, entry)| (loss, entry.hold_id))
        .collect();
    held_users::restate(conn, &restated)?;
    held_users::end(conn, &applied.iter().collect::<Vec<_>>(), held_users::DONE)?;
    held_users::end(conn, &overtaken.iter().collect::<Vec<_>>(), held_users::ENDED)?;

    let held = match derivation.extent {
        Extent::Operator => Vec::new(),
        Extent::Touched | Extent::Directory => weigh_fresh(conn, shown, fresh, derivation)?,
    };
    let mut events: Vec<LossEvent> = overtaken.iter().map(end_of).collect();
    events.extend(held.iter().map(|(loss, hold_id)| beginning_of(loss, *hold_id)));
    consequences.entries.extend(row_entries::losses(conn, state, events, derivation.cause)?);
    let left: BTreeSet<i64> =
        applied.iter().chain(&overtaken).map(|entry: &HeldEntry| entry.hold_id).collect();
    for hold in holds::settle(conn, &left.into_iter().collect::<Vec<_>>())? {
        if hold.announcements == 0 {
            let (people, _) = held_users::counts(conn, &[hold.id])?.remove(&hold.id).unwrap_or_default();
            consequences.entries.push(hold_entries::announced(&hold, people));
        }
        consequences.entries.push(hold_entries::ended(&hold));
    }
    let held = held.into_iter().map(|(loss, _)| loss);
    let state = |loss: UserLoss| ((loss.tenant_id, loss.user_id), loss.held_state);
    Ok(held_before.into_iter().map(|(loss, _)| loss).chain(held).map(state).collect())
}

/// The state of rows that are held already, whatever will be derived.
pub fn held_states(conn: &mut Conn, shown: &HashMap<String, Vec<UserRow>>) -> Result<HeldStates, DbError> {
    let keys: Vec<Key> =
        shown.values().flatten().map(|row| (row.tenant_id.clone(), row.id.clone())).collect();
    let state = |entry: HeldEntry| {
        let row = rows(shown, &entry.user_id).iter().find(|row| row.tenant_id == entry.tenant_id)?;
        let held_state = match entry.lost {
            LostAccess::Roles(roles) => HeldState { access: false, roles },
            _ => HeldState { access: true, roles: row.held.clone() },
        };
        Some(((entry.tenant_id, entry.user_id), held_state))
    };
    Ok(held_users::live(conn, &keys)?.into_iter().filter_map(state).collect())
}

/// A role is privileged too when only the mapping before this one said so: dropping it from the document takes it from
/// everybody (lesson 22).
fn losses(
    conn: &mut Conn,
    shown: &HashMap<String, Vec<UserRow>>,
    outcome: &UserOutcome,
    derivation: &Derivation<'_>,
) -> Result<Vec<UserLoss>, DbError> {
    let rules = derivation.rules;
    let version = rules.mapping.version;
    let before = match derivation.extent {
        Extent::Directory if version > 0 => mappings::at(conn, version - 1)?,
        _ => None,
    };
    let is_privileged = |tenant_id: &str, role: &str| {
        let privileged =
            |mapping: &crate::decide::mapping::Mapping| mapping.of(tenant_id).is_privileged(role);
        privileged(&rules.mapping) || before.as_ref().is_some_and(privileged)
    };
    Ok(guard::losses(shown, &outcome.changes, version, is_privileged))
}

fn beginning_of(loss: &UserLoss, hold_id: i64) -> LossEvent {
    let ended_at = (loss.lost == LostAccess::Directory).then(|| Timestamp::from_micros(loss.cause_digest));
    let changed = hold_entries::held(loss, hold_id);
    LossEvent { tenant_id: loss.tenant_id.clone(), user_id: loss.user_id.clone(), ended_at, changed }
}

fn end_of(entry: &HeldEntry) -> LossEvent {
    let changed = hold_entries::overtaken(entry);
    LossEvent { tenant_id: entry.tenant_id.clone(), user_id: entry.user_id.clone(), ended_at: None, changed }
}

/// Those that are held, of losses on which nobody has decided, with the hold of each.
fn weigh_fresh(
    conn: &mut Serialized<'_>,
    shown: &HashMap<String, Vec<UserRow>>,
    fresh: Vec<UserLoss>,
    derivation: &Derivation<'_>,
) -> Result<Vec<(UserLoss, i64)>, DbError> {
    let rules = derivation.rules;
    let mut directories: BTreeMap<Key, Vec<UserLoss>> = BTreeMap::new();
    for loss in fresh {
        let directory = (loss.tenant_id.clone(), loss.directory_id.clone());
        directories.entry(directory).or_default().push(loss);
    }
    let minute = derivation.now.minute();
    // Whole minutes: never shorter than the window, and up to one longer.
    let since = |limits: &GuardLimits| minute - i64::from(limits.window_minutes);
    let weighed: Vec<(&Key, &GuardLimits)> =
        directories.keys().filter_map(|key| Some((key, rules.guard.of(&key.0)?))).collect();
    let windows: Vec<(&str, i64)> =
        weighed.iter().map(|(key, limits)| (key.1.as_str(), since(limits))).collect();
    let recent = guard_counts::recent(conn, &windows)?;
    let mut held: Vec<(UserLoss, i64)> = Vec::new();
    let mut added = Vec::new();
    for (directory, limits) in weighed {
        let losses = directories.get(directory).map_or(&[][..], Vec::as_slice);
        let recent = recent.get(&directory.1).copied().unwrap_or_default();
        let is_held = is_anomalous(conn, shown, directory, losses, limits, recent, derivation.extent)?;
        let applied = if is_held { 0 } else { losses.len() };
        added.push(AddedLosses {
            directory_id: &directory.1,
            since: since(limits),
            losses: losses.len(),
            applied,
            departures: if is_held { 0 } else { departures(losses) },
        });
        if is_held {
            let weighed = Weighed { directory, losses, limits, recent };
            let id = hold(conn, weighed, derivation.now)?;
            held.extend(losses.iter().cloned().map(|loss| (loss, id)));
        }
    }
    guard_counts::add(conn, minute, &added)?;
    Ok(held)
}

fn is_anomalous(
    conn: &mut Conn,
    shown: &HashMap<String, Vec<UserRow>>,
    directory: &Key,
    losses: &[UserLoss],
    limits: &GuardLimits,
    recent: RecentLosses,
    extent: Extent,
) -> Result<bool, DbError> {
    let count = losses.len() as u64;
    // All of its people at once, however few are visited here.
    if losses.iter().any(|loss| loss.lost == LostAccess::Directory) {
        let active = guard_counts::active(conn, directory, u64::from(limits.minimum.max(limits.everybody)))?;
        if limits.trips(active, active) || limits.is_everybody(active, active, recent.departures) {
            return Ok(true);
        }
    }
    let mut departures = departures(losses) as u64;
    if departures > 0 {
        // Those who wait in the directory's hold would leave too.
        departures += match holds::open_of(conn, directory)? {
            Some(id) => held_users::departures(conn, id)?,
            None => 0,
        };
        // With nobody else active they would be everybody; otherwise nobody needs to be counted.
        if limits.is_everybody(departures, 0, recent.departures) {
            let active = guard_counts::active(conn, directory, departures + 1)?;
            if limits.is_everybody(departures, active, recent.departures) {
                return Ok(true);
            }
        }
    }
    if extent == Extent::Directory {
        let here = |row: &&UserRow| {
            row.active && (&row.tenant_id, &row.directory_id) == (&directory.0, &directory.1)
        };
        let active = shown.keys().flat_map(|id| rows(shown, id)).filter(here).count();
        if limits.trips(count, active as u64) {
            return Ok(true);
        }
    }
    // Those who went lately were active before.
    let below =
        limits.anomalous_below(recent.losses + count).and_then(|below| below.checked_sub(recent.applied));
    match below {
        None | Some(0) => Ok(false),
        Some(below) => Ok(guard_counts::active(conn, directory, below)? < below),
    }
}

/// The fresh losses of one directory, and the numbers that they were weighed by.
#[derive(Clone, Copy)]
struct Weighed<'a> {
    directory: &'a Key,
    losses: &'a [UserLoss],
    limits: &'a GuardLimits,
    recent: RecentLosses,
}

/// Adds the losses to the directory's open hold, or opens one. The number of its people is announced later, when no more
/// people join.
fn hold(conn: &mut Serialized<'_>, weighed: Weighed<'_>, now: Timestamp) -> Result<i64, DbError> {
    let id = match holds::open_of(conn, weighed.directory)? {
        Some(id) => id,
        None => open(conn, weighed, now)?,
    };
    held_users::hold(conn, &weighed.losses.iter().map(|loss| (loss, id)).collect::<Vec<_>>(), now)?;
    if let Some(hold) = holds::find(conn, id)? {
        let planned = hold.announcement().joined(held_users::waiting(conn, id)?, now);
        holds::plan_announcement(conn, id, planned)?;
    }
    Ok(id)
}

fn open(
    conn: &mut Serialized<'_>,
    Weighed { directory, losses, limits, recent }: Weighed<'_>,
    now: Timestamp,
) -> Result<i64, DbError> {
    let due_at = match limits.undecided {
        Undecided::Stay => None,
        Undecided::ApproveAfterHours(hours) => Some(now.plus_seconds(i64::from(hours) * 3_600)),
    };
    let active = guard_counts::active(conn, directory, u64::MAX)?;
    let new = holds::NewHold {
        directory,
        cause: cause(losses),
        opened_at: now,
        due_at,
        applied_before: recent.applied,
        active_before: active + recent.applied,
    };
    let id = holds::open(conn, &new)?;
    tracing::warn!(
        hold.id = id,
        tenant.id = %directory.0,
        directory.id = %directory.1,
        applied_before = recent.applied,
        "a mass change is held"
    );
    Ok(id)
}

/// How many of these losses end access.
fn departures(losses: &[UserLoss]) -> usize {
    losses.iter().filter(|loss| loss.lost.is_access()).count()
}

/// What most of the batch is about.
fn cause(losses: &[UserLoss]) -> &'static str {
    let mut counts: BTreeMap<&'static str, usize> = BTreeMap::new();
    for loss in losses {
        *counts.entry(loss.lost.code()).or_default() += 1;
    }
    counts.into_iter().max_by_key(|(_, count)| *count).map_or("inactive", |(code, _)| code)
}
