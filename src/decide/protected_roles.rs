//! Protected roles: their last holder in a tenant keeps them, whatever the directory or a mapping says (lesson 27).
//!
//! Whoever is shown with such a role has a seat. It stays when the role is lost, with the time of the loss, for as long as
//! nobody forces the loss or the person holds the role again. While somebody holds it, nobody is kept; when nobody does, the
//! one whose loss is newest by the broker's time is, so of several losses it does not matter which came first, nor whether two
//! processes applied them. Nobody gets a seat who was never shown as holder: a late fact revives nobody (promise 4).

use std::collections::BTreeSet;

use crate::{decide::mapping::MappingPolicy, runtime::clock::Timestamp};

/// A loss, by the newest fact that counted for the person when it was derived.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RoleLoss {
    /// The time of the fact that ended it.
    pub at: Timestamp,
    /// The event of that fact.
    pub event: String,
}

/// What somebody's seat says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HolderRecord {
    /// They hold the role.
    Holds,
    /// They have lost it.
    Lost {
        /// When, and by which event.
        loss: RoleLoss,
        /// An operator has forced it: it is not kept any more, and nobody is brought back for it.
        released: bool,
    },
}

/// What one user is, of one tenant.
#[derive(Clone, Copy, Debug)]
pub struct RoleStatus<'a> {
    /// Roles that hold by what is derived; empty for whoever has no access by it.
    pub holds: &'a BTreeSet<String>,
    /// Roles shown.
    pub shown: &'a BTreeSet<String>,
    /// The directory or its organization is gone, which is the tenant's own policy and ends all access.
    pub dismissed: bool,
}

/// What becomes of a seat; `None` is none. `loss` is asked for when the role is lost just now.
pub fn seat(
    role: &str,
    seen: RoleStatus<'_>,
    before: Option<HolderRecord>,
    loss: impl FnOnce() -> RoleLoss,
) -> Option<HolderRecord> {
    match before {
        _ if seen.holds.contains(role) => Some(HolderRecord::Holds),
        _ if seen.dismissed => None,
        Some(HolderRecord::Holds) => Some(HolderRecord::Lost { loss: loss(), released: false }),
        Some(lost @ HolderRecord::Lost { .. }) => Some(lost),
        // Shown before it was protected.
        None if seen.shown.contains(role) => Some(HolderRecord::Lost { loss: loss(), released: false }),
        None => None,
    }
}

/// The protected roles of a tenant that matter for somebody: those that they hold, are shown with, or have a seat for.
pub fn concerned<'a>(
    policy: &'a MappingPolicy,
    holds: &BTreeSet<String>,
    shown: &BTreeSet<String>,
    has_seat: impl Fn(&str) -> bool,
) -> Vec<&'a str> {
    let concerns = |role: &&str| holds.contains(*role) || shown.contains(*role) || has_seat(role);
    policy.protected().filter(concerns).collect()
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
        Some(HolderRecord::Lost { loss: loss(micros), released: false })
    }

    #[test]
    fn the_first_loss_counts_until_the_role_is_held_again() {
        let (none, owner) = (set(&[]), set(&["owner"]));
        let holds = RoleStatus { holds: &owner, shown: &owner, dismissed: false };
        let not = RoleStatus { holds: &none, shown: &owner, dismissed: false };

        assert_eq!(seat("owner", not, Some(HolderRecord::Holds), || loss(2)), lost(2));
        assert_eq!(seat("owner", not, lost(2), || loss(9)), lost(2));
        assert_eq!(seat("owner", holds, lost(2), || loss(9)), Some(HolderRecord::Holds));
    }

    #[test]
    fn nobody_gets_a_seat_who_was_never_shown_as_holder() {
        let none = set(&[]);

        assert_eq!(
            seat("owner", RoleStatus { holds: &none, shown: &none, dismissed: false }, None, || loss(1)),
            None
        );
    }

    #[test]
    fn a_directory_that_is_gone_keeps_nobody() {
        let (none, owner) = (set(&[]), set(&["owner"]));
        let gone = RoleStatus { holds: &none, shown: &owner, dismissed: true };

        assert_eq!(seat("owner", gone, Some(HolderRecord::Holds), || loss(2)), None);
        assert_eq!(seat("owner", gone, lost(2), || loss(3)), None);
    }
}
