//! Which people of a hold a decision is about. It reads and writes nothing.

use super::HoldDecision;
use crate::tables::held_users::{APPROVED, DONE, HeldUser, OPEN, REJECTED};

/// Why a decision is about nobody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refused<'a> {
    /// The hold does not have this user.
    NotHeld(&'a str),
    /// A user whom the operator named, or everybody who is left, was decided before.
    Decided(Option<&'a HeldUser>),
    /// An approval is applied: the person has lost what the directory wanted.
    Applied(Option<&'a HeldUser>),
    /// Newer facts ended the loss.
    Over(Option<&'a HeldUser>),
}

/// The people whom the decision is about, and whether it replaces an earlier one.
pub(super) fn chosen<'a>(
    held: &'a [HeldUser],
    by: &HoldDecision<'a>,
) -> Result<(Vec<&'a HeldUser>, bool), Refused<'a>> {
    let chosen: Vec<&HeldUser> = match by.users {
        [] => everybody(held, by.overrides)?,
        named => named.iter().map(|user| one(held, user, by.overrides)).collect::<Result<Vec<_>, _>>()?,
    };
    let overrides = chosen.iter().any(|user| user.state != OPEN);
    Ok((chosen, overrides))
}

/// Without `--override` those who wait; with it those who were decided too, as long as nothing is applied.
fn everybody(held: &[HeldUser], overrides: bool) -> Result<Vec<&HeldUser>, Refused<'_>> {
    let is_chosen = |user: &&HeldUser| match user.state.as_str() {
        OPEN => true,
        APPROVED | REJECTED => overrides,
        _ => false,
    };
    let chosen: Vec<&HeldUser> = held.iter().filter(is_chosen).collect();
    let any = |states: &[&str]| held.iter().any(|user| states.contains(&user.state.as_str()));
    match chosen.is_empty() {
        false => Ok(chosen),
        true if any(&[APPROVED, REJECTED]) => Err(Refused::Decided(None)),
        true if any(&[DONE]) => Err(Refused::Applied(None)),
        true => Err(Refused::Over(None)),
    }
}

fn one<'a>(held: &'a [HeldUser], user_id: &'a str, overrides: bool) -> Result<&'a HeldUser, Refused<'a>> {
    let Some(user) = held.iter().find(|user| user.user_id == user_id) else {
        return Err(Refused::NotHeld(user_id));
    };
    match user.state.as_str() {
        OPEN => Ok(user),
        APPROVED | REJECTED if overrides => Ok(user),
        APPROVED | REJECTED => Err(Refused::Decided(Some(user))),
        DONE => Err(Refused::Applied(Some(user))),
        _ => Err(Refused::Over(Some(user))),
    }
}
