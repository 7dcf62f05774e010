//! Protected roles: the last holder in a tenant retains the role, whatever the directory or the mapping says (lesson
//! 27).
//!
//! A person whose row has such a role has a holder record. After the loss of the role the record remains, with the
//! time of the loss, until an operator forces the loss or the person holds the role again. While somebody holds the
//! role, nobody retains it. When nobody does, the person with the newest loss by the broker's time retains it. So the
//! order of several losses does not matter, nor does the number of processes. A person whose row never had the role
//! gets no record: a late fact revives nobody (promise 4).

use std::collections::BTreeSet;

use crate::{decide::mapping::MappingPolicy, runtime::clock::Timestamp};

/// A loss, identified by the person's newest fact at the time of the derivation.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RoleLoss {
    /// The broker's time of the fact that ended it.
    pub at: Timestamp,
    /// The event of that fact.
    pub event: String,
}

/// The state of a holder record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HolderRecord {
    /// The person holds the role.
    Holds,
    /// The person has lost the role.
    Lost {
        /// The time and the event of the loss.
        loss: RoleLoss,
        /// An operator has forced the loss. The person does not retain the role, and nobody is restored for it.
        released: bool,
        /// The latest facts end the person's access, too.
        ends_access: bool,
    },
}

/// The roles of one user in one tenant.
#[derive(Clone, Copy, Debug)]
pub struct RoleStatus<'a> {
    /// The derived roles; empty if the derived state has no access.
    pub holds: &'a BTreeSet<String>,
    /// The roles in the user's row.
    pub current: &'a BTreeSet<String>,
    /// The directory or its organization is deleted. The tenant's own setting ends all access then.
    pub dismissed: bool,
    /// The latest facts about the user give no access.
    pub ends_access: bool,
}

/// The new holder record; `None` if there is none. `loss` is called if the role is lost now.
pub fn record(
    role: &str,
    seen: RoleStatus<'_>,
    before: Option<HolderRecord>,
    loss: impl FnOnce() -> RoleLoss,
) -> Option<HolderRecord> {
    let lost = || HolderRecord::Lost { loss: loss(), released: false, ends_access: seen.ends_access };
    match before {
        _ if seen.holds.contains(role) => Some(HolderRecord::Holds),
        _ if seen.dismissed => None,
        Some(HolderRecord::Holds) => Some(lost()),
        Some(HolderRecord::Lost { loss, released, .. }) => {
            Some(HolderRecord::Lost { loss, released, ends_access: seen.ends_access })
        }
        // The row had the role before the role became protected.
        None if seen.current.contains(role) => Some(lost()),
        None => None,
    }
}

/// The state that the directory asks for, in words: of a person who retains this role.
pub fn directory_wants(role: &str, ends_access: bool) -> String {
    match ends_access {
        true => format!("no access: not active, and without {role}"),
        false => format!("without {role}"),
    }
}

/// The tenant's protected roles that a person holds, has in the row, or has a holder record for.
pub fn affected_roles<'a>(
    policy: &'a MappingPolicy,
    holds: &BTreeSet<String>,
    current: &BTreeSet<String>,
    has_record: impl Fn(&str) -> bool,
) -> Vec<&'a str> {
    let is_affected = |role: &&str| holds.contains(*role) || current.contains(*role) || has_record(role);
    policy.protected().filter(is_affected).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(roles: &[&str]) -> BTreeSet<String> {
        roles.iter().map(|role| (*role).to_owned()).collect()
    }

    fn loss(micros: i64) -> RoleLoss {
        RoleLoss { at: Timestamp::from_micros(micros), event: "e".to_owned() }
    }

    fn lost(micros: i64) -> Option<HolderRecord> {
        Some(HolderRecord::Lost { loss: loss(micros), released: false, ends_access: false })
    }

    fn status<'a>(holds: &'a BTreeSet<String>, current: &'a BTreeSet<String>) -> RoleStatus<'a> {
        RoleStatus { holds, current, dismissed: false, ends_access: false }
    }

    #[test]
    fn a_loss_tells_whether_access_ends_by_the_latest_facts_and_stays_released() {
        let (none, owner) = (set(&[]), set(&["owner"]));
        let released = |ends_access| HolderRecord::Lost { loss: loss(2), released: true, ends_access };
        let inactive = RoleStatus { ends_access: true, ..status(&none, &owner) };

        assert_eq!(record("owner", inactive, Some(released(false)), || loss(9)), Some(released(true)));
        assert_eq!(
            record("owner", status(&none, &owner), Some(released(true)), || loss(9)),
            Some(released(false))
        );
    }

    #[test]
    fn the_first_loss_counts_until_the_role_is_held_again() {
        let (none, owner) = (set(&[]), set(&["owner"]));
        let holds = status(&owner, &owner);
        let not = status(&none, &owner);

        assert_eq!(record("owner", not, Some(HolderRecord::Holds), || loss(2)), lost(2));
        assert_eq!(record("owner", not, lost(2), || loss(9)), lost(2));
        assert_eq!(record("owner", holds, lost(2), || loss(9)), Some(HolderRecord::Holds));
    }

    #[test]
    fn only_a_person_whose_row_had_the_role_gets_a_holder_record() {
        let none = set(&[]);

        assert_eq!(record("owner", status(&none, &none), None, || loss(1)), None);
    }

    #[test]
    fn a_directory_that_is_gone_keeps_nobody() {
        let (none, owner) = (set(&[]), set(&["owner"]));
        let gone = RoleStatus { dismissed: true, ..status(&none, &owner) };

        assert_eq!(record("owner", gone, Some(HolderRecord::Holds), || loss(2)), None);
        assert_eq!(record("owner", gone, lost(2), || loss(3)), None);
    }
}
