//! Decisions on held mass changes: by an operator, or by the policy on holds that nobody decides.
//!
//! A decision is a record and a mark on those who are held, in one transaction. Those approved are then derived again in
//! steps, here or by whichever process is first, so what is applied is what the directory says by then, and a crash
//! repeats nothing. Nobody is decided twice, unless the operator says so; then there are two records.

mod announce;
mod choice;
mod refused;
mod release;

use crate::{
    audit::{self, Actor, hold_entries},
    db::{Conn, Database, DbError, Serialized},
    runtime::clock::Timestamp,
    tables::{
        held_users::{self, APPROVED, DONE, ENDED, HeldUser, OPEN, REJECTED},
        hold_decisions::{self, NewDecision, StoredDecision},
        holds::{self, Hold},
    },
};

pub use refused::HoldError;
pub use release::{Released, release_unguarded, step};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// What the directory says by then is applied.
    Approve,
    /// They keep what they have until the directory says something else of them.
    Reject,
}

impl Verdict {
    fn decision(self) -> &'static str {
        match self {
            Self::Approve => hold_decisions::APPROVED,
            Self::Reject => hold_decisions::REJECTED,
        }
    }

    /// The state of the people.
    fn state(self) -> &'static str {
        match self {
            Self::Approve => APPROVED,
            Self::Reject => REJECTED,
        }
    }
}

/// Who decides, why, and on whom if not on all who wait.
#[derive(Clone, Copy, Debug, Default)]
pub struct HoldDecision<'a> {
    pub name: &'a str,
    pub reason: Option<&'a str>,
    pub users: &'a [String],
    /// Decides also about people who were decided before.
    pub overrides: bool,
    /// Decides only about exactly so many people.
    pub expect: Option<usize>,
}

/// Returns how many are concerned. Those approved wait for [`step`].
pub fn decide(
    database: &Database,
    id: i64,
    verdict: Verdict,
    by: HoldDecision<'_>,
    now: Timestamp,
) -> Result<usize, HoldError> {
    database.write_serialized(|conn| {
        let (hold, held) = show(conn, id)?.ok_or(HoldError::Unknown(id))?;
        let (chosen, overrides) = concerned(conn, &hold, &held, &by)?;
        if let Some(expected) = by.expect.filter(|expected| *expected != chosen.len()) {
            return Err(HoldError::Expected { hold: id, expected, found: chosen.len() });
        }
        let (people, of_people) = (chosen.len(), held.len());
        let (decision, reason) = (verdict.decision(), by.reason);
        let new =
            NewDecision { hold_id: id, at: now, by: by.name, decision, reason, people, of_people, overrides };
        record(
            conn,
            &hold,
            &chosen,
            &Recorded { verdict, new, named: by.users, actor: Actor::operator(by.name) },
        )?;
        Ok(people)
    })
}

/// The number of people whom the decision would be about, and of all people in the hold; nothing is written.
pub fn preview(conn: &mut Conn, id: i64, by: HoldDecision<'_>) -> Result<(Hold, usize, usize), HoldError> {
    let (hold, held) = show(conn, id)?.ok_or(HoldError::Unknown(id))?;
    let (chosen, _) = concerned(conn, &hold, &held, &by)?;
    Ok((hold, chosen.len(), held.len()))
}

fn concerned<'a>(
    conn: &mut Conn,
    hold: &Hold,
    held: &'a [HeldUser],
    by: &HoldDecision<'a>,
) -> Result<(Vec<&'a HeldUser>, bool), HoldError> {
    match choice::chosen(held, by) {
        Ok(chosen) => Ok(chosen),
        Err(why) => Err(refused::error(hold, &hold_decisions::of_hold(conn, hold.id)?, why)),
    }
}

/// A decision with everything that is recorded about it.
struct Recorded<'a> {
    verdict: Verdict,
    new: NewDecision<'a>,
    /// The users whom the operator named.
    named: &'a [String],
    actor: Actor,
}

fn record(
    conn: &mut Serialized<'_>,
    hold: &Hold,
    chosen: &[&HeldUser],
    Recorded { verdict, new, named, actor }: &Recorded<'_>,
) -> Result<(), DbError> {
    announce::before_decision(conn, hold, new.at)?;
    let number = hold_decisions::add(conn, new)?;
    held_users::decide(conn, (hold.id, number), chosen, verdict.state())?;
    match hold.state.as_str() {
        holds::OPEN => drop(holds::settle(conn, &[hold.id])?),
        _ => holds::restate(conn, hold.id)?,
    }
    let mut entries = vec![hold_entries::decided(hold, (number, new), named, actor.clone())];
    let loss =
        |user: &&HeldUser| hold_entries::loss_decided(hold, &user.user_id, (number, new), actor.clone());
    entries.extend(chosen.iter().map(loss));
    Ok(audit::record(conn, &entries, new.at)?)
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

/// A hold with its numbers and decisions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedHold {
    pub hold: Hold,
    /// All people in it, and those who wait for a decision.
    pub people: i64,
    pub waiting: i64,
    /// The oldest first.
    pub decisions: Vec<StoredDecision>,
}

/// The holds of a tenant or of all, the newest first.
pub fn list(conn: &mut Conn, tenant: Option<&str>, state: Option<&str>) -> Result<Vec<ListedHold>, DbError> {
    let holds = holds::list(conn, tenant, state)?;
    let ids: Vec<i64> = holds.iter().map(|hold| hold.id).collect();
    let (mut counts, mut decisions) =
        (held_users::counts(conn, &ids)?, hold_decisions::of_holds(conn, &ids)?);
    let listed = |hold: Hold| {
        let (people, waiting) = counts.remove(&hold.id).unwrap_or_default();
        let decisions = decisions.remove(&hold.id).unwrap_or_default();
        ListedHold { hold, people, waiting, decisions }
    };
    Ok(holds.into_iter().map(listed).collect())
}

/// The decisions about a hold, the oldest first.
pub fn decisions(conn: &mut Conn, id: i64) -> Result<Vec<StoredDecision>, DbError> {
    Ok(hold_decisions::of_hold(conn, id)?)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_state_has_a_text_of_its_own() {
        let words: BTreeSet<&str> = [OPEN, APPROVED, REJECTED, DONE, ENDED, "?"].map(outcome).into();
        assert_eq!(words.len(), 6);
        assert_eq!(outcome("?"), "unknown");
    }
}
