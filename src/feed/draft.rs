//! The records of a transaction before they are written.

use std::collections::BTreeMap;

use diesel::QueryResult;

use super::{
    Cause, CauseOf, RowDifference,
    cause::Causes,
    watch::{RowKey, Watch, WatchedTable},
    write,
};
use crate::{
    db::{AtEnd, Conn, Recording, Serialized},
    runtime::clock::{Clock, Timestamp},
};

/// Everything that a transaction has said about its changes.
#[derive(Default)]
struct Draft {
    watches: BTreeMap<&'static str, Watch>,
    causes: Causes,
    at: Option<Timestamp>,
}

impl AtEnd for Draft {
    fn finish(&mut self, conn: &mut Conn, recording: Recording) -> QueryResult<()> {
        let mut differences = Vec::new();
        for watch in self.watches.values_mut() {
            differences.extend(watch.differences(conn)?);
        }
        // Stable: within a rank by table and key.
        differences.sort_by_key(RowDifference::rank);
        let at = self.at.unwrap_or_else(|| Clock::System.now());
        write::write(conn, &differences, &self.causes, at, recording)
    }
}

pub(super) fn watch<'c>(
    conn: &'c mut Serialized<'_>,
    table: &'static dyn WatchedTable,
) -> Option<&'c mut Watch> {
    let draft: &mut Draft = conn.at_end()?;
    Some(draft.watches.entry(table.name()).or_insert_with(|| Watch::new(table)))
}

/// The time of the transaction.
pub fn at(conn: &mut Serialized<'_>, at: Timestamp) {
    if let Some(draft) = conn.at_end::<Draft>() {
        draft.at = Some(at);
    }
}

/// Notes causes. A later cause of the same subject replaces an earlier one.
pub fn caused(conn: &mut Serialized<'_>, causes: impl IntoIterator<Item = (CauseOf, Cause)>) {
    if let Some(draft) = conn.at_end::<Draft>() {
        causes.into_iter().for_each(|(of, cause)| draft.causes.put(of, cause));
    }
}

/// The cause of changes of which no other cause is known.
pub fn otherwise(conn: &mut Serialized<'_>, cause: Cause) {
    if let Some(draft) = conn.at_end::<Draft>() {
        draft.causes.otherwise = cause;
    }
}

/// Gives the change of an existing row this kind. The row must have been named before; it has a record even if it does not
/// differ.
pub fn named(
    conn: &mut Serialized<'_>,
    table: &'static dyn WatchedTable,
    keys: impl IntoIterator<Item = RowKey>,
    kind: &'static str,
) {
    if let Some(watch) = watch(conn, table) {
        keys.into_iter().for_each(|key| watch.rename(key, kind));
    }
}
