//! Looks now and then whether a period of somebody's reports is over, and has the report made.

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

/// New tenants, and those that went, are noticed within the hour; a period is over when it is over.
const PAUSE_SECONDS: i64 = 3_600;

/// Tenants in one transaction: thousands at six o'clock must keep nobody from writing.
const MOST: usize = 200;

#[derive(Default)]
pub(super) struct Schedule {
    looked_at: Mutex<Option<Timestamp>>,
}

/// What is to be written.
#[derive(Debug, Default, PartialEq, Eq)]
struct Changes {
    /// Of these nothing is told yet: they have just been met.
    met: Vec<Begun>,
    /// A period has begun, and the one before it, which began so, is over.
    over: Vec<(Begun, Timestamp)>,
    /// They get no reports any more.
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
        let (living, told) =
            database.read::<_, DbError>(|conn| Ok((tenants::living(conn)?, report_periods::all(conn)?)))?;
        let Changes { met, over, gone } = changes(living, told, settings, now);
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

/// Where nobody gets reports, one look after the start takes away what is left of such a time.
fn is_due(looked_at: Timestamp, settings: &config::MailSettings, now: Timestamp) -> bool {
    settings.reports_at_all()
        && (now.seconds_since(looked_at) >= PAUSE_SECONDS || begins_between(looked_at, now))
}

fn changes(
    living: Vec<String>,
    mut told: HashMap<String, Timestamp>,
    settings: &config::MailSettings,
    now: Timestamp,
) -> Changes {
    let mut changes = Changes::default();
    for tenant_id in living {
        let Some(every) = settings.reports(&tenant_id) else { continue };
        let beginning = every.beginning(now);
        match told.remove(&tenant_id) {
            None => changes.met.push((tenant_id, beginning)),
            // However long ago: only the newest period that is over.
            Some(newest) if newest < beginning => {
                changes.over.push(((tenant_id, beginning), every.before(beginning)));
            }
            Some(_) => {}
        }
    }
    changes.gone = told.into_keys().collect();
    changes.gone.sort_unstable();
    changes
}

fn notice((tenant_id, until): &Begun, since: Timestamp) -> Notice {
    let period = Period { since: since.micros(), until: until.micros() };
    Notice::AccessReport { tenant_id: tenant_id.clone(), period }
}
