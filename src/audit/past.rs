//! The state of a tenant at a point in time, derived from the entries of its chain. The file is pure.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{
    Head, kinds,
    movement::{Movement, MovementKind},
    past_user::PastUser,
    stored_entries::StoredEntry,
};
use crate::runtime::clock::Timestamp;

/// The roles of everybody with access.
pub type Access = BTreeMap<String, BTreeSet<String>>;

/// A tenant at a point in time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Past {
    /// The users of the tenant, with and without access.
    pub users: BTreeMap<String, PastUser>,
    /// Users whose row was removed, as they were before.
    pub removed: BTreeMap<String, PastUser>,
    /// The newest comparison of each directory: the change of its entry.
    pub compared: BTreeMap<String, Value>,
    /// The reasons of decisions, by hold and number.
    pub decision_reasons: BTreeMap<(i64, i64), String>,
    /// Access at the beginning of the period.
    pub before: Access,
    /// Joiners, movers and leavers of the period, the oldest first.
    pub movements: Vec<Movement>,
    /// The last entry that counts.
    pub head: Head,
    /// The time of the first entry of the chain; `None` without entries.
    pub begins_at: Option<Timestamp>,
    /// The number of entries after the point in time.
    pub later: i64,
}

impl Past {
    /// The user, also after the removal of the row.
    pub fn user(&self, user_id: &str) -> Option<&PastUser> {
        self.users.get(user_id).or_else(|| self.removed.get(user_id))
    }
}

/// Follows the entries of one tenant in the order of the chain.
pub struct PastWalk {
    since: i64,
    as_of: i64,
    past: Past,
    /// `Past::before` is known.
    has_begun: bool,
}

impl PastWalk {
    /// The state at `as_of`, and the movements after `since`.
    pub fn new(since: Timestamp, as_of: Timestamp) -> Self {
        Self { since: since.micros(), as_of: as_of.micros(), past: Past::default(), has_begun: false }
    }

    pub fn step(&mut self, entry: &StoredEntry) {
        self.past.begins_at.get_or_insert_with(|| entry.applied_at());
        if entry.applied_at > self.as_of {
            self.past.later += 1;
            return;
        }
        if entry.applied_at > self.since && !self.has_begun {
            self.past.before = access(&self.past.users);
            self.has_begun = true;
        }
        self.past.head = Head { seq: entry.seq, hash: entry.hash.clone() };
        match entry.kind.as_str() {
            kinds::DIRECTORY_COMPARED => {
                self.past.compared.insert(entry.subject.clone(), change(entry));
            }
            kinds::HOLD_APPROVED | kinds::HOLD_REJECTED => self.decided(entry),
            kinds::USER_REMOVED => self.remove(entry),
            kinds::USER_CREATED
            | kinds::USER_CHANGED
            | kinds::USER_ERASED
            | kinds::ACCESS_LOST
            | kinds::ACCESS_RETURNED
            | kinds::ROLES_CHANGED
            | kinds::TABLES_REBUILT
            | kinds::ROLE_GRANTED
            | kinds::ROLE_REVOKED
            | kinds::ROLE_RETAINED
            | kinds::ROLE_RETENTION_ENDED
            | kinds::LOSS_HELD
            | kinds::LOSS_OVERTAKEN
            | kinds::LOSS_APPROVED
            | kinds::LOSS_REJECTED => self.change(entry),
            _ => {}
        }
    }

    fn decided(&mut self, entry: &StoredEntry) {
        let change = change(entry);
        let number = change.get("decision").and_then(Value::as_i64);
        let reason = change.get("reason").and_then(Value::as_str);
        if let (Ok(hold), Some(number), Some(reason)) = (entry.subject.parse(), number, reason) {
            self.past.decision_reasons.insert((hold, number), reason.to_owned());
        }
    }

    fn change(&mut self, entry: &StoredEntry) {
        let change = change(entry);
        let is_of_user = |change: &Value| {
            let rows = change.get("rows").and_then(Value::as_array);
            let tables = rows.into_iter().flatten().filter_map(|row| row.get(0)?.as_str());
            tables.into_iter().any(|table| matches!(table, "users" | "user_roles"))
        };
        if entry.kind == kinds::TABLES_REBUILT && !is_of_user(&change) {
            return;
        }
        if entry.kind == kinds::TABLES_REBUILT
            && change.get("status").is_some_and(|status| status.get(1) == Some(&Value::Null))
        {
            return self.remove(entry);
        }
        if entry.kind == kinds::USER_CREATED {
            self.past.users.remove(&entry.subject);
        }
        let user = self.past.users.entry(entry.subject.clone()).or_default();
        let was = user.clone();
        user.apply(entry, &change);
        if entry.applied_at > self.since {
            let kind = match (was.is_active, user.is_active) {
                // Another person has the id: the former one has left, and the next one has joined.
                (true, true) if entry.kind == kinds::ACCESS_LOST => {
                    self.past.movements.push(Movement::of(
                        MovementKind::Left,
                        entry,
                        &was,
                        &PastUser::default(),
                    ));
                    MovementKind::Joined
                }
                (false, true) => MovementKind::Joined,
                (true, false) => MovementKind::Left,
                (true, true) if was.moved_to(user) => MovementKind::Moved,
                _ => return,
            };
            let from = if kind == MovementKind::Joined { &PastUser::default() } else { &was };
            self.past.movements.push(Movement::of(kind, entry, from, user));
        }
    }

    fn remove(&mut self, entry: &StoredEntry) {
        let Some(was) = self.past.users.remove(&entry.subject) else { return };
        if was.is_active && entry.applied_at > self.since {
            self.past.movements.push(Movement::of(MovementKind::Left, entry, &was, &PastUser::default()));
        }
        self.past.removed.insert(entry.subject.clone(), was);
    }

    pub fn end(mut self) -> Past {
        if !self.has_begun {
            self.past.before = access(&self.past.users);
        }
        self.past
    }
}

fn access(users: &BTreeMap<String, PastUser>) -> Access {
    let active = users.iter().filter(|(_, user)| user.is_active);
    active.map(|(id, user)| (id.clone(), user.roles.keys().cloned().collect())).collect()
}

fn change(entry: &StoredEntry) -> Value {
    serde_json::from_str(&entry.change).unwrap_or_default()
}
