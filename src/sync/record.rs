//! Records each comparison in table `comparisons` and in the tenant's audit trail.

use serde_json::json;

use super::{
    reconcile::{Reconcile, ReconcileError},
    report::Report,
};
use crate::{
    audit::{self, Actor, kinds},
    db::DbError,
    runtime::clock::Timestamp,
    tables::comparisons::{self, Comparison},
};

impl Reconcile<'_> {
    /// Writes both records in one transaction for each hundred reports.
    pub(super) fn record(&self, reports: &[Report]) -> Result<(), ReconcileError> {
        let now = self.clock.now();
        for chunk in reports.chunks(100) {
            self.database.write_serialized::<_, DbError>(|conn| {
                let mut entries = Vec::with_capacity(chunk.len());
                for report in chunk {
                    comparisons::record(conn, &comparison(report, now))?;
                    let change = json!({
                        "complete": report.complete, "reason": report.reason, "compared_at": report.compared_at.map(|at| at.to_string()),
                        "people": report.people, "groups": report.groups, "memberships": report.memberships,
                        "differences": report.found, "healed": report.healed, "held": report.held,
                    });
                    let actor = Actor::Rule("reconcile".to_owned());
                    entries.push(audit::AuditEntry::new(
                        &report.tenant_id,
                        kinds::DIRECTORY_COMPARED,
                        &report.directory_id,
                        &change,
                        actor,
                    ));
                }
                Ok(audit::record(conn, &entries, now)?)
            })?;
        }
        Ok(())
    }
}

fn comparison(report: &Report, now: Timestamp) -> Comparison {
    let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    Comparison {
        directory_id: report.directory_id.clone(),
        checked_at: now.micros(),
        tenant_id: report.tenant_id.clone(),
        complete: report.complete,
        reason: report.reason.clone(),
        compared_at: report.compared_at.map(Timestamp::micros),
        people: number(report.people),
        groups: number(report.groups),
        memberships: number(report.memberships),
        differences: number(report.found),
        healed: number(report.healed),
        held: number(report.held),
        // The value has only texts and numbers, so this cannot fail.
        report: serde_json::to_string(&report.differences).unwrap_or_default(),
    }
}
