//! Tests of the event stream with a strict receiver.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::strict_receiver::Receiver;
use super::{Census, Plan};

const PLAN: Plan = Plan { tenants: 4, users: 90, events: 6000, seed: 11, start: super::DEFAULT_START };

fn read(plan: Plan) -> (Receiver, Census) {
    let (mut world, mut receiver) = (plan.events(), Receiver::default());
    let announced = world.size_hint().0;
    for event in world.by_ref() {
        receiver.receive(&event);
    }
    assert_eq!(announced, receiver.ids.len(), "{plan:?}");
    (receiver, world.census())
}

#[test]
fn a_strict_receiver_finds_no_contradiction_and_counts_the_census() {
    for seed in 0..8 {
        for (tenants, users, events) in
            [(1, 1, 500), (2, 7, 1500), (3, 60, 400), (4, 90, 6000), (5, 3, 900), (3, 0, 50), (2, 350, 0)]
        {
            let plan = Plan { tenants, users, events, seed, ..PLAN };
            let (receiver, census) = read(plan);
            assert_eq!(receiver.census(), census, "{plan:?}");
        }
    }
}

#[test]
fn a_long_life_shows_every_kind_of_event_and_both_ways_to_leave() {
    let (receiver, census) = read(PLAN);
    let kinds: Vec<_> = receiver.kinds.keys().map(String::as_str).collect();
    assert_eq!(
        kinds,
        [
            "dsync.activated",
            "dsync.deleted",
            "dsync.group.created",
            "dsync.group.deleted",
            "dsync.group.updated",
            "dsync.group.user_added",
            "dsync.group.user_removed",
            "dsync.user.created",
            "dsync.user.deleted",
            "dsync.user.updated",
            "organization.created",
        ]
    );
    assert!(receiver.users.len() > 90, "nobody returned under a new id");
    assert!(receiver.users.values().any(|user| user["state"] == "inactive"), "nobody was deactivated");
    assert!(census.active_users > 40 && census.memberships > 40, "the tenants died out: {census}");
}

#[test]
fn equal_plans_give_equal_bytes_and_a_longer_one_begins_with_the_shorter() {
    let events = |events| Plan { events, ..PLAN }.events().collect::<Vec<_>>();
    let (short, again, long) = (events(1000), events(1000), events(3000));
    assert_eq!(short, again);
    // The shorter stream ends with the directory's deletion. In the longer one the deletion is later and has another
    // id.
    let (end, life) = short.split_last().unwrap();
    assert!(long.starts_with(life));
    assert_eq!(end.kind, "dsync.deleted");
    assert!(long.iter().all(|event| event.id != end.id));
}

#[test]
fn other_seeds_and_sizes_share_no_id() {
    let ids = |plan: Plan| {
        let (receiver, _) = read(plan);
        let entities = receiver.users.into_keys().chain(receiver.groups.into_keys());
        entities.chain(receiver.directories.into_keys()).chain(receiver.ids).collect::<BTreeSet<_>>()
    };
    let one = ids(PLAN);
    for other in [Plan { seed: 12, ..PLAN }, Plan { users: 91, ..PLAN }, Plan { tenants: 5, ..PLAN }] {
        assert!(one.is_disjoint(&ids(other)), "{other:?}");
    }
}

#[test]
fn no_two_people_of_a_directory_share_an_address() {
    let (receiver, _) = read(Plan { tenants: 1, users: 2500, events: 25_000, ..PLAN });
    let people = receiver.users.iter().filter(|(id, _)| receiver.is_active(id));
    let addresses: Vec<_> = people.filter_map(|(_, user)| user["email"].as_str()).collect();
    assert_eq!(addresses.iter().collect::<HashSet<_>>().len(), addresses.len());
    assert!(addresses.iter().all(|address| address.ends_with(".example")));
}

#[test]
fn a_first_sync_of_a_large_customer_has_the_size_of_a_real_one() {
    let (kinds, total) = Plan { tenants: 1, users: 50_000, events: 0, ..PLAN }.events().fold(
        (BTreeMap::<_, u64>::new(), 0_u64),
        |(mut kinds, total), event| {
            *kinds.entry(event.kind).or_default() += 1;
            (kinds, total + 1)
        },
    );
    assert_eq!((kinds["dsync.user.created"], kinds["dsync.group.created"]), (50_000, 504));
    assert!((290_000..310_000).contains(&kinds["dsync.group.user_added"]), "{total}");
}
