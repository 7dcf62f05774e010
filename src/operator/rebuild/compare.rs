//! Compares the tables with the shadow, row by row.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::RebuildError;
use crate::{
    db::{Conn, Database, DbError},
    tables::{
        host_tables::{PublishedTable, TABLES, TENANTS, USERS},
        users,
    },
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowChange {
    /// Only the shadow has the row.
    Missing,
    /// Only the tables have the row.
    Extra,
    Changed,
    /// The former tenant of a user still has an inactive row, because a row of the application references it without
    /// ON DELETE. It gives no access, and it is deleted when the reference is gone.
    Retained,
}

impl RowChange {
    pub fn name(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Extra => "extra",
            Self::Changed => "changed",
            Self::Retained => "retained",
        }
    }
}

/// A row that differs.
#[derive(Clone, Debug)]
pub struct Difference {
    pub table: PublishedTable,
    pub key: Vec<String>,
    pub change: RowChange,
    /// Column, value in the tables, value in the shadow.
    pub columns: Vec<(&'static str, Value, Value)>,
    /// The row of the shadow, with rosterd's own columns. `None` for an extra row.
    pub(super) wanted: Option<Vec<Value>>,
    /// The row of the tables.
    pub(super) current: Option<Vec<Value>>,
    /// The database's reason, if a constraint of the application refuses the repair.
    pub refused: Option<String>,
}

/// Reads one tenant at a time, which bounds the memory.
pub(super) fn compare(
    conn: &mut Conn,
    shadow: &Database,
    tenant: Option<&str>,
) -> Result<Vec<Difference>, RebuildError> {
    let mut differences = Vec::new();
    for table in TABLES {
        for tenant in tenants(conn, shadow, table, tenant)? {
            let current = table.whole_rows(conn, Some(&tenant))?;
            let wanted = shadow.read::<_, DbError>(|conn| Ok(table.whole_rows(conn, Some(&tenant))?))?;
            differences.extend(rows(table, current, wanted));
        }
    }
    let homes = users_elsewhere(shadow, &differences)?;
    for difference in &mut differences {
        if is_retained(difference, &homes) {
            difference.change = RowChange::Retained;
        }
    }
    Ok(differences)
}

/// The ids of users with an extra row who have a row in another tenant of the shadow.
fn users_elsewhere(shadow: &Database, differences: &[Difference]) -> Result<BTreeSet<String>, RebuildError> {
    let extra: BTreeSet<String> = differences
        .iter()
        .filter(|difference| difference.table.name == USERS.name && difference.change == RowChange::Extra)
        .filter_map(|difference| difference.key.get(1).cloned())
        .collect();
    Ok(shadow.read::<_, DbError>(|conn| Ok(users::existing(conn, &extra)?))?)
}

fn is_retained(difference: &Difference, homes: &BTreeSet<String>) -> bool {
    let status = USERS.names().position(|name| name == "status");
    let current = status.and_then(|status| difference.current.as_ref()?.get(status)?.as_str());
    difference.table.name == USERS.name
        && difference.change == RowChange::Extra
        && current == Some("inactive")
        && difference.key.get(1).is_some_and(|id| homes.contains(id))
}

/// All tenants with rows of this table, on either side.
fn tenants(
    conn: &mut Conn,
    shadow: &Database,
    table: PublishedTable,
    only: Option<&str>,
) -> Result<BTreeSet<String>, RebuildError> {
    if let Some(only) = only {
        return Ok(BTreeSet::from([only.to_owned()]));
    }
    let mut tenants: BTreeSet<String> = table.tenants(conn)?.into_iter().collect();
    tenants.extend(shadow.read::<_, DbError>(|conn| Ok(table.tenants(conn)?))?);
    tenants.extend(TENANTS.tenants(conn)?);
    Ok(tenants)
}

fn rows(table: PublishedTable, current: Vec<Vec<Value>>, wanted: Vec<Vec<Value>>) -> Vec<Difference> {
    let key = |row: &Vec<Value>| -> Vec<String> {
        row.iter().take(table.key).map(|value| value.as_str().unwrap_or_default().to_owned()).collect()
    };
    type Sides = (Option<Vec<Value>>, Option<Vec<Value>>);
    let mut sides: BTreeMap<Vec<String>, Sides> = BTreeMap::new();
    for row in current {
        let key = key(&row);
        sides.entry(key).or_default().0 = Some(row);
    }
    for row in wanted {
        let key = key(&row);
        sides.entry(key).or_default().1 = Some(row);
    }
    sides.into_iter().filter_map(|(key, (current, wanted))| difference(table, key, current, wanted)).collect()
}

fn difference(
    table: PublishedTable,
    key: Vec<String>,
    current: Option<Vec<Value>>,
    wanted: Option<Vec<Value>>,
) -> Option<Difference> {
    let (change, columns) = match (&current, &wanted) {
        (Some(current), Some(wanted)) => {
            let names = table.all_columns();
            let columns: Vec<_> = names
                .iter()
                .zip(current.iter().zip(wanted))
                // A local counter. The log does not contain it.
                .filter(|((name, _), (current, wanted))| *name != "access_epoch" && current != wanted)
                .map(|((name, _), (current, wanted))| (*name, current.clone(), wanted.clone()))
                .collect();
            if columns.is_empty() {
                return None;
            }
            (RowChange::Changed, columns)
        }
        (None, Some(_)) => (RowChange::Missing, Vec::new()),
        _ => (RowChange::Extra, Vec::new()),
    };
    Some(Difference { table, key, change, columns, wanted, current, refused: None })
}
