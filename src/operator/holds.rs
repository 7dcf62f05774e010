//! Decisions on held mass changes: by an operator, or by the policy on holds that nobody decides.
//!
//! A decision is a mark on those who are held, in one transaction. Those approved are then derived again in steps, here
//! or by whichever process is first, so what is applied is what the directory says by then, and a crash repeats nothing.

use std::collections::BTreeSet;

use serde_json::json;

use crate::{
    apply::{
        ApplyError, Batch,
        consequences::Consequences,
        expect_mapping,
        refused::{Refusal, refusal},
        users::{Derivation, again},
    },
    audit::{self, Actor, AuditEntry, kinds, row_entries::ChangeCause},
    db::{ALONE, Conn, Database, DbError, Fault, IN_A_BATCH, Serialized, wait_for_rows},
    decide::{
        Rules,
        fact::EntityKind,
        guard::{Extent, Guard},
    },
    runtime::{clock::Timestamp, failpoint},
    tables::{
        Key, code,
        held_users::{self, APPROVED, DONE, ENDED, HeldUser, OPEN, REJECTED},
        holds::{self, Hold},
        refused::{HOLD, RefusedChange},
    },
};

#[derive(Debug, thiserror::Error)]
pub enum HoldError {
    #[error("there is no hold {0}; see `rosterd holds list`")]
    Unknown(i64),
    #[error("hold {0} keeps nobody any more; see `rosterd holds show {0}`")]
    Over(i64),
    #[error("hold {hold} does not keep {user}; see `rosterd holds show {hold}`")]
    NotHeld { hold: i64, user: String },
    #[error("{0}")]
    Database(#[from] DbError),
}

impl From<diesel::result::Error> for HoldError {
    fn from(error: diesel::result::Error) -> Self {
        Self::Database(error.into())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// What the directory says by then is applied.
    Approve,
    /// They keep what they have until the directory says something else of them.
    Reject,
}

/// Who decides, why, and on whom if not on all.
#[derive(Clone, Copy, Debug)]
pub struct HoldDecision<'a> {
    pub name: &'a str,
    pub reason: Option<&'a str>,
    pub users: &'a [String],
}

/// Returns how many are concerned. What was rejected can still be approved. Those approved wait for [`step`].
pub fn decide(
    database: &Database,
    id: i64,
    verdict: Verdict,
    by: HoldDecision<'_>,
    now: Timestamp,
) -> Result<usize, HoldError> {
    database.write_serialized(|conn| {
        let Some(hold) = holds::find(conn, id)? else { return Err(HoldError::Unknown(id)) };
        let (from, to): (&[&str], _) = match verdict {
            Verdict::Approve => (&[OPEN, REJECTED], APPROVED),
            Verdict::Reject => (&[OPEN], REJECTED),
        };
        let decided = match by.users {
            [] => held_users::decide(conn, id, None, from, to)?,
            users => {
                let mut decided = 0;
                for user in users {
                    match held_users::decide(conn, id, Some(std::slice::from_ref(user)), from, to)? {
                        0 => return Err(HoldError::NotHeld { hold: id, user: user.clone() }),
                        count => decided += count,
                    }
                }
                decided
            }
        };
        if decided == 0 {
            return Err(HoldError::Over(id));
        }
        holds::settle(conn, &[id], to)?;
        holds::sign(conn, id, by.name, by.reason, now)?;
        let kind = match verdict {
            Verdict::Approve => kinds::HOLD_APPROVED,
            Verdict::Reject => kinds::HOLD_REJECTED,
        };
        let change = json!({"directory_id": hold.directory_id, "people": decided, "users": by.users, "reason": by.reason});
        let entry = AuditEntry::new(&hold.tenant_id, kind, id, &change, Actor::operator(by.name));
        audit::record(conn, &[entry], now)?;
        Ok(decided)
    })
}

/// What a step did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Released {
    pub people: usize,
    pub leavers: usize,
    pub notices: usize,
}

/// Holds that are due are approved; then some of those approved are derived again. `None` when nothing waits. Whom the
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
        approve_by_policy(conn, id, "undecided for as long as guard.undecided allows", now)?;
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
    approve_due(conn, now)?;
    let approved: Vec<Key> = held_users::approved(conn, limit)?;
    *tried = Some(approved.len());
    if approved.is_empty() {
        return Ok(None);
    }
    let ids: BTreeSet<String> = approved.iter().map(|(_, id)| id.clone()).collect();
    let derivation = Derivation { rules, cause: ChangeCause::HoldApproved, now, extent: Extent::Operator };
    let mut consequences = Consequences::default();
    again(conn, ids, &derivation, &mut consequences)?;
    consequences.write(conn, now)?;
    held_users::finish(conn, &approved)?;
    failpoint::reach("releasing");
    let (leavers, notices) = (consequences.leavers(), consequences.notices.len());
    Ok(Some(Released { people: approved.len(), leavers, notices }))
}

fn approve_by_policy(conn: &mut Serialized<'_>, id: i64, why: &str, now: Timestamp) -> Result<(), DbError> {
    let people = held_users::decide(conn, id, None, &[OPEN], APPROVED)?;
    holds::settle(conn, &[id], APPROVED)?;
    holds::sign(conn, id, "rosterd", Some(why), now)?;
    let Some(hold) = holds::find(conn, id)? else { return Ok(()) };
    let change = json!({"directory_id": hold.directory_id, "people": people});
    let entry =
        AuditEntry::new(&hold.tenant_id, kinds::HOLD_APPROVED, id, &change, Actor::Rule(why.to_owned()));
    Ok(audit::record(conn, &[entry], now)?)
}

/// Where the guard is off nobody is held: what was is approved, and what was rejected too.
pub fn release_unguarded(conn: &mut Serialized<'_>, guard: &Guard, now: Timestamp) -> Result<(), DbError> {
    for (id, tenant_id) in holds::with_people(conn)? {
        if guard.of(&tenant_id).is_none() {
            held_users::decide(conn, id, None, &[REJECTED], APPROVED)?;
            approve_by_policy(conn, id, "the guard was switched off", now)?;
        }
    }
    Ok(())
}

/// A hold and everybody in it.
pub fn show(conn: &mut Conn, id: i64) -> Result<Option<(Hold, Vec<HeldUser>)>, DbError> {
    let Some(hold) = holds::find(conn, id)? else { return Ok(None) };
    let held = held_users::of_hold(conn, id)?;
    Ok(Some((hold, held)))
}

/// What became of somebody of a hold, in words.
pub fn outcome(state: &str) -> &'static str {
    match state {
        OPEN => "waits for a decision",
        APPROVED => "approved, about to be applied",
        REJECTED => "rejected: keeps what is shown",
        DONE => "approved and applied",
        ENDED => "over: the directory has said something else since",
        _ => "unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_has_a_text_of_its_own() {
        let words: BTreeSet<&str> = [OPEN, APPROVED, REJECTED, DONE, ENDED, "?"].map(outcome).into();
        assert_eq!(words.len(), 6);
        assert_eq!(outcome("?"), "unknown");
    }
}
