//! The guard for a rebuild: an incomplete log would otherwise end the access of everybody who is missing in it (lesson
//! 23).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{Difference, RebuildError};
use crate::{
    db::Conn,
    decide::Rules,
    tables::{
        self, Key, guard_counts,
        host_tables::{USER_ROLES, USERS},
    },
};

/// Refuses differences that would end more access, or privileged roles, than the guard allows at once.
pub(super) fn check(conn: &mut Conn, rules: &Rules, differences: &[Difference]) -> Result<(), RebuildError> {
    if !rules.guard.on {
        return Ok(());
    }
    let losers: BTreeSet<Key> =
        differences.iter().filter_map(|difference| loser(rules, difference)).collect();
    let mut directories: BTreeMap<Key, u64> = BTreeMap::new();
    for row in tables::users::current(conn, &losers.into_iter().collect::<Vec<_>>())? {
        *directories.entry((row.tenant_id, row.directory_id)).or_default() += 1;
    }
    for (directory, losses) in directories {
        let Some(below) = rules.guard.of(&directory.0).and_then(|limits| limits.anomalous_below(losses))
        else {
            continue;
        };
        let active = guard_counts::active(conn, &directory, below)?;
        if active < below {
            let (tenant, directory) = directory;
            return Err(RebuildError::MassChange { tenant, directory, losses, active });
        }
    }
    Ok(())
}

/// The user whose access or privileged role the repair of this row would end.
fn loser(rules: &Rules, difference: &Difference) -> Option<Key> {
    let key = &difference.key;
    let user = || Some((key.first()?.clone(), key.get(1)?.clone()));
    if difference.table.name == USER_ROLES.name {
        let is_privileged = rules.mapping.of(key.first()?).is_privileged(key.get(2)?);
        return user().filter(|_| difference.wanted.is_none() && is_privileged);
    }
    if difference.table.name != USERS.name {
        return None;
    }
    let status = USERS.names().position(|name| name == "status")?;
    let is_active = |row: &Option<Vec<Value>>| {
        row.as_ref().and_then(|row| row.get(status)).and_then(Value::as_str) == Some("active")
    };
    user().filter(|_| is_active(&difference.current) && !is_active(&difference.wanted))
}
