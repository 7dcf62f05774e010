//! One user at a point in time, derived from the entries about the user. The file is pure.

mod profile;

use std::collections::BTreeMap;

use serde_json::Value;

use super::{kinds, loss_story::APPROVED_AND_APPLIED, row_diff::MANUAL, stored_entries::StoredEntry};

/// A user as the entries tell it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PastUser {
    pub is_active: bool,
    pub person_id: String,
    pub directory_id: String,
    /// The time of the entry that gave access, in microseconds.
    pub access_since: Option<i64>,
    pub deprovisioned_at: Option<String>,
    /// The fields of the profile, and custom attributes as `custom_attributes.NAME`. Fields without a value are absent.
    pub profile: BTreeMap<String, Value>,
    pub roles: BTreeMap<String, PastRole>,
    /// Roles that an operator granted and did not revoke, with the name of the operator.
    pub granted: BTreeMap<String, String>,
    /// Roles that the user retains as last holder.
    pub retained: BTreeMap<String, RetainedRole>,
    pub held: Option<HeldLoss>,
    /// An erasure deleted the profile of some entries.
    pub is_erased: bool,
    /// A rebuild repaired the row. The trail has the names of the repaired columns, and not their values.
    pub is_repaired: bool,
}

/// A role that a user holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastRole {
    /// The reason at the time of the gain.
    pub because: String,
    /// The time of the entry, in microseconds.
    pub since: i64,
    /// The entry of the gain.
    pub entry: i64,
}

/// A role that a user retains as last holder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RetainedRole {
    /// The time of the loss, in microseconds.
    pub since: i64,
    pub directory_wants: String,
}

/// A loss that waits in a hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeldLoss {
    pub hold_id: i64,
    pub directory_wants: String,
    /// In microseconds.
    pub since: i64,
    /// `approved` or `rejected`.
    pub decision: Option<&'static str>,
    /// The number of the decision about the hold.
    pub decision_number: Option<i64>,
    pub decided_by: Option<String>,
    pub decided_at: Option<i64>,
}

impl PastUser {
    /// A text of the profile.
    pub fn text(&self, field: &str) -> Option<&str> {
        self.profile.get(field)?.as_str()
    }

    /// Roles, directory, department or manager differ.
    pub fn moved_to(&self, now: &Self) -> bool {
        !self.roles.keys().eq(now.roles.keys())
            || self.directory_id != now.directory_id
            || self.department() != now.department()
            || self.manager() != now.manager()
    }

    /// Whether an operator granted the role.
    pub fn is_manual(&self, role: &str) -> bool {
        self.granted.contains_key(role) || self.roles.get(role).is_some_and(|held| held.because == MANUAL)
    }

    pub(super) fn apply(&mut self, entry: &StoredEntry, change: &Value) {
        let role = || change.get("role").and_then(Value::as_str).unwrap_or_default().to_owned();
        match entry.kind.as_str() {
            kinds::ROLE_GRANTED => {
                let by = entry.actor.strip_prefix("operator ").unwrap_or(&entry.actor);
                self.granted.insert(role(), by.to_owned());
            }
            kinds::ROLE_REVOKED => {
                let role = role();
                self.granted.remove(&role);
                // A rule gives the role, too, if no loss follows.
                if let Some(held) = self.roles.get_mut(&role).filter(|held| held.because == MANUAL) {
                    "a rule; the manual grant was revoked".clone_into(&mut held.because);
                }
            }
            kinds::ROLE_RETAINED => {
                let wants = change.get("directory_wants").and_then(Value::as_str).unwrap_or_default();
                let since = entry.stated_at.unwrap_or(entry.applied_at);
                self.retained.insert(role(), RetainedRole { since, directory_wants: wants.to_owned() });
            }
            kinds::ROLE_RETENTION_ENDED => {
                self.retained.remove(&role());
            }
            kinds::LOSS_HELD => self.held = Some(held(entry, change)),
            kinds::LOSS_OVERTAKEN => self.held = None,
            kinds::LOSS_APPROVED => self.decide("approved", entry, change),
            kinds::LOSS_REJECTED => self.decide("rejected", entry, change),
            kinds::USER_ERASED => {
                self.is_erased = true;
                self.profile.clear();
            }
            _ => self.apply_row(entry, change),
        }
    }

    fn decide(&mut self, decision: &'static str, entry: &StoredEntry, change: &Value) {
        if let Some(held) = &mut self.held {
            held.decision = Some(decision);
            held.decision_number = change.get("decision").and_then(Value::as_i64);
            held.decided_by =
                Some(change.get("by").and_then(Value::as_str).unwrap_or(&entry.actor).to_owned());
            held.decided_at = Some(entry.applied_at);
        }
    }

    /// An entry about the row and its roles.
    fn apply_row(&mut self, entry: &StoredEntry, change: &Value) {
        let now = |name: &str| change.get(name)?.get(1)?.as_str().map(str::to_owned);
        let was_active = self.is_active;
        if let Some(status) = now("status") {
            self.is_active = status == "active";
        }
        if self.is_active && (!was_active || entry.kind == kinds::ACCESS_LOST) {
            self.access_since = Some(entry.applied_at);
        }
        if let Some(person_id) = now("person_id") {
            self.person_id = person_id;
        }
        if let Some(directory_id) = now("directory_id") {
            self.directory_id = directory_id;
        }
        if change.get("deprovisioned_at").is_some() {
            self.deprovisioned_at = now("deprovisioned_at");
        }
        for role in change.get("lost").and_then(Value::as_array).into_iter().flatten() {
            self.roles.remove(role.as_str().unwrap_or_default());
        }
        for (role, because) in change.get("gained").and_then(Value::as_object).into_iter().flatten() {
            let because = because.as_str().unwrap_or_default().to_owned();
            let held = PastRole { because, since: entry.applied_at, entry: entry.seq };
            self.roles.insert(role.clone(), held);
        }
        if entry.actor.strip_prefix("rule ") == Some(APPROVED_AND_APPLIED) {
            self.held = None;
        }
        self.is_repaired |= entry.kind == kinds::TABLES_REBUILT;
        match entry.personal.as_deref().and_then(|text| serde_json::from_str(text).ok()) {
            Some(Value::Object(personal)) => self.fill(&personal),
            _ if entry.is_erased() => {
                self.is_erased = true;
                self.profile.clear();
            }
            _ => {}
        }
    }

    fn fill(&mut self, personal: &serde_json::Map<String, Value>) {
        for (name, sides) in personal.iter().filter(|(name, _)| *name != "because") {
            let to = sides.get(1).cloned().unwrap_or_default();
            match (name.as_str(), to) {
                // A new user has all of it in one entry.
                ("custom_attributes", Value::Object(all)) => self.profile.extend(
                    all.into_iter().map(|(name, value)| (format!("custom_attributes.{name}"), value)),
                ),
                // An attribute may be null. A field without a value is absent.
                (name, Value::Null) => drop(self.profile.remove(name)),
                (name, to) => drop(self.profile.insert(name.to_owned(), to)),
            }
            self.is_erased = false;
        }
    }
}

fn held(entry: &StoredEntry, change: &Value) -> HeldLoss {
    HeldLoss {
        hold_id: change.get("hold").and_then(Value::as_i64).unwrap_or_default(),
        directory_wants: change.get("directory_wants").and_then(Value::as_str).unwrap_or_default().to_owned(),
        since: entry.applied_at,
        ..HeldLoss::default()
    }
}
