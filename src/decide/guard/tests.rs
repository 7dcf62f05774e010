//! The limits, and the later losses that count as the held one.

use std::collections::BTreeSet;

use super::{Decision, Guard, GuardLimits, HeldEntry, LostAccess, UserLoss, sort};
use crate::decide::context::HeldState;

fn loss(lost: LostAccess, cause_digest: i64) -> UserLoss {
    UserLoss {
        tenant_id: "t".into(),
        user_id: "u".into(),
        directory_id: "d".into(),
        lost,
        cause_digest,
        held_state: HeldState::default(),
    }
}

fn entry(lost: LostAccess, cause_digest: i64, decision: Decision) -> HeldEntry {
    HeldEntry { hold_id: 1, tenant_id: "t".into(), user_id: "u".into(), lost, cause_digest, decision }
}

fn roles(roles: &[&str]) -> LostAccess {
    LostAccess::Roles(roles.iter().map(|role| (*role).to_owned()).collect::<BTreeSet<_>>())
}

#[test]
fn it_trips_at_the_minimum_and_past_the_share_and_nowhere_before() {
    let limits = GuardLimits::default();

    assert!(!limits.trips(9, 9));
    assert!(limits.trips(10, 10) && limits.trips(10, 49));
    assert!(!limits.trips(10, 50));
    assert!(limits.trips(11, 50) && !limits.trips(11, 55));
    assert!(limits.trips(1_000_000, 4_999_999) && !limits.trips(1_000_000, 5_000_000));
    assert!(!limits.trips(0, 0));
}

#[test]
fn at_the_ends_a_share_of_nothing_holds_every_mass_and_one_of_everybody_holds_none() {
    let nothing = GuardLimits { percent: 0, ..GuardLimits::default() };
    let everybody = GuardLimits { percent: 100, ..GuardLimits::default() };

    assert!(nothing.trips(10, 1_000_000) && !nothing.trips(9, 9));
    assert!(!everybody.trips(1_000, 1_000));
    // Zero losses never exceed a limit.
    assert!(!GuardLimits { minimum: 0, percent: 0, ..GuardLimits::default() }.trips(0, 10));
}

#[test]
fn all_people_of_a_directory_are_a_mass_change_unless_there_was_only_one() {
    let limits = GuardLimits::default();
    assert!(limits.is_everybody(2, 2, 0) && limits.is_everybody(1, 1, 1));
    assert!(!limits.is_everybody(1, 1, 0), "there was one person");
    assert!(!limits.is_everybody(2, 3, 0) && !limits.is_everybody(0, 0, 5));
    assert!(!GuardLimits { everybody: 0, ..limits }.is_everybody(9, 9, 0));
}

#[test]
fn an_undecided_loss_with_another_cause_remains_held_and_a_greater_one_is_weighed_again() {
    let open = |lost| entry(lost, 1, Decision::Open);

    assert!(open(LostAccess::Inactive).holds(&loss(LostAccess::Inactive, 2)));
    assert!(!open(LostAccess::Inactive).holds(&loss(LostAccess::Deleted, 2)));
    // The row already shows the fact, so its state is not known.
    assert!(open(LostAccess::Deleted).holds(&loss(LostAccess::Inactive, 1)));
    assert!(open(roles(&["a", "b"])).holds(&loss(roles(&["b"]), 2)));
    assert!(!open(roles(&["a"])).holds(&loss(roles(&["a", "b"]), 1)));
    assert!(!open(roles(&["a"])).holds(&loss(LostAccess::Inactive, 1)));
    assert!(!open(LostAccess::Directory).holds(&loss(LostAccess::Directory, 2)));
    assert!(open(LostAccess::Directory).holds(&loss(LostAccess::Directory, 1)));
    assert!(open(LostAccess::Mapping).holds(&loss(LostAccess::Mapping, 2)));
    assert!(!open(LostAccess::Directory).holds(&loss(LostAccess::Mapping, 1)));
}

#[test]
fn a_rejection_is_in_force_until_a_new_fact_arrives() {
    let rejected = |lost| entry(lost, 1, Decision::Rejected);

    assert!(rejected(LostAccess::Inactive).holds(&loss(LostAccess::Inactive, 1)));
    assert!(!rejected(LostAccess::Inactive).holds(&loss(LostAccess::Inactive, 2)));
    assert!(!rejected(LostAccess::Mapping).holds(&loss(LostAccess::Mapping, 2)));
    assert!(!rejected(roles(&["a"])).holds(&loss(roles(&["a"]), 2)));
}

#[test]
fn a_return_ends_an_entry_and_without_a_guard_nothing_is_held() {
    let on = Guard { on: true, ..Guard::default() };
    let open = || vec![entry(LostAccess::Inactive, 1, Decision::Open)];

    assert_eq!(sort(vec![], open(), &on).overtaken.len(), 1);
    assert_eq!(sort(vec![loss(LostAccess::Inactive, 1)], open(), &on).held.len(), 1);
    let off = sort(vec![loss(LostAccess::Inactive, 1)], open(), &Guard::default());
    assert_eq!((off.applied.len(), off.fresh.len(), off.held.len()), (1, 0, 0));
    assert!(sort(vec![loss(LostAccess::Inactive, 1)], vec![], &Guard::default()).fresh.is_empty());
}
