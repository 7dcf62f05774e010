//! Stores losses in the inbox. The guard weighs all of them together before that.

use std::collections::BTreeSet;

use super::difference::{Loss, delivery};
use crate::{
    db::{Conn, Database, DbError, Serialized},
    decide::Rules,
    inbox::insert::append_within,
    runtime::clock::Timestamp,
    tables::{
        Key,
        guard_counts::{self, AddedLosses},
        held_users, users,
    },
};

const STEP: usize = 1_000;

/// Stores all losses, or none. When the guard would hold them as a whole, it holds each part of them later when that
/// part is applied.
pub(super) fn append(
    database: &Database,
    rules: &Rules,
    directory: &Key,
    losses: &[Loss],
    now: Timestamp,
) -> Result<(), DbError> {
    let deliveries: Vec<_> = losses.iter().map(|loss| delivery(&loss.body, now)).collect();
    database.write_serialized(|conn| {
        announce(conn, rules, directory, losses, now)?;
        for chunk in deliveries.chunks(STEP) {
            append_within(conn, chunk)?;
        }
        Ok(())
    })
}

/// The applier may apply the losses in several smaller batches. So they are added to the guard's count before.
fn announce(
    conn: &mut Serialized<'_>,
    rules: &Rules,
    directory: &Key,
    losses: &[Loss],
    now: Timestamp,
) -> Result<(), DbError> {
    let Some(limits) = rules.guard.of(&directory.0) else { return Ok(()) };
    let losing = losing(conn, rules, directory, losses)?;
    let (minute, since) = (now.minute(), now.minute() - i64::from(limits.window_minutes));
    let recent = guard_counts::recent(conn, &[(&directory.1, since)])?;
    let recent = recent.get(&directory.1).copied().unwrap_or_default();
    let below =
        limits.anomalous_below(recent.losses + losing).and_then(|below| below.checked_sub(recent.applied));
    let Some(below) = below.filter(|below| *below > 0) else { return Ok(()) };
    if guard_counts::active(conn, directory, below)? < below {
        let losses = usize::try_from(losing).unwrap_or(usize::MAX);
        guard_counts::add(
            conn,
            minute,
            &[AddedLosses { directory_id: &directory.1, since, losses, applied: 0, departures: 0 }],
        )?;
    }
    Ok(())
}

/// The number of people who would lose access, or may lose a privileged role.
fn losing(conn: &mut Conn, rules: &Rules, directory: &Key, losses: &[Loss]) -> Result<u64, DbError> {
    let of = |access: bool| -> BTreeSet<&String> {
        losses
            .iter()
            .filter(|loss| loss.is_access == access)
            .filter_map(|loss| loss.user_id.as_ref())
            .collect()
    };
    let (access, other) = (of(true), of(false));
    let all: Vec<Key> = access.union(&other).map(|id| (directory.0.clone(), (*id).clone())).collect();
    let mut count = 0;
    for chunk in all.chunks(STEP) {
        let losing = users::current(conn, chunk)?.into_iter().filter(|row| {
            let mapping = rules.mapping.of(&row.tenant_id);
            row.active
                && (access.contains(&row.id) || row.held.iter().any(|role| mapping.is_privileged(role)))
        });
        count += losing.count() as u64;
    }
    Ok(count)
}

/// The people whose losses the guard holds after they were applied.
pub(super) fn held(
    database: &Database,
    tenant_id: &str,
    losses: &[Loss],
) -> Result<BTreeSet<String>, DbError> {
    let ids: BTreeSet<&String> = losses.iter().filter_map(|loss| loss.user_id.as_ref()).collect();
    let keys: Vec<Key> = ids.into_iter().map(|id| (tenant_id.to_owned(), id.clone())).collect();
    database.read(|conn| {
        let mut held = BTreeSet::new();
        for chunk in keys.chunks(STEP) {
            held.extend(held_users::live(conn, chunk)?.into_iter().map(|entry| entry.user_id));
        }
        Ok(held)
    })
}
