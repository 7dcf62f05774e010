//! The steps after decisions: announcements and approvals that are due, and the derivation of people whose loss is
//! approved.

use std::collections::BTreeSet;

use super::{Recorded, Verdict, announce, record};
use crate::{
    apply::{
        ApplyError, Batch,
        consequences::Consequences,
        expect_mapping,
        refused_entities::{Refusal, refusal},
        users::{Derivation, again},
    },
    audit::{Actor, row_entries::ChangeCause},
    db::{ALONE, Database, DbError, Fault, IN_A_BATCH, Serialized, wait_for_rows},
    decide::{
        Rules,
        fact::EntityKind,
        guard::{Extent, Guard},
    },
    runtime::{clock::Timestamp, failpoint},
    tables::{
        Key, code,
        held_users::{self, HeldUser, OPEN, REJECTED},
        hold_decisions::NewDecision,
        holds,
        refused::{HOLD, RefusedChange},
    },
};

/// The name of decisions by a setting.
const BY_SETTING: &str = "rosterd";

/// What a step did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Released {
    pub people: usize,
    pub leavers: usize,
    pub notices: usize,
}

/// Announcements and approvals that are due are made; then some of those approved are derived again. `None` when nothing waits. Whom the
/// database refuses is found and set aside as in a refresh.
pub fn step(
    database: &Database,
    rules: &Rules,
    batch: Batch,
    now: Timestamp,
) -> Result<Option<Released>, ApplyError> {
    let mut limit = batch.entities.max(1);
    loop {
        let longest = if limit >= batch.entities { IN_A_BATCH } else { ALONE };
        // How many it had in hand when it failed.
        let mut tried = None;
        let attempt = database.write_serialized::<_, ApplyError>(|conn| {
            expect_mapping(conn, rules)?;
            wait_for_rows(conn, longest)?;
            Ok(release(conn, rules, limit, now, &mut tried)?)
        });
        match attempt {
            Err(ApplyError::Database(error)) => {
                let Some(tried) = tried.filter(|_| error.fault() != Fault::Database) else {
                    return Err(error.into());
                };
                if tried > 1 {
                    limit = tried / 2;
                    continue;
                }
                let refusal = refusal(database, error)?;
                let notices = database.write_serialized::<_, DbError>(|conn| go_past(conn, &refusal, now))?;
                return Ok(Some(Released { people: 0, leavers: 0, notices }));
            }
            Err(error) => return Err(error),
            Ok(released) => {
                failpoint::reach("released");
                return Ok(released);
            }
        }
    }
}

/// The one that is next is set aside. Holds that are due are approved with it, as the step would have done.
fn go_past(conn: &mut Serialized<'_>, refusal: &Refusal, now: Timestamp) -> Result<usize, DbError> {
    approve_due(conn, now)?;
    let Some((tenant_id, user_id)) = held_users::approved(conn, 1)?.pop() else { return Ok(0) };
    refusal.record(conn, &RefusedChange::new(code(EntityKind::User), &user_id, &tenant_id, "", HOLD), now)
}

fn approve_due(conn: &mut Serialized<'_>, now: Timestamp) -> Result<(), DbError> {
    for id in holds::due(conn, now)? {
        approve_by_policy(conn, id, &[OPEN], "undecided for as long as guard.undecided allows", now)?;
    }
    Ok(())
}

fn release(
    conn: &mut Serialized<'_>,
    rules: &Rules,
    limit: usize,
    now: Timestamp,
    tried: &mut Option<usize>,
) -> Result<Option<Released>, DbError> {
    let announced = announce::due(conn, now)?;
    approve_due(conn, now)?;
    let approved: Vec<Key> = held_users::approved(conn, limit)?;
    *tried = Some(approved.len());
    if approved.is_empty() {
        let announced = Released { people: 0, leavers: 0, notices: announced };
        return Ok((announced.notices > 0).then_some(announced));
    }
    let ids: BTreeSet<String> = approved.iter().map(|(_, id)| id.clone()).collect();
    let derivation = Derivation { rules, cause: ChangeCause::HoldApproved, now, extent: Extent::Operator };
    let mut consequences = Consequences::default();
    again(conn, ids, &derivation, &mut consequences)?;
    consequences.write(conn, now)?;
    held_users::finish(conn, &approved)?;
    failpoint::reach("releasing");
    let (leavers, notices) = (consequences.leavers(), announced + consequences.notices.len());
    Ok(Some(Released { people: approved.len(), leavers, notices }))
}

/// Approves, by a setting, the people of a hold who are in one of these states.
fn approve_by_policy(
    conn: &mut Serialized<'_>,
    id: i64,
    states: &[&str],
    why: &str,
    now: Timestamp,
) -> Result<(), DbError> {
    let Some((hold, held)) = super::show(conn, id)? else { return Ok(()) };
    let chosen: Vec<&HeldUser> = held.iter().filter(|user| states.contains(&user.state.as_str())).collect();
    if chosen.is_empty() {
        return Ok(());
    }
    let verdict = Verdict::Approve;
    let new = NewDecision {
        hold_id: id,
        at: now,
        by: BY_SETTING,
        decision: verdict.decision(),
        reason: Some(why),
        people: chosen.len(),
        of_people: held.len(),
        overrides: chosen.iter().any(|user| user.state != OPEN),
    };
    record(conn, &hold, &chosen, &Recorded { verdict, new, named: &[], actor: Actor::Rule(why.to_owned()) })
}

/// Where the guard is off nobody is held: what was is approved, and what was rejected too.
pub fn release_unguarded(conn: &mut Serialized<'_>, guard: &Guard, now: Timestamp) -> Result<(), DbError> {
    for (id, tenant_id) in holds::with_people(conn)? {
        if guard.of(&tenant_id).is_none() {
            approve_by_policy(conn, id, &[OPEN, REJECTED], "the guard was switched off", now)?;
        }
    }
    Ok(())
}
