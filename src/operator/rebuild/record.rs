//! Audit entries of a rebuild: one for each user, group or other subject that differed.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;

use super::{Difference, RowChange};
use crate::{
    audit::{Actor, AuditEntry, kinds},
    tables::host_tables::{GROUP_MEMBERS, USER_ROLES, USERS},
};

/// Contains names of columns, and not their values, which may be personal.
#[derive(Default, Serialize)]
struct Mended<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<(Value, Value)>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    gained: BTreeMap<&'a str, &'static str>,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    lost: BTreeSet<&'a str>,
    /// Table, kind of the difference, and the columns.
    rows: BTreeSet<(&'static str, &'static str, Vec<&'static str>)>,
}

pub(super) fn entries(differences: &[Difference], by: &str) -> Vec<AuditEntry> {
    let mut mended: BTreeMap<(&str, &str), Mended<'_>> = BTreeMap::new();
    // Members are a view. The tables behind them are repaired as a whole.
    let is_repaired = |difference: &&Difference| {
        difference.table.name != GROUP_MEMBERS.name && difference.refused.is_none()
    };
    for difference in differences.iter().filter(is_repaired) {
        let mut key = difference.key.iter().map(String::as_str);
        let tenant_id = key.next().unwrap_or_default();
        let (subject, role) = (key.next().unwrap_or(tenant_id), key.next());
        let of = mended.entry((tenant_id, subject)).or_default();
        let columns = difference.columns.iter().map(|(name, ..)| *name).collect();
        of.rows.insert((difference.table.name, difference.change.name(), columns));
        if difference.table.name == USERS.name {
            let (from, to) = (status(difference.current.as_deref()), status(difference.wanted.as_deref()));
            of.status = (from != to).then_some((from, to));
        }
        match role.filter(|_| difference.table.name == USER_ROLES.name) {
            Some(role) if difference.change == RowChange::Missing => drop(of.gained.insert(role, "rebuild")),
            Some(role) if difference.change == RowChange::Extra => drop(of.lost.insert(role)),
            _ => {}
        }
    }
    let entry = |((tenant_id, subject), mended): ((&str, &str), Mended<'_>)| {
        AuditEntry::new(tenant_id, kinds::TABLES_REBUILT, subject, &mended, Actor::operator(by))
    };
    mended.into_iter().map(entry).collect()
}

fn status(row: Option<&[Value]>) -> Value {
    let column = USERS.names().position(|name| name == "status");
    column.and_then(|column| row?.get(column).cloned()).unwrap_or_default()
}
