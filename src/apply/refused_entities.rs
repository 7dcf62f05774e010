//! Users and groups whose change the database refused ([`crate::tables::refused`]). They are derived again one by one,
//! so that a refused one delays no other.

use std::collections::BTreeSet;

use super::{
    ApplyError,
    consequences::Consequences,
    expect_mapping, load, recompute,
    users::{Derivation, people},
};
use crate::{
    audit::row_entries::ChangeCause,
    db::{ALONE, Database, DbError, Fault, Serialized, probe, wait_for_rows},
    decide::{Rules, guard::Extent},
    inbox::dead_letters,
    outbox::{self, Notice, notice::GivenUp},
    runtime::clock::Timestamp,
    tables::{
        self, held_users, recompute_jobs,
        refused::{self, HOLD, RefusedChange},
    },
};

/// The limit of one step, so that deliveries need not wait.
const MOST: i64 = 100;

/// The result of a step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retried {
    pub applied: usize,
    pub leavers: usize,
    pub notices: usize,
}

/// Tries the changes that are due. An error means that the database cannot work. Then no attempt is counted.
pub fn step(database: &Database, rules: &Rules, now: Timestamp) -> Result<Retried, ApplyError> {
    let due = database.read::<_, DbError>(|conn| Ok(refused::due(conn, now, MOST)?))?;
    let mut outcome = Retried::default();
    for one in due {
        let attempt = database.write_serialized::<_, ApplyError>(|conn| {
            expect_mapping(conn, rules)?;
            wait_for_rows(conn, ALONE)?;
            // Another process may have been faster.
            match refused::find(conn, one.kind, &one.id)? {
                Some(one) => Ok(again(conn, &one, rules, now)?),
                None => Ok(Consequences::default()),
            }
        });
        match attempt {
            Ok(consequences) => {
                outcome.applied += 1;
                outcome.leavers += consequences.leavers();
                outcome.notices += consequences.notices.len();
            }
            Err(ApplyError::Database(error)) => {
                let fault = refusal(database, error)?;
                outcome.notices +=
                    database.write_serialized::<_, DbError>(|conn| fault.record(conn, &one, now))?;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(outcome)
}

/// The reason why a single change was refused.
pub struct Refusal {
    /// The database's reason.
    pub detail: String,
    /// A row is locked for a moment. This does not count as an attempt.
    pub busy: bool,
}

impl Refusal {
    pub fn record(
        &self,
        conn: &mut Serialized<'_>,
        one: &RefusedChange,
        now: Timestamp,
    ) -> Result<usize, DbError> {
        tracing::warn!(entity = one.name(), error = %self.detail, "the database refuses a change, which is tried again later");
        if !one.store(conn, &self.detail, self.busy, now)? {
            return Ok(0);
        }
        let given_up = GivenUp {
            inbox_id: 0,
            entity: Some(one.name()),
            reason: dead_letters::REFUSED.to_owned(),
            detail: self.detail.clone(),
            at: now.micros(),
        };
        outbox::enqueue(conn, &[Notice::DeliveryGivenUp(given_up)], now)?;
        Ok(1)
    }
}

/// Returns the error when the database itself is at fault.
pub fn refusal(database: &Database, error: DbError) -> Result<Refusal, DbError> {
    let busy = match error.fault() {
        Fault::Database => return Err(error),
        Fault::Busy | Fault::Unclear => probe::is_busy(database, &error)?,
        Fault::Data => false,
    };
    Ok(Refusal { detail: error.to_string(), busy })
}

fn again(
    conn: &mut Serialized<'_>,
    one: &RefusedChange,
    rules: &Rules,
    now: Timestamp,
) -> Result<Consequences, DbError> {
    let held = one.rank == HOLD;
    let directory_id = if held { "" } else { one.owner.as_str() };
    let mut state = load::entities(conn, directory_id, BTreeSet::from([one.id.clone()]))?;
    let homes = recompute::homes(conn, &state, rules)?;
    state.touched.entities.insert((tables::kind(one.kind), one.id.clone()));
    let mapped = i64::from(one.rank) == recompute_jobs::MAPPING;
    let cause = match one.group_id.as_str() {
        _ if held => ChangeCause::HoldApproved,
        _ if mapped => ChangeCause::Mapping(rules.mapping.version),
        "" => ChangeCause::Directory(directory_id),
        group_id => ChangeCause::Group(group_id),
    };
    let extent = match one.group_id.as_str() {
        _ if held => Extent::Operator,
        "" => Extent::Directory,
        _ => Extent::Touched,
    };
    let mut consequences = Consequences::default();
    people(conn, &mut state, &homes, &Derivation { rules, cause, now, extent }, &mut consequences)?;
    if mapped {
        consequences.notices.retain(|notice| !matches!(notice, Notice::Privileged(_)));
    }
    consequences.write(conn, now)?;
    if held {
        held_users::finish(conn, &[(one.owner.clone(), one.id.clone())])?;
    }
    one.forget(conn)?;
    Ok(consequences)
}
