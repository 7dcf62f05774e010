//! Joiners, movers and leavers. The file is pure.

use serde::Serialize;

use super::{past_user::PastUser, stored_entries::StoredEntry};
use crate::runtime::clock::Timestamp;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum MovementKind {
    /// Has access now and had none before.
    #[default]
    Joined,
    /// Has access, with other roles, or in another directory, department or under another manager.
    Moved,
    /// Has no access any more.
    Left,
}

/// One change of access or place of a user.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Movement {
    pub kind: MovementKind,
    pub user_id: String,
    pub name: Option<String>,
    pub email: Option<String>,
    pub at: String,
    /// The time of the fact, by the broker.
    pub stated_at: Option<String>,
    /// `event …`, `rule …` or `operator …`.
    pub because: String,
    /// The entry in the tenant's chain.
    pub entry: i64,
    pub roles_gained: Vec<String>,
    pub roles_lost: Vec<String>,
    /// Old and new value of each.
    pub directory: Option<(String, String)>,
    pub department: Option<(Option<String>, Option<String>)>,
    pub manager: Option<(Option<String>, Option<String>)>,
}

impl Movement {
    pub(super) fn of(kind: MovementKind, entry: &StoredEntry, was: &PastUser, is: &PastUser) -> Self {
        let of_one = |one: &PastUser, other: &PastUser| -> Vec<String> {
            one.roles.keys().filter(|role| !other.roles.contains_key(*role)).cloned().collect()
        };
        let is_move = kind == MovementKind::Moved;
        let known = if kind == MovementKind::Left { was } else { is };
        Self {
            kind,
            user_id: entry.subject.clone(),
            name: known.text("name").map(str::to_owned),
            email: known.text("email").map(str::to_owned),
            at: entry.applied_at().to_string(),
            stated_at: entry.stated_at.map(|at| Timestamp::from_micros(at).to_string()),
            because: entry.actor.clone(),
            entry: entry.seq,
            roles_gained: of_one(is, was),
            roles_lost: of_one(was, is),
            directory: (is_move && was.directory_id != is.directory_id)
                .then(|| (was.directory_id.clone(), is.directory_id.clone())),
            department: differing(was.department(), is.department()).filter(|_| is_move),
            manager: differing(was.manager(), is.manager()).filter(|_| is_move),
        }
    }
}

type Differing = Option<(Option<String>, Option<String>)>;

fn differing(was: Option<String>, is: Option<String>) -> Differing {
    (was != is).then_some((was, is))
}
