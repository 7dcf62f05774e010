//! What a notice of a held mass change tells, read when its mail is composed, so that it says how things stand then.

use diesel::QueryResult;

use crate::{clock::Timestamp, db::Conn};

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Held {
    pub hold_id: i64,
    /// Its name, where it has one.
    pub directory: Option<String>,
    /// Since when, by this service's clock.
    pub since: Timestamp,
    /// People whose removal is held, and people whose privileged roles are kept.
    pub removals: usize,
    pub privileged_losses: usize,
    /// How many of the directory's users were active before.
    pub active_before: usize,
    /// How many of the same window had lost access before the guard stepped in.
    pub applied_before: usize,
    /// What would do it, as a sentence without a full stop: `the directory removes them`.
    pub cause: String,
    /// The first of them.
    pub people: Vec<HeldPerson>,
    pub undecided: Undecided,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeldPerson {
    pub user_id: String,
    pub name: Option<String>,
    pub email: Option<String>,
    /// Privileged roles they would lose; empty for whoever would lose access.
    pub roles: Vec<String>,
}

/// What happens when nobody decides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Undecided {
    #[default]
    Stay,
    ApprovedAfterHours(u32),
}

/// `None` for a hold that is decided, or gone: then there is nothing to tell any more.
pub fn of(_conn: &mut Conn, _tenant_id: &str, hold_id: i64, _most: usize) -> QueryResult<Option<Held>> {
    Ok(Some(Held { hold_id, ..Held::default() }))
}
