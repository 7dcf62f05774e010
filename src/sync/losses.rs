//! What takes access away: weighed by the guard as one batch, before any of it enters the inbox.

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

/// All of it, or nothing. Where the guard would hold it as a whole, each part is held when it is applied.
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
        for some in deliveries.chunks(STEP) {
            append_within(conn, some)?;
        }
        Ok(())
    })
}

/// Batches of the applier may be smaller than this one; so what is to come is counted before.
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

/// How many would lose access, or may lose a privileged role.
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
    for some in all.chunks(STEP) {
        let losing = users::shown(conn, some)?.into_iter().filter(|row| {
            let mapping = rules.mapping.of(&row.tenant_id);
            row.active
                && (access.contains(&row.id) || row.held.iter().any(|role| mapping.is_privileged(role)))
        });
        count += losing.count() as u64;
    }
    Ok(count)
}

/// Those of them that the guard holds, after they were applied.
pub(super) fn held(
    database: &Database,
    tenant_id: &str,
    losses: &[Loss],
) -> Result<BTreeSet<String>, DbError> {
    let ids: BTreeSet<&String> = losses.iter().filter_map(|loss| loss.user_id.as_ref()).collect();
    let keys: Vec<Key> = ids.into_iter().map(|id| (tenant_id.to_owned(), id.clone())).collect();
    database.read(|conn| {
        let mut held = BTreeSet::new();
        for some in keys.chunks(STEP) {
            held.extend(held_users::live(conn, some)?.into_iter().map(|entry| entry.user_id));
        }
        Ok(held)
    })
}
