//! Ends that histories reach in few ways, each with one fixed way: a few events in every order, each applied before the
//! next one arrives.

use rosterd::{
    apply::Batch,
    decide::{Rules, Tenancy},
};
use serde_json::{Value, json};

use super::{
    equal, model,
    world::{World, drain},
};
use crate::harness::{
    Backend,
    broker::{at, directory, event, group, organization, with},
};

/// The events, and the rows of a table after them. Only the listed columns are compared.
struct Example {
    tenancy: Tenancy,
    events: Vec<Value>,
    table: &'static str,
    rows: Vec<Value>,
}

macro_rules! example {
    (fn $name:ident() $body:block) => {
        mod $name {
            use super::*;

            fn example() -> Example $body

            #[test]
            fn on_sqlite() {
                holds_in_every_order(Backend::Sqlite, &example());
            }

            #[test]
            #[cfg_attr(feature = "sqlite-only", ignore = "PostgreSQL is left out")]
            fn on_postgres() {
                holds_in_every_order(Backend::Postgres, &example());
            }
        }
    };
}

fn holds_in_every_order(backend: Backend, Example { tenancy, events, table, rows }: &Example) {
    let world = World::create(backend);
    let rules = Rules { tenancy: *tenancy, ..Rules::default() };
    let applier = world.applier(rules.clone(), Batch { entities: 1, ..Batch::default() });
    for order in orders(events) {
        world.clear();
        for event in &order {
            world.deliver([event]);
            drain(&applier, || Ok(())).unwrap();
        }
        let got = world.tables();
        let ids: Vec<_> = order.iter().map(|event| &event["id"]).collect();
        let shown: Vec<_> =
            got[table].iter().zip(rows).map(|(row, wanted)| with(row.clone(), wanted.clone())).collect();
        assert_eq!((&shown, got[table].len()), (&got[table], rows.len()), "{table}, after {ids:?}");
        if let Err(error) = equal(model::tables(&order, &rules, None), got) {
            panic!("after {ids:?}: {error}");
        }
    }
}

fn orders(events: &[Value]) -> Vec<Vec<Value>> {
    if events.is_empty() {
        return vec![Vec::new()];
    }
    let first = |place: usize| {
        let mut others = events.to_vec();
        let first = others.remove(place);
        orders(&others).into_iter().map(move |others| [vec![first.clone()], others].concat())
    };
    (0..events.len()).flat_map(first).collect()
}

fn user(id: &str, directory: &str, seconds: i64) -> Value {
    let user = crate::harness::broker::user(id, "active", seconds);
    with(user, json!({"directory_id": directory, "name": format!("Given {id}"), "idp_id": "idp"}))
}

example! {
    fn a_directory_whose_owner_was_deleted_before_it_was_known_loses_its_people() {
        let nobodys = |data| with(data, json!({"organization_id": null}));
        Example {
            // With several tenants, the directory would change its owner, too.
            tenancy: Tenancy::Single,
            events: vec![
                event("user", "dsync.user.created", 1, nobodys(user("u1", "dir_1", 1))),
                event("organization", "organization.deleted", 2, organization("org_1", 2)),
                event("claim", "dsync.group.created", 3, group("g1", 3)),
            ],
            table: "users",
            rows: vec![json!({"id": "u1", "status": "inactive", "deprovisioned_at": at(2)})],
        }
    }
}

example! {
    fn an_old_snapshot_sent_again_later_is_older_than_a_fact_of_another_directory_from_the_time_between() {
        Example {
            tenancy: Tenancy::Multi,
            events: vec![
                event("there", "dsync.user.updated", 1, user("u1", "dir_1", 1)),
                event("away", "dsync.user.updated", 2, user("u1", "dir_2", 1)),
                event("back", "dsync.user.updated", 3, user("u1", "dir_1", 1)),
            ],
            table: "users",
            rows: vec![json!({"id": "u1", "directory_id": "dir_1"})],
        }
    }
}

example! {
    fn a_directory_known_only_by_a_claim_that_lost_and_by_a_removal_is_not_shown() {
        let removed = with(user("u1", "dir_1", 1), json!({"organization_id": "org_2"}));
        Example {
            // With several tenants, its row would replace another one anyway.
            tenancy: Tenancy::Single,
            events: vec![
                event("removed", "dsync.user.deleted", 1, removed),
                event("created", "dsync.user.created", 2, user("u1", "dir_1", 2)),
            ],
            table: "directories",
            rows: vec![],
        }
    }
}

example! {
    fn a_late_fact_about_a_directory_changes_the_person_ids_of_its_people() {
        Example {
            tenancy: Tenancy::Multi,
            events: vec![
                event("created", "dsync.user.created", 1, user("u1", "dir_1", 1)),
                event("moved", "dsync.user.deleted", 2, user("u1", "dir_2", 2)),
                event("described", "dsync.activated", 3, directory("dir_2", "org_1", 3)),
            ],
            table: "users",
            rows: vec![json!({"id": "u1", "directory_id": "dir_2", "status": "inactive"})],
        }
    }
}

example! {
    fn the_last_of_two_equal_deletions_says_since_when_somebody_has_left() {
        Example {
            tenancy: Tenancy::Multi,
            events: vec![
                event("created", "dsync.user.created", 1, user("u1", "dir_1", 1)),
                event("deleted", "dsync.user.deleted", 5, user("u1", "dir_1", 1)),
                event("again", "dsync.user.deleted", 9, user("u1", "dir_1", 1)),
            ],
            table: "users",
            rows: vec![json!({"id": "u1", "deprovisioned_at": at(9)})],
        }
    }
}

/// With the `idp_id` that all users share here, in a directory of their own.
fn namesake(id: &str, directory: &str, email: &str, seconds: i64) -> Value {
    with(user(id, directory, seconds), json!({"email": email}))
}

example! {
    fn two_who_are_there_at_once_with_one_idp_id_are_two_after_one_has_left() {
        let (ann, bob) = (namesake("u1", "dir_1", "ann", 1), namesake("u2", "dir_2", "bob", 2));
        Example {
            tenancy: Tenancy::Multi,
            events: vec![
                event("described", "dsync.activated", 0, directory("dir_2", "org_1", 0)),
                event("there", "dsync.activated", 0, directory("dir_1", "org_1", 0)),
                event("ann", "dsync.user.created", 1, ann.clone()),
                event("bob", "dsync.user.created", 2, bob),
                event("left", "dsync.user.deleted", 5, ann),
            ],
            table: "users",
            rows: vec![json!({"id": "u1", "status": "inactive"}), json!({"id": "u2", "status": "active"})],
        }
    }
}

example! {
    fn a_person_in_another_directory_is_the_same_until_the_former_user_turns_out_to_be_active() {
        let (ann, lee) = (namesake("u1", "dir_1", "ann", 1), namesake("u2", "dir_2", "lee", 5));
        Example {
            tenancy: Tenancy::Multi,
            events: vec![
                event("ann", "dsync.user.created", 1, ann.clone()),
                event("left", "dsync.user.deleted", 3, ann),
                event("lee", "dsync.user.created", 5, lee),
                event("third", "dsync.user.created", 6, namesake("u3", "dir_3", "ann", 6)),
                event("gone", "dsync.deleted", 8, directory("dir_2", "org_1", 0)),
            ],
            table: "users",
            rows: vec![json!({"id": "u1"}), json!({"id": "u2"}), json!({"id": "u3"})],
        }
    }
}

example! {
    fn a_leavers_row_has_a_profile_until_the_profile_turns_out_to_be_a_former_bearers() {
        let nobody = json!({
            "idp_id": null, "email": null, "username": null, "first_name": null, "last_name": null, "name": null,
        });
        let other = json!({"idp_id": "idp_other", "email": "other@acme.example"});
        Example {
            // The two directories have one tenant.
            tenancy: Tenancy::Single,
            events: vec![
                event("a_created", "dsync.user.created", 1, user("u1", "dir_1", 1)),
                event("b_deleted", "dsync.user.deleted", 5, with(user("u1", "dir_2", 1), nobody)),
                event("c_another", "dsync.user.deleted", 3, with(user("u1", "dir_1", 1), other)),
            ],
            table: "users",
            rows: vec![json!({"id": "u1", "directory_id": "dir_2", "status": "inactive", "email": null, "name": null})],
        }
    }
}
