//! The guard against mass changes: it finds losses, divides them into held and new ones, and tells how many are too
//! many. Pure: rows, counts and the time are arguments.
//!
//! A loss is the end of access, or of a privileged role (lesson 22). A held loss is stored as [`LostAccess`] with the
//! fact that caused it, so a later fact with another content ends the hold.

pub mod announcement;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fmt,
};

use super::{
    access::{Access, AccessCause},
    context::HeldState,
    users::{UserAccess, UserChange, UserRow},
};

/// The guard's limits for each tenant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Guard {
    /// False switches the guard off for all tenants, whatever their own settings are.
    pub on: bool,
    /// The limits of all other tenants.
    pub otherwise: GuardLimits,
    /// The limits of single tenants.
    pub of_tenant: BTreeMap<String, GuardLimits>,
}

/// The limits that make losses a mass change, and the treatment of its hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GuardLimits {
    /// Whether the guard holds anything.
    pub on: bool,
    /// The length of the window.
    pub window_minutes: u32,
    /// Fewer losses than this are never held.
    pub minimum: u32,
    /// Losses are held only above this percentage of the active people.
    pub percent: u32,
    /// All people of a directory at once are a mass change from this number, however few they are; 0: never.
    pub everybody: u32,
    /// The treatment of a hold without a decision.
    pub undecided: Undecided,
}

/// The treatment of a hold without a decision.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Undecided {
    /// It remains open.
    #[default]
    Stay,
    /// It is approved after this number of hours.
    ApproveAfterHours(u32),
}

impl Default for GuardLimits {
    fn default() -> Self {
        let (window_minutes, minimum, percent, everybody) = (15, 10, 20, 2);
        Self { on: true, window_minutes, minimum, percent, everybody, undecided: Undecided::Stay }
    }
}

impl Guard {
    /// The tenant's limits; `None` if the guard is off for it.
    pub fn of(&self, tenant_id: &str) -> Option<&GuardLimits> {
        let limits = self.of_tenant.get(tenant_id).unwrap_or(&self.otherwise);
        (self.on && limits.on).then_some(limits)
    }
}

impl GuardLimits {
    /// This number of losses is a mass change if fewer people than the result were active before; `None` if it never
    /// is.
    pub fn anomalous_below(&self, losses: u64) -> Option<u64> {
        if losses < u64::from(self.minimum.max(1)) {
            return None;
        }
        // The condition is losses * 100 > percent * active, without fractions.
        let percent = u64::from(self.percent);
        let rounded_up = losses.saturating_mul(100).saturating_add(percent.saturating_sub(1));
        Some(rounded_up.checked_div(percent).unwrap_or(u64::MAX))
    }

    /// Whether this number of losses exceeds the threshold for this number of active people.
    pub fn trips(&self, losses: u64, active: u64) -> bool {
        self.anomalous_below(losses).is_some_and(|below| active < below)
    }

    /// Whether these departures are all people of a directory, and a mass change for that reason. `gone` people have left
    /// it within the window.
    pub fn is_everybody(&self, departures: u64, active: u64, gone: u64) -> bool {
        self.everybody > 0
            && departures > 0
            && departures >= active
            && departures + gone >= u64::from(self.everybody)
    }
}

/// The cause and size of one derivation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// The users of the batch's facts.
    Touched,
    /// One step of a recompute of a whole directory. The step represents the rest of the directory.
    Directory,
    /// An operator's action or decision. No new loss is held.
    Operator,
}

/// The loss of one user.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LostAccess {
    /// Access: the user is deleted.
    Deleted,
    /// Access: the user has another state than `active`.
    Inactive,
    /// Access: the directory, or the organization, is deleted.
    Directory,
    /// Access: no rule grants a role, and the mapping gives no access without a role.
    Mapping,
    /// These privileged roles.
    Roles(BTreeSet<String>),
}

impl LostAccess {
    /// The text in a row of `held_users`. The roles are in another column.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Deleted => "deleted",
            Self::Inactive => "inactive",
            Self::Directory => "directory",
            Self::Mapping => "mapping",
            Self::Roles(_) => "roles",
        }
    }

    /// Reads the text of [`Self::code`]. An unknown text becomes [`Self::Inactive`].
    pub fn read(code: &str, roles: BTreeSet<String>) -> Self {
        match code {
            "deleted" => Self::Deleted,
            "directory" => Self::Directory,
            "mapping" => Self::Mapping,
            "roles" => Self::Roles(roles),
            _ => Self::Inactive,
        }
    }

    /// The privileged roles that would be lost.
    pub fn roles(&self) -> Vec<&str> {
        match self {
            Self::Roles(roles) => roles.iter().map(String::as_str).collect(),
            _ => Vec::new(),
        }
    }

    /// Whether access would be lost.
    pub fn is_access(&self) -> bool {
        !matches!(self, Self::Roles(_))
    }
}

/// The state that the directory asks for, in words.
impl fmt::Display for LostAccess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Deleted => f.write_str("no access: deleted"),
            Self::Inactive => f.write_str("no access: not active"),
            Self::Directory => f.write_str("no access: the directory, or the organization, was deleted"),
            Self::Mapping => f.write_str("no access: nothing grants a role"),
            Self::Roles(roles) => {
                let roles: Vec<&str> = roles.iter().map(String::as_str).collect();
                write!(f, "without {}", roles.join(", "))
            }
        }
    }
}

/// One user's loss, before it is applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserLoss {
    /// The tenant.
    pub tenant_id: String,
    /// The user.
    pub user_id: String,
    /// The directory.
    pub directory_id: String,
    /// The loss.
    pub lost: LostAccess,
    /// The cause: the digest of the latest fact, the time of a directory's end, or the mapping's version.
    pub cause_digest: i64,
    /// The part of the row that remains unchanged if the loss is held.
    pub held_state: HeldState,
}

/// The decision about a held user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Nothing yet.
    Open,
    /// The loss is to be applied.
    Approved,
    /// The loss is not to be applied.
    Rejected,
}

/// The stored record of a held user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldEntry {
    /// The hold.
    pub hold_id: i64,
    /// The tenant.
    pub tenant_id: String,
    /// The user.
    pub user_id: String,
    /// The loss.
    pub lost: LostAccess,
    /// As in [`UserLoss::cause_digest`], when the loss was held.
    pub cause_digest: i64,
    /// The decision.
    pub decision: Decision,
}

impl HeldEntry {
    /// Whether this is the held loss and not a later one. Without a decision, another cause may repeat it. After a
    /// rejection any new fact ends the hold.
    pub fn holds(&self, loss: &UserLoss) -> bool {
        let again = self.cause_digest == loss.cause_digest || self.decision == Decision::Open;
        match (&self.lost, &loss.lost) {
            (LostAccess::Roles(held), LostAccess::Roles(lost)) => again && lost.is_subset(held),
            (LostAccess::Mapping, LostAccess::Mapping) => again,
            (LostAccess::Directory, LostAccess::Directory) => self.cause_digest == loss.cause_digest,
            // A fact that the row already shows is not loaded again, so its state is not known here.
            (LostAccess::Deleted | LostAccess::Inactive, LostAccess::Deleted | LostAccess::Inactive) => {
                self.cause_digest == loss.cause_digest || (again && self.lost == loss.lost)
            }
            _ => false,
        }
    }
}

/// The losses in these changes. `current` are rows by user id; `version` is the mapping's; `is_privileged` takes
/// (tenant, role).
pub fn losses(
    current: &HashMap<String, Vec<UserRow>>,
    changes: &[UserChange],
    version: i64,
    is_privileged: impl Fn(&str, &str) -> bool,
) -> Vec<UserLoss> {
    let loss = |change: &UserChange| {
        let (user, put) = match change {
            UserChange::Put { user, directory_id, digest, content } => {
                (user, Some((directory_id, *digest, content.state == "deleted")))
            }
            UserChange::Restate(user) => (user, None),
            UserChange::Remove { .. } => return None,
        };
        // The id belongs to another person now. The former bearer retains nothing, and a hold of theirs ends.
        if user.succeeds {
            return None;
        }
        let row = current.get(&user.user_id)?.iter().find(|row| row.tenant_id == user.tenant_id)?;
        let (lost, cause_digest) =
            lost(row, user, put.map(|(_, digest, deleted)| (digest, deleted)), version, |role| {
                is_privileged(&user.tenant_id, role)
            })?;
        let held_state = match &lost {
            LostAccess::Roles(roles) => HeldState { access: false, roles: roles.clone() },
            _ => HeldState { access: true, roles: row.held.clone() },
        };
        let directory_id = put.map_or(&row.directory_id, |(directory_id, ..)| directory_id).clone();
        let (tenant_id, user_id) = (user.tenant_id.clone(), user.user_id.clone());
        Some(UserLoss { tenant_id, user_id, directory_id, lost, cause_digest, held_state })
    };
    changes.iter().filter_map(loss).collect()
}

fn lost(
    row: &UserRow,
    user: &UserAccess,
    fact: Option<(i64, bool)>,
    version: i64,
    is_privileged: impl Fn(&str) -> bool,
) -> Option<(LostAccess, i64)> {
    if !row.active {
        return None;
    }
    let (digest, deleted) = fact.unwrap_or((row.digest, false));
    match user.access {
        Access::Inactive(_, AccessCause::Person) if deleted => Some((LostAccess::Deleted, digest)),
        Access::Inactive(_, AccessCause::Person) => Some((LostAccess::Inactive, digest)),
        Access::Inactive(since, AccessCause::Directory | AccessCause::Moved) => {
            Some((LostAccess::Directory, since.micros()))
        }
        Access::Inactive(_, AccessCause::Mapping) => Some((LostAccess::Mapping, version)),
        Access::Active => {
            let roles: BTreeSet<String> =
                user.lost.iter().filter(|role| is_privileged(role)).cloned().collect();
            (!roles.is_empty()).then_some((LostAccess::Roles(roles), version))
        }
    }
}

/// Losses and entries, divided by their treatment.
#[derive(Debug, Default)]
pub struct Sorted {
    /// Losses that are held already.
    pub held: Vec<(UserLoss, HeldEntry)>,
    /// New losses without a decision.
    pub fresh: Vec<UserLoss>,
    /// Entries that are applied now, by a decision or because the guard is off.
    pub applied: Vec<HeldEntry>,
    /// Entries that ended because the person returned or another loss replaced them.
    pub overtaken: Vec<HeldEntry>,
}

/// Divides losses into held ones and new ones, and finds the entries that end.
pub fn sort(losses: Vec<UserLoss>, entries: Vec<HeldEntry>, guard: &Guard) -> Sorted {
    let key = |entry: HeldEntry| ((entry.tenant_id.clone(), entry.user_id.clone()), entry);
    let mut entries: HashMap<(String, String), HeldEntry> = entries.into_iter().map(key).collect();
    let mut sorted = Sorted::default();
    for loss in losses {
        let entry = entries.remove(&(loss.tenant_id.clone(), loss.user_id.clone()));
        let on = guard.of(&loss.tenant_id).is_some();
        match entry {
            // An approval applies the current state of the directory.
            Some(entry) if !on || entry.decision == Decision::Approved => sorted.applied.push(entry),
            Some(entry) if entry.holds(&loss) => sorted.held.push((loss, entry)),
            other => {
                sorted.overtaken.extend(other);
                if on {
                    sorted.fresh.push(loss);
                }
            }
        }
    }
    sorted.overtaken.extend(entries.into_values());
    sorted
}
