//! Rows that a transaction may change, as they were before.
//!
//! A row is read when it is named for the first time in the transaction, so the statement that changes it comes later.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use diesel::QueryResult;

use super::{RowDifference, draft};
use crate::db::{Conn, Serialized};

/// The key of a row: the tenant, then its id or ids.
pub type RowKey = Vec<String>;

/// Names one row, or several rows, of a table. Most tables name one row by its key.
pub type Selection = Vec<String>;

/// A table whose rows are in the change feed.
pub trait WatchedTable: Sync {
    /// Its name.
    fn name(&self) -> &'static str;

    /// The existing rows of these selections: the key, and the other columns as a JSON object.
    fn read(&self, conn: &mut Conn, selections: &[Selection]) -> QueryResult<Vec<(RowKey, String)>>;

    /// All selections that contain this row.
    fn selections_of(&self, key: &RowKey) -> Vec<Selection> {
        vec![key.clone()]
    }

    /// The difference between the row before and now. `renamed` is a kind to use instead of the usual one.
    fn difference(
        &self,
        key: RowKey,
        before: Option<String>,
        after: Option<String>,
        renamed: Option<&'static str>,
    ) -> RowDifference;
}

/// The selections of one table in a transaction.
pub(super) struct Watch {
    table: &'static dyn WatchedTable,
    selections: HashSet<Selection, foldhash::fast::RandomState>,
    before: BTreeMap<RowKey, String>,
    renamed: BTreeMap<RowKey, &'static str>,
}

impl Watch {
    pub(super) fn new(table: &'static dyn WatchedTable) -> Self {
        Self { table, selections: HashSet::default(), before: BTreeMap::new(), renamed: BTreeMap::new() }
    }

    pub(super) fn rename(&mut self, key: RowKey, kind: &'static str) {
        self.renamed.insert(key, kind);
    }

    fn new_ones(&self, selections: impl IntoIterator<Item = Selection>) -> Vec<Selection> {
        let new: BTreeSet<Selection> =
            selections.into_iter().filter(|selection| !self.selections.contains(selection)).collect();
        new.into_iter().collect()
    }

    fn add(&mut self, new: Vec<Selection>, rows: Vec<(RowKey, String)>) {
        for (key, row) in rows {
            // A row of an earlier selection may have changed since; what it was is known.
            if !self.table.selections_of(&key).iter().any(|one| self.selections.contains(one)) {
                self.before.insert(key, row);
            }
        }
        self.selections.extend(new);
    }

    /// Reads the rows again, and compares.
    pub(super) fn differences(&mut self, conn: &mut Conn) -> QueryResult<Vec<RowDifference>> {
        let mut selections: Vec<Selection> = std::mem::take(&mut self.selections).into_iter().collect();
        // In the order of the keys: neighbours share the path through the index.
        selections.sort_unstable();
        let mut after: BTreeMap<RowKey, String> = self.table.read(conn, &selections)?.into_iter().collect();
        let mut differences = Vec::new();
        for (key, before) in std::mem::take(&mut self.before) {
            let after = after.remove(&key);
            let renamed = self.renamed.get(&key).copied();
            if after.as_ref() != Some(&before) || renamed.is_some() {
                differences.push(self.table.difference(key, Some(before), after, renamed));
            }
        }
        let created = after.into_iter().map(|(key, row)| self.table.difference(key, None, Some(row), None));
        differences.extend(created);
        Ok(differences)
    }
}

/// Says that these rows may change from now on.
pub fn begin(
    conn: &mut Serialized<'_>,
    table: &'static dyn WatchedTable,
    selections: impl IntoIterator<Item = Selection>,
) -> QueryResult<()> {
    let Some(watch) = draft::watch(conn, table) else { return Ok(()) };
    let new = watch.new_ones(selections);
    if new.is_empty() {
        return Ok(());
    }
    let rows = table.read(conn, &new)?;
    if let Some(watch) = draft::watch(conn, table) {
        watch.add(new, rows);
    }
    Ok(())
}

/// The same for selections that contain no row yet, without reading.
pub fn begin_absent(
    conn: &mut Serialized<'_>,
    table: &'static dyn WatchedTable,
    selections: impl IntoIterator<Item = Selection>,
) {
    if let Some(watch) = draft::watch(conn, table) {
        watch.selections.extend(selections);
    }
}
