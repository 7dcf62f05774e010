//! The guard against mass change: who loses what, when so many do at once that it looks like a mistake, and what stays
//! as it is until somebody has decided. Pure: entries and counts are given, the time too.
//!
//! A loss is the end of access, or of a privileged role (lesson 22). Its wanted state is remembered as [`LostAccess`] and as
//! what said so, so that a later fact that says something else ends a hold by itself.

#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fmt,
};

use super::{
    access::{Access, AccessCause},
    context::HeldState,
    users::{ShownUser, UserAccess, UserChange},
};

/// Whether there is a guard, and for whom it weighs how.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Guard {
    /// Off for all, whatever tenants have of their own.
    pub on: bool,
    /// The limits of all other tenants.
    pub otherwise: GuardLimits,
    /// The limits of single tenants.
    pub of_tenant: BTreeMap<String, GuardLimits>,
}

/// When a change is a mass change, and what happens to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GuardLimits {
    /// Whether the guard holds anything.
    pub on: bool,
    /// The length of the window.
    pub window_minutes: u32,
    /// Fewer losses than these are never held.
    pub minimum: u32,
    /// Nor are so many of a hundred active people, or fewer.
    pub percent: u32,
    /// What happens to a hold without a decision.
    pub undecided: Undecided,
}

/// What becomes of a hold on which nobody decides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Undecided {
    /// It stays open.
    #[default]
    Stay,
    /// It is approved after so many hours.
    ApproveAfterHours(u32),
}

impl Default for GuardLimits {
    fn default() -> Self {
        Self { on: true, window_minutes: 15, minimum: 10, percent: 20, undecided: Undecided::Stay }
    }
}

impl Guard {
    /// `None` where it is off.
    pub fn of(&self, tenant_id: &str) -> Option<&GuardLimits> {
        let limits = self.of_tenant.get(tenant_id).unwrap_or(&self.otherwise);
        (self.on && limits.on).then_some(limits)
    }
}

impl GuardLimits {
    /// So many losses are anomalous where fewer people than this were active before them; `None` where they never are.
    pub fn anomalous_below(&self, losses: u64) -> Option<u64> {
        if losses < u64::from(self.minimum.max(1)) {
            return None;
        }
        // More than so many per cent of the active: losses * 100 > percent * active, without a fraction.
        let percent = u64::from(self.percent);
        let rounded_up = losses.saturating_mul(100).saturating_add(percent.saturating_sub(1));
        Some(rounded_up.checked_div(percent).unwrap_or(u64::MAX))
    }

    /// Whether so many losses, of so many active people, exceed the threshold.
    pub fn trips(&self, losses: u64, active: u64) -> bool {
        self.anomalous_below(losses).is_some_and(|below| active < below)
    }
}

/// What is derived together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// Those of whom something was said.
    Touched,
    /// One step of a walk through all of a directory: it stands for the rest.
    Directory,
    /// What an operator does, or has decided: nothing fresh is held.
    ByHand,
}

/// What somebody is about to lose.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LostAccess {
    /// Access: the directory says deleted.
    Deleted,
    /// Access: any other state than active.
    Inactive,
    /// Access: the directory, or the organization, is deleted.
    Directory,
    /// Access: nothing grants a role, and the mapping lets nobody in without one.
    Mapping,
    /// These privileged roles.
    Roles(BTreeSet<String>),
}

impl LostAccess {
    /// As a row keeps it, beside the roles.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Deleted => "deleted",
            Self::Inactive => "inactive",
            Self::Directory => "directory",
            Self::Mapping => "mapping",
            Self::Roles(_) => "roles",
        }
    }

    /// Reads what [`Self::code`] wrote.
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

/// What the directory wants, in words.
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
    /// What would be lost.
    pub lost: LostAccess,
    /// What says so: the digest of the latest fact, the time of a directory's end, or the mapping's version.
    pub said: i64,
    /// What stays as shown if the loss is held.
    pub stay: HeldState,
}

/// What was decided about somebody who is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Nothing yet.
    Open,
    /// The loss is to be applied.
    Approved,
    /// The loss is not to be applied.
    Rejected,
}

/// What is remembered of somebody who is held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldEntry {
    /// The hold.
    pub hold_id: i64,
    /// The tenant.
    pub tenant_id: String,
    /// The user.
    pub user_id: String,
    /// What would be lost.
    pub lost: LostAccess,
    /// As in [`UserLoss::said`], when the loss was held.
    pub said: i64,
    /// What was decided.
    pub decision: Decision,
}

impl HeldEntry {
    /// Whether this is the loss that is held, and not a later one. Undecided, it may be said again in other words; what
    /// was rejected holds until anything new is said.
    pub fn holds(&self, loss: &UserLoss) -> bool {
        let again = self.said == loss.said || self.decision == Decision::Open;
        match (&self.lost, &loss.lost) {
            (LostAccess::Roles(held), LostAccess::Roles(lost)) => again && lost.is_subset(held),
            (LostAccess::Mapping, LostAccess::Mapping) => again,
            (LostAccess::Directory, LostAccess::Directory) => self.said == loss.said,
            // A fact that is shown already is not at hand again, and so neither is its state.
            (LostAccess::Deleted | LostAccess::Inactive, LostAccess::Deleted | LostAccess::Inactive) => {
                self.said == loss.said || (again && self.lost == loss.lost)
            }
            _ => false,
        }
    }
}

/// Who is about to lose access or a privileged role. `shown` are rows by user id, `is_privileged` is asked by tenant
/// and role.
pub fn losses(
    shown: &HashMap<String, Vec<ShownUser>>,
    changes: &[UserChange],
    version: i64,
    is_privileged: impl Fn(&str, &str) -> bool,
) -> Vec<UserLoss> {
    let loss = |change: &UserChange| {
        let (seat, put) = match change {
            UserChange::Put { seat, directory_id, digest, content } => {
                (seat, Some((directory_id, *digest, content.state == "deleted")))
            }
            UserChange::Restate(seat) => (seat, None),
            UserChange::Remove { .. } => return None,
        };
        // The id is another person's now: of whoever is shown nothing can stay, and a hold of theirs ends.
        if seat.succeeds {
            return None;
        }
        let row = shown.get(&seat.user_id)?.iter().find(|row| row.tenant_id == seat.tenant_id)?;
        let (lost, said) =
            lost(row, seat, put.map(|(_, digest, deleted)| (digest, deleted)), version, |role| {
                is_privileged(&seat.tenant_id, role)
            })?;
        let stay = match &lost {
            LostAccess::Roles(roles) => HeldState { access: false, roles: roles.clone() },
            _ => HeldState { access: true, roles: row.held.clone() },
        };
        let directory_id = put.map_or(&row.directory_id, |(directory_id, ..)| directory_id).clone();
        let (tenant_id, user_id) = (seat.tenant_id.clone(), seat.user_id.clone());
        Some(UserLoss { tenant_id, user_id, directory_id, lost, said, stay })
    };
    changes.iter().filter_map(loss).collect()
}

fn lost(
    row: &ShownUser,
    seat: &UserAccess,
    fact: Option<(i64, bool)>,
    version: i64,
    is_privileged: impl Fn(&str) -> bool,
) -> Option<(LostAccess, i64)> {
    if !row.active {
        return None;
    }
    let (digest, deleted) = fact.unwrap_or((row.digest, false));
    match seat.access {
        Access::Inactive(_, AccessCause::Person) if deleted => Some((LostAccess::Deleted, digest)),
        Access::Inactive(_, AccessCause::Person) => Some((LostAccess::Inactive, digest)),
        Access::Inactive(since, AccessCause::Directory | AccessCause::Moved) => {
            Some((LostAccess::Directory, since.micros()))
        }
        Access::Inactive(_, AccessCause::Mapping) => Some((LostAccess::Mapping, version)),
        Access::Active => {
            let roles: BTreeSet<String> =
                seat.lost.iter().filter(|role| is_privileged(role)).cloned().collect();
            (!roles.is_empty()).then_some((LostAccess::Roles(roles), version))
        }
    }
}

/// Losses, by what is known of them.
#[derive(Debug, Default)]
pub struct Sorted {
    /// Held already.
    pub staying: Vec<(UserLoss, HeldEntry)>,
    /// Nobody has decided on these.
    pub fresh: Vec<UserLoss>,
    /// Entries that come true now, by decision or because the guard is off.
    pub applied: Vec<HeldEntry>,
    /// Entries that a return, or another loss, has overtaken.
    pub overtaken: Vec<HeldEntry>,
}

/// Divides losses into those that are held already, those to be counted, and entries that end.
pub fn sort(losses: Vec<UserLoss>, entries: Vec<HeldEntry>, guard: &Guard) -> Sorted {
    let key = |entry: HeldEntry| ((entry.tenant_id.clone(), entry.user_id.clone()), entry);
    let mut entries: HashMap<(String, String), HeldEntry> = entries.into_iter().map(key).collect();
    let mut sorted = Sorted::default();
    for loss in losses {
        let entry = entries.remove(&(loss.tenant_id.clone(), loss.user_id.clone()));
        let on = guard.of(&loss.tenant_id).is_some();
        match entry {
            // Approved is whatever the directory wants by now.
            Some(entry) if !on || entry.decision == Decision::Approved => sorted.applied.push(entry),
            Some(entry) if entry.holds(&loss) => sorted.staying.push((loss, entry)),
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
