//! Compares directories that have sent nothing for days with the broker's lists before anybody is notified. A directory
//! whose comparison was complete is not silent. The administrators are notified of any other, with the reason.

use std::collections::BTreeSet;

use super::{reconcile::ReconcileError, report::Report};
use crate::{
    db::{Database, DbError},
    outbox::{self, Notice},
    runtime::clock::Timestamp,
    tables::directory_activity::{self, Silent},
};

/// A mail to administrators does not name settings of this service.
const NO_ANSWER: &str = "the broker did not answer";

/// Compares the directories that have been silent for `days` days, with `compare`. Returns those that are still silent.
pub fn look(
    database: &Database,
    now: Timestamp,
    days: u32,
    compare: impl FnOnce(BTreeSet<String>) -> Result<Vec<Report>, ReconcileError>,
) -> Result<Vec<Silent>, ReconcileError> {
    let since = now.plus_seconds(-i64::from(days) * 86_400);
    let silent = || database.read::<_, DbError>(|conn| Ok(directory_activity::silent_since(conn, since)?));
    let before = silent()?;
    if days == 0 || before.is_empty() {
        return Ok(Vec::new());
    }
    let reports = match compare(before.into_iter().map(|one| one.directory_id).collect()) {
        Err(error) if error.is_stop() => return Err(error),
        Err(error) => {
            tracing::error!(error = %error, "silent directories could not be compared; their administrators are notified");
            Vec::new()
        }
        Ok(reports) => reports,
    };
    let reason = |silent: &Silent| {
        let report = reports.iter().find(|report| report.directory_id == silent.directory_id);
        report.and_then(|report| report.reason.clone()).unwrap_or_else(|| NO_ANSWER.to_owned())
    };
    let after = silent()?;
    database.write::<_, DbError>(|conn| {
        let mut notices = Vec::with_capacity(after.len());
        for silent in &after {
            // Another process may have been faster.
            if directory_activity::mark_notified(conn, silent, now)? {
                notices.push(Notice::silent(silent, days, Some(reason(silent))));
            }
        }
        Ok(outbox::enqueue(conn, &notices, now)?)
    })?;
    Ok(after)
}
