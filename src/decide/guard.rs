//! The guard against mass change: who loses what, when so many do at once that it looks like a mistake, and what stays
//! as it is until somebody has decided. Pure: entries and counts are given, the time too.
//!
//! A loss is the end of access, or of a privileged role (lesson 22). Its wanted state is remembered as [`Lost`] and as
//! what said so, so that a later word that says something else ends a hold by itself.

#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fmt,
};

use super::{
    access::{Access, Cause},
    around::Stay,
    users::{Seat, ShownUser, UserChange},
};

/// Whether there is a guard, and for whom it weighs how.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Guard {
    /// Off for all, whatever tenants have of their own.
    pub on: bool,
    pub otherwise: Limits,
    pub of_tenant: BTreeMap<String, Limits>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    pub on: bool,
    pub window_minutes: u32,
    /// Fewer losses than these are never held.
    pub minimum: u32,
    /// Nor are so many of a hundred active people, or fewer.
    pub percent: u32,
    pub undecided: Undecided,
}

/// What becomes of a hold on which nobody decides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Undecided {
    #[default]
    Stay,
    ApproveAfterHours(u32),
}

impl Default for Limits {
    fn default() -> Self {
        Self { on: true, window_minutes: 15, minimum: 10, percent: 20, undecided: Undecided::Stay }
    }
}

impl Guard {
    /// `None` where it is off.
    pub fn of(&self, tenant_id: &str) -> Option<&Limits> {
        let limits = self.of_tenant.get(tenant_id).unwrap_or(&self.otherwise);
        (self.on && limits.on).then_some(limits)
    }
}

impl Limits {
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
pub enum Lost {
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

impl Lost {
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

    pub fn read(code: &str, roles: BTreeSet<String>) -> Self {
        match code {
            "deleted" => Self::Deleted,
            "directory" => Self::Directory,
            "mapping" => Self::Mapping,
            "roles" => Self::Roles(roles),
            _ => Self::Inactive,
        }
    }

    pub fn roles(&self) -> Vec<&str> {
        match self {
            Self::Roles(roles) => roles.iter().map(String::as_str).collect(),
            _ => Vec::new(),
        }
    }

    pub fn is_access(&self) -> bool {
        !matches!(self, Self::Roles(_))
    }
}

/// What the directory wants, in words.
impl fmt::Display for Lost {
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
pub struct Loss {
    pub tenant_id: String,
    pub user_id: String,
    pub directory_id: String,
    pub lost: Lost,
    /// What says so: the digest of the newest word, the time of a directory's end, or the mapping's version.
    pub said: i64,
    pub stay: Stay,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    Open,
    Approved,
    Rejected,
}

/// What is remembered of somebody who is held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub hold_id: i64,
    pub tenant_id: String,
    pub user_id: String,
    pub lost: Lost,
    pub said: i64,
    pub decision: Decision,
}

impl Entry {
    /// Whether this is the loss that is held, and not a later one. Undecided, it may be said again in other words; what
    /// was rejected holds until anything new is said.
    pub fn holds(&self, loss: &Loss) -> bool {
        let again = self.said == loss.said || self.decision == Decision::Open;
        match (&self.lost, &loss.lost) {
            (Lost::Roles(held), Lost::Roles(lost)) => again && lost.is_subset(held),
            (Lost::Mapping, Lost::Mapping) => again,
            (Lost::Directory, Lost::Directory) => self.said == loss.said,
            // A word that is shown already is not at hand again, and so neither is its state.
            (Lost::Deleted | Lost::Inactive, Lost::Deleted | Lost::Inactive) => {
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
) -> Vec<Loss> {
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
            Lost::Roles(roles) => Stay { access: false, roles: roles.clone() },
            _ => Stay { access: true, roles: row.held.clone() },
        };
        let directory_id = put.map_or(&row.directory_id, |(directory_id, ..)| directory_id).clone();
        let (tenant_id, user_id) = (seat.tenant_id.clone(), seat.user_id.clone());
        Some(Loss { tenant_id, user_id, directory_id, lost, said, stay })
    };
    changes.iter().filter_map(loss).collect()
}

fn lost(
    row: &ShownUser,
    seat: &Seat,
    word: Option<(i64, bool)>,
    version: i64,
    is_privileged: impl Fn(&str) -> bool,
) -> Option<(Lost, i64)> {
    if !row.active {
        return None;
    }
    let (digest, deleted) = word.unwrap_or((row.digest, false));
    match seat.access {
        Access::Inactive(_, Cause::Person) if deleted => Some((Lost::Deleted, digest)),
        Access::Inactive(_, Cause::Person) => Some((Lost::Inactive, digest)),
        Access::Inactive(since, Cause::Directory) => Some((Lost::Directory, since.micros())),
        Access::Inactive(_, Cause::Mapping) => Some((Lost::Mapping, version)),
        Access::Active => {
            let roles: BTreeSet<String> =
                seat.lost.iter().filter(|role| is_privileged(role)).cloned().collect();
            (!roles.is_empty()).then_some((Lost::Roles(roles), version))
        }
    }
}

/// Losses, by what is known of them.
#[derive(Debug, Default)]
pub struct Sorted {
    /// Held already.
    pub staying: Vec<(Loss, Entry)>,
    /// Nobody has decided on these.
    pub fresh: Vec<Loss>,
    /// Entries that come true now, by decision or because the guard is off.
    pub applied: Vec<Entry>,
    /// Entries that a return, or another loss, has overtaken.
    pub overtaken: Vec<Entry>,
}

pub fn sort(losses: Vec<Loss>, entries: Vec<Entry>, guard: &Guard) -> Sorted {
    let key = |entry: Entry| ((entry.tenant_id.clone(), entry.user_id.clone()), entry);
    let mut entries: HashMap<(String, String), Entry> = entries.into_iter().map(key).collect();
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
