//! Writes a notice for each report period that is over. Period and notice change in one transaction, so a crash neither
//! loses nor repeats a report.

use std::collections::HashMap;

use parking_lot::Mutex;

use crate::{
    config::{self, period::begins_between},
    db::{Database, DbError},
    outbox::{self, Notice, notice::Period},
    runtime::clock::Timestamp,
    tables::{
        report_periods::{self, Begun},
        tenants,
    },
};

/// New and deleted tenants are noticed within this time. The end of a period is noticed at once.
const PAUSE_SECONDS: i64 = 3_600;

/// Tenants in one transaction: thousands of reports at 06:00 must not block other writers.
const MOST: usize = 200;

#[derive(Default)]
pub(super) struct Schedule {
    looked_at: Mutex<Option<Timestamp>>,
}

/// The changes to write.
#[derive(Debug, Default, PartialEq, Eq)]
struct Changes {
    /// New tenants: their current period is stored, without a report.
    met: Vec<Begun>,
    /// Tenants with a new period, and the beginning of the previous one, which is over.
    over: Vec<(Begun, Timestamp)>,
    /// Tenants that no longer get reports.
    gone: Vec<String>,
}

impl Schedule {
    pub(super) fn look(
        &self,
        database: &Database,
        settings: &config::MailSettings,
        now: Timestamp,
    ) -> Result<(), DbError> {
        let mut looked_at = self.looked_at.lock();
        if looked_at.is_some_and(|at| !is_due(at, settings, now)) {
            return Ok(());
        }
        let (living, reported) =
            database.read::<_, DbError>(|conn| Ok((tenants::living(conn)?, report_periods::all(conn)?)))?;
        let Changes { met, over, gone } = changes(living, reported, settings, now);
        for some in met.chunks(MOST) {
            database.write::<_, DbError>(|conn| Ok(report_periods::meet(conn, some)?))?;
        }
        for some in over.chunks(MOST) {
            database.write::<_, DbError>(|conn| {
                let begun: Vec<Begun> = some.iter().map(|(begun, _)| begun.clone()).collect();
                let mine = report_periods::begin(conn, &begun)?;
                let notices: Vec<Notice> = some
                    .iter()
                    .filter(|((tenant_id, _), _)| mine.contains(tenant_id))
                    .map(|(begun, since)| notice(begun, *since))
                    .collect();
                Ok(outbox::enqueue(conn, &notices, now)?)
            })?;
        }
        for some in gone.chunks(MOST) {
            database.write::<_, DbError>(|conn| Ok(report_periods::forget(conn, some)?))?;
        }
        *looked_at = Some(now);
        Ok(())
    }
}

/// Whether the next check is due. If no tenant gets reports, only the first check after the start runs; it deletes old rows.
fn is_due(looked_at: Timestamp, settings: &config::MailSettings, now: Timestamp) -> bool {
    settings.reports_at_all()
        && (now.seconds_since(looked_at) >= PAUSE_SECONDS || begins_between(looked_at, now))
}

fn changes(
    living: Vec<String>,
    mut reported: HashMap<String, Timestamp>,
    settings: &config::MailSettings,
    now: Timestamp,
) -> Changes {
    let mut changes = Changes::default();
    for tenant_id in living {
        let Some(every) = settings.reports(&tenant_id) else { continue };
        let beginning = every.beginning(now);
        match reported.remove(&tenant_id) {
            None => changes.met.push((tenant_id, beginning)),
            // If several periods are over, only the newest is reported.
            Some(newest) if newest < beginning => {
                changes.over.push(((tenant_id, beginning), every.before(beginning)));
            }
            Some(_) => {}
        }
    }
    changes.gone = reported.into_keys().collect();
    changes.gone.sort_unstable();
    changes
}

fn notice((tenant_id, until): &Begun, since: Timestamp) -> Notice {
    let period = Period { since: since.micros(), until: until.micros() };
    Notice::AccessReport { tenant_id: tenant_id.clone(), period }
}
