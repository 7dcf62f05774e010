//! Why a decision is refused, in words.

use super::choice::Refused;
use crate::{
    db::DbError,
    tables::{held_users::HeldUser, hold_decisions::StoredDecision, holds::Hold},
};

#[derive(Debug, thiserror::Error)]
pub enum HoldError {
    #[error("there is no hold {0}; see `rosterd holds list`")]
    Unknown(i64),
    #[error("hold {hold} does not keep {user}; see `rosterd holds show {hold}`")]
    NotHeld { hold: i64, user: String },
    #[error(
        "{what} was decided already: {decision}. Nothing was changed; add --override to decide again, as a second record"
    )]
    Decided { what: String, decision: String },
    #[error(
        "{what} was decided, and the decision is applied: {decision}. It keeps nobody any more; see `rosterd holds show {hold}`"
    )]
    Applied { what: String, decision: String, hold: i64 },
    #[error(
        "{what} is over, because the directory has sent newer events since; see `rosterd holds show {hold}`"
    )]
    Over { what: String, hold: i64 },
    #[error(
        "the decision would be about {found} people of hold {hold}, and not {expected}; nothing was changed. Look at `rosterd holds show {hold}`"
    )]
    Expected { hold: i64, expected: usize, found: usize },
    #[error("{0}")]
    Database(#[from] DbError),
}

impl From<diesel::result::Error> for HoldError {
    fn from(error: diesel::result::Error) -> Self {
        Self::Database(error.into())
    }
}

pub(super) fn error(hold: &Hold, decisions: &[StoredDecision], why: Refused<'_>) -> HoldError {
    let id = hold.id;
    let what = |user: Option<&HeldUser>| match user {
        Some(user) => format!("{} of hold {id}", user.user_id),
        None => format!("hold {id}"),
    };
    match why {
        Refused::NotHeld(user) => HoldError::NotHeld { hold: id, user: user.to_owned() },
        Refused::Decided(user) => HoldError::Decided { what: what(user), decision: newest(decisions, user) },
        Refused::Applied(user) => {
            HoldError::Applied { what: what(user), decision: newest(decisions, user), hold: id }
        }
        Refused::Over(user) => HoldError::Over { what: what(user), hold: id },
    }
}

/// The newest decision, or the newest about this user, in words.
fn newest(decisions: &[StoredDecision], user: Option<&HeldUser>) -> String {
    let about = |one: &&StoredDecision| user.is_none_or(|user| user.decision_number == Some(one.number));
    let Some(one) = decisions.iter().rev().find(about) else { return "there is no record of it".to_owned() };
    format!(
        "{} {} {} of {} people at {}{}",
        one.decided_by,
        one.decision,
        one.people,
        one.of_people,
        one.decided_at(),
        one.reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default()
    )
}
