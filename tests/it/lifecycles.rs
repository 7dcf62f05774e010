//! What happens to people, and the state that must follow. The tests have the names of the lessons.

use rosterd::{
    decide::Tenancy,
    tables::host_tables::{DIRECTORIES, GROUP_MEMBERS, GROUPS, ROLES, TENANTS, USER_ROLES, USERS},
};
use serde_json::{Value, json};

use crate::harness::{
    TestApp, both,
    broker::{at, directory, event, group, membership, organization, user, with},
};

fn status(app: &TestApp) -> Vec<String> {
    app.brief(USERS, &["id", "status"])
}

fn created(id: &str, seconds: i64) -> Value {
    event(&format!("created_{id}_{seconds}"), "dsync.user.created", seconds, user(id, "active", seconds))
}

/// A user in a group, with its directory and tenant.
fn beginning() -> Vec<Value> {
    vec![
        event("o1", "organization.created", 0, organization("org_1", 0)),
        event("d1", "dsync.activated", 0, directory("dir_1", "org_1", 0)),
        created("u1", 1),
        event("g1", "dsync.group.created", 2, group("g1", 2)),
        event("m1", "dsync.group.user_added", 3, membership(user("u1", "active", 1), group("g1", 2))),
    ]
}

both! {
    fn lesson_1_an_update_to_inactive_is_a_deprovisioning(app) {
        app.play(&beginning());

        app.play(&[event("e9", "dsync.user.updated", 9, user("u1", "inactive", 9))]);

        assert_eq!(app.brief(USERS, &["id", "status", "deprovisioned_at"]), [format!("u1 inactive {}", at(9))]);
        assert_eq!((app.rows(USER_ROLES).len(), app.rows(GROUP_MEMBERS).len()), (0, 0));
        assert_eq!(app.notices(), ["u1"]);
    }
}

both! {
    fn lesson_2_a_deletion_alone_is_sufficient(app) {
        app.play(&beginning());

        // The snapshot inside is still active, and is older than the last update.
        app.play(&[event("e9", "dsync.user.deleted", 9, user("u1", "active", 0))]);

        assert_eq!(app.brief(USERS, &["id", "status", "deprovisioned_at"]), [format!("u1 inactive {}", at(9))]);
        assert_eq!((app.rows(USER_ROLES).len(), app.rows(GROUP_MEMBERS).len()), (0, 0));
        assert_eq!(app.notices(), ["u1"]);
    }
}

both! {
    fn lesson_3_every_state_but_active_is_no_access(app) {
        for (n, state) in ["suspended", "inactive", "invited", "ACTIVE", "", "☃"].into_iter().enumerate() {
            let id = format!("u{n}");
            app.play(&[created(&id, 1)]);
            app.play(&[event(&format!("e{n}"), "dsync.user.updated", 9, user(&id, state, 9))]);
        }
        app.play(&[created("u_null", 1)]);
        app.play(&[
            event("e_null", "dsync.user.updated", 9, with(user("u_null", "active", 9), json!({"state": null}))),
        ]);

        assert!(app.rows(USERS).iter().all(|row| row["status"] == "inactive"), "{:?}", status(app));
        assert_eq!((app.notices().len(), app.rows(USER_ROLES).len()), (7, 0));
    }
}

both! {
    fn lesson_4_two_live_users_may_share_an_address_and_block_nobody(app) {
        let same = |id, state, seconds| with(user(id, state, seconds), json!({"email": "shared@acme.example"}));
        app.play(&[
            event("e1", "dsync.user.created", 1, same("u1", "active", 1)),
            event("e2", "dsync.user.created", 2, same("u2", "active", 2)),
        ]);
        app.play(&[event("e3", "dsync.user.updated", 3, same("u1", "inactive", 3))]);

        assert_eq!(status(app), ["u1 inactive", "u2 active"]);
        // They are two people, even with the same address, so the leaver is reported.
        assert_eq!(app.notices(), ["u1"]);
    }
}

both! {
    fn lesson_6_the_access_epoch_grows_when_access_shrinks_or_changes_and_only_then(app) {
        let epoch = |app: &TestApp| app.rows(USERS)[0]["access_epoch"].as_i64().unwrap();
        let update = |n: i64, fields: Value| event(&format!("e{n}"), "dsync.user.updated", n, with(user("u1", "active", n), fields));
        app.play(&beginning());
        let mut last = epoch(app);

        app.play(&[update(10, json!({"job_title": "Pilot"}))]);
        assert_eq!(epoch(app), last, "a new title is no change of access");
        for (n, fields) in [
            (11, json!({"role": {"slug": "admin"}, "roles": []})),
            (12, json!({"role": null, "roles": null})),
            (13, json!({"state": "inactive"})),
            (14, json!({"state": "active"})),
        ] {
            app.play(&[update(n, fields.clone())]);
            assert!(epoch(app) > last, "{fields}");
            last = epoch(app);
        }
    }
}

both! {
    fn lesson_7_a_deleted_directory_deprovisions_everybody_and_hides_its_groups(app) {
        app.play(&beginning());
        app.play(&[created("u2", 4), created("u3", 5)]);
        app.play(&[event("e_gone", "dsync.user.deleted", 6, user("u3", "active", 5))]);

        app.play(&[event("e_del", "dsync.deleted", 20, directory("dir_1", "org_1", 0))]);

        assert_eq!(
            app.brief(USERS, &["id", "status", "deprovisioned_at"]),
            [format!("u1 inactive {}", at(20)), format!("u2 inactive {}", at(20)), format!("u3 inactive {}", at(6))]
        );
        assert_eq!((app.rows(GROUPS).len(), app.rows(GROUP_MEMBERS).len(), app.rows(USER_ROLES).len()), (0, 0, 0));
        assert_eq!(app.brief(DIRECTORIES, &["id", "state", "deleted_at"]), [format!("dir_1 deleted {}", at(20))]);
        assert_eq!(app.notices(), ["u3", "u1", "u2"]);
    }
}

both! {
    fn lesson_7_a_deleted_directory_of_many_is_refreshed_in_steps_to_the_last(app, |config| config.guard.on = false) {
        let many: Vec<Value> = (0..1_203).map(|n| created(&format!("u{n:04}"), 1)).collect();
        app.play(&many);
        assert!(app.rows(USERS).iter().all(|row| row["status"] == "active"));

        app.play(&[event("e_del", "dsync.deleted", 20, directory("dir_1", "org_1", 0))]);

        assert!(app.rows(USERS).iter().all(|row| row["status"] == "inactive"));
        assert_eq!(app.notices().len(), 1_203);
    }
}

both! {
    fn lesson_8_reactivation_restores_groups_and_roles(app) {
        app.play(&beginning());
        let (roles, members) = (app.rows(USER_ROLES), app.rows(GROUP_MEMBERS));
        app.play(&[event("e9", "dsync.user.updated", 9, user("u1", "inactive", 9))]);

        app.play(&[event("e10", "dsync.user.updated", 10, user("u1", "active", 10))]);

        assert_eq!(app.brief(USERS, &["id", "status", "deprovisioned_at"]), ["u1 active null"]);
        assert_eq!(app.rows(GROUP_MEMBERS), members);
        let slugs = |rows: &[serde_json::Map<_, _>]| rows.iter().map(|row| row["role_slug"].clone()).collect::<Vec<Value>>();
        assert_eq!(slugs(&app.rows(USER_ROLES)), slugs(&roles));
    }
}

both! {
    fn lesson_9_a_removal_of_somebody_unknown_creates_nobody(app) {
        app.play(&[
            event("e1", "dsync.user.deleted", 9, user("u1", "active", 1)),
            event("e2", "dsync.group.user_removed", 9, membership(user("u2", "active", 1), group("g1", 1))),
            event("e3", "dsync.group.deleted", 9, group("g2", 1)),
            event("e4", "dsync.deleted", 9, directory("dir_1", "org_1", 1)),
            event("e5", "organization.deleted", 9, organization("org_1", 1)),
        ]);

        for table in rosterd::tables::host_tables::TABLES {
            assert_eq!(app.rows(table).len(), 0, "{}", table.name);
        }
        assert_eq!(app.notices(), Vec::<String>::new());
        assert!(app.inbox().iter().all(|(_, state)| state == "applied"));
    }
}

both! {
    fn lesson_10_what_comes_late_revives_nobody(app) {
        app.play(&beginning());
        app.play(&[event("e20", "dsync.user.deleted", 20, user("u1", "active", 1))]);

        app.play(&[
            created("u1", 15),
            event("e16", "dsync.user.updated", 16, user("u1", "active", 16)),
            // Sent after the deletion, about the user before it.
            event("e21", "dsync.group.user_added", 21, membership(user("u1", "active", 1), group("g1", 2))),
        ]);

        assert_eq!(status(app), ["u1 inactive"]);
        assert_eq!((app.rows(USER_ROLES).len(), app.rows(GROUP_MEMBERS).len()), (0, 0));
        assert_eq!(app.notices(), ["u1"]);
    }
}

both! {
    fn lesson_10_a_deletion_that_came_first_still_wins(app) {
        app.play(&[event("e20", "dsync.user.deleted", 20, user("u1", "active", 1))]);

        app.play(&[created("u1", 1)]);

        assert_eq!(app.brief(USERS, &["id", "status", "deprovisioned_at"]), [format!("u1 inactive {}", at(20))]);
        // Never seen as active, so nobody is reported.
        assert_eq!(app.notices(), Vec::<String>::new());
    }
}

both! {
    fn lesson_12_a_membership_removed_after_its_group_has_succeeded(app) {
        app.play(&beginning());

        app.play(&[
            event("e5", "dsync.group.deleted", 5, group("g1", 5)),
            event("e6", "dsync.group.user_removed", 6, membership(user("u1", "active", 1), group("g1", 2))),
        ]);

        assert_eq!((app.rows(GROUPS).len(), app.rows(GROUP_MEMBERS).len()), (0, 0));
        assert!(app.inbox().iter().all(|(_, state)| state == "applied"));
    }
}

both! {
    fn lesson_13_a_membership_brings_its_user_and_group(app) {
        app.play(&[event("m1", "dsync.group.user_added", 3, membership(user("u1", "active", 1), group("g1", 2)))]);

        assert_eq!(status(app), ["u1 active"]);
        assert_eq!(app.brief(GROUPS, &["id"]), ["g1"]);
        assert_eq!(app.brief(GROUP_MEMBERS, &["group_id", "user_id"]), ["g1 u1"]);
    }
}

both! {
    fn an_older_snapshot_inside_a_membership_does_not_undo_a_newer_profile(app) {
        app.play(&[
            event("e5", "dsync.user.updated", 5, with(user("u1", "active", 5), json!({"name": "New Name"}))),
            event("m6", "dsync.group.user_added", 6, membership(with(user("u1", "active", 1), json!({"name": "Old"})), group("g1", 2))),
        ]);

        assert_eq!(app.brief(USERS, &["name"]), ["New Name"]);
    }
}

both! {
    fn lesson_32_role_and_roles_are_both_read(app) {
        let roles = json!({"role": {"slug": "admin"}, "roles": [{"slug": "billing"}, {"slug": "admin"}]});
        app.play(&[event("e1", "dsync.user.created", 1, with(user("u1", "active", 1), roles))]);

        assert_eq!(app.brief(USER_ROLES, &["user_id", "role_slug", "granted_at"]), [
            format!("u1 admin {}", at(1)), format!("u1 billing {}", at(1)),
        ]);
        assert_eq!(app.brief(ROLES, &["tenant_id", "slug"]), ["org_1 admin", "org_1 billing"]);
    }
}

both! {
    fn lesson_36_a_directory_made_again_has_the_same_people(app) {
        app.play(&beginning());
        let person = app.rows(USERS)[0]["person_id"].clone();
        app.play(&[event("e_del", "dsync.deleted", 20, directory("dir_1", "org_1", 0))]);

        let again = with(user("u1_again", "active", 30), json!({"directory_id": "dir_2", "idp_id": "idp_u1"}));
        app.play(&[
            event("d2", "dsync.activated", 30, directory("dir_2", "org_1", 30)),
            event("e31", "dsync.user.created", 31, again),
        ]);

        let rows = app.rows(USERS);
        assert_eq!(status(app), ["u1 inactive", "u1_again active"]);
        assert!(rows.iter().all(|row| row["person_id"] == person), "{rows:?}");
    }
}

both! {
    fn lesson_35_one_address_in_two_tenants_is_two_people(app) {
        let other = with(user("u2", "active", 1), json!({"organization_id": "org_2", "directory_id": "dir_2", "email": "u1@acme.example", "idp_id": "idp_u1"}));
        app.play(&[created("u1", 1), event("e2", "dsync.user.created", 1, other)]);

        let rows = app.rows(USERS);
        assert_ne!(rows[0]["person_id"], rows[1]["person_id"]);
        assert_eq!(app.brief(USERS, &["tenant_id", "id"]), ["org_1 u1", "org_2 u2"]);
    }
}

both! {
    fn an_event_that_claims_a_directory_for_another_tenant_becomes_a_dead_letter_and_changes_neither(app) {
        app.play(&beginning());
        let before: Vec<_> = rosterd::tables::host_tables::TABLES.iter().map(|table| app.rows(*table)).collect();

        let foreign = json!({"organization_id": "org_2"});
        app.play(&[
            event("x1", "dsync.user.updated", 50, with(user("u1", "inactive", 50), foreign.clone())),
            event("x2", "dsync.user.created", 51, with(user("u9", "active", 51), foreign.clone())),
            event("x3", "dsync.group.deleted", 52, with(group("g1", 52), foreign)),
            event("x4", "dsync.deleted", 53, directory("dir_1", "org_2", 53)),
        ]);

        let after: Vec<_> = rosterd::tables::host_tables::TABLES.iter().map(|table| app.rows(*table)).collect();
        assert_eq!(after, before);
        assert_eq!(app.inbox().iter().filter(|(_, state)| state == "dead").count(), 4);
        assert!(app.get("/metrics").body.contains("rosterd_dead_lettered_total{reason=\"other_tenant\"} 4"));
    }
}

both! {
    fn a_claim_that_turns_out_older_takes_its_directory_with_everybody_in_it(app) {
        // A stray event names the wrong tenant first. Then the directory's own event arrives.
        app.play(&[event("x1", "dsync.user.created", 1, with(user("u1", "active", 1), json!({"organization_id": "org_2"})))]);
        assert_eq!(app.brief(USERS, &["tenant_id", "id"]), ["org_2 u1"]);

        app.play(&[
            event("d1", "dsync.activated", 5, directory("dir_1", "org_1", 5)),
            created("u2", 6),
        ]);

        assert_eq!(app.brief(USERS, &["tenant_id", "id"]), ["org_1 u2"]);
        assert_eq!(app.brief(DIRECTORIES, &["tenant_id", "id"]), ["org_1 dir_1"]);
        assert_eq!(app.brief(TENANTS, &["id"]), ["org_1"]);
        assert_eq!(app.brief(ROLES, &["tenant_id", "slug"]), ["org_1 member"]);
    }
}

both! {
    fn a_deleted_organization_deprovisions_everybody_in_its_directories(app) {
        app.play(&beginning());

        app.play(&[event("e20", "organization.deleted", 20, organization("org_1", 0))]);

        assert_eq!(status(app), ["u1 inactive"]);
        assert_eq!(app.brief(TENANTS, &["id", "deleted_at"]), [format!("org_1 {}", at(20))]);
        assert_eq!(app.notices(), ["u1"]);
    }
}

both! {
    fn a_user_moved_between_directories_of_a_tenant_stays_one_row(app) {
        app.play(&beginning());

        app.play(&[
            event("d2", "dsync.activated", 4, directory("dir_2", "org_1", 4)),
            event("e9", "dsync.user.updated", 9, with(user("u1", "active", 9), json!({"directory_id": "dir_2"}))),
            // The old directory does not remove the person.
            event("e_del", "dsync.deleted", 20, directory("dir_1", "org_1", 0)),
        ]);

        assert_eq!(app.brief(USERS, &["id", "directory_id", "status"]), ["u1 dir_2 active"]);
        assert_eq!(app.notices(), Vec::<String>::new());
    }
}

both! {
    fn in_single_tenant_mode_every_directory_belongs_to_default(app, |config| config.tenancy = Tenancy::Single) {
        let other = with(user("u2", "active", 1), json!({"organization_id": "org_2", "directory_id": "dir_2"}));
        app.play(&beginning());
        app.play(&[event("e2", "dsync.user.created", 1, other)]);

        assert_eq!(app.brief(USERS, &["tenant_id", "id"]), ["default u1", "default u2"]);
        assert_eq!(app.brief(TENANTS, &["id"]), ["default"]);

        app.play(&[event("e20", "organization.deleted", 20, organization("org_1", 0))]);
        assert_eq!(status(app), ["u1 inactive", "u2 active"]);
    }
}

both! {
    fn lesson_5_and_7_a_tenant_that_keeps_people_of_deleted_directories_keeps_them_without_notices(app, |config| {
        config.directories.deleted_of.insert("org_1".to_owned(), rosterd::decide::People::Keep);
    }) {
        app.play(&beginning());

        app.play(&[event("e_del", "dsync.deleted", 20, directory("dir_1", "org_1", 0))]);
        assert_eq!((status(app), app.rows(GROUPS).len(), app.rows(USER_ROLES).len()), (vec!["u1 active".to_owned()], 0, 1));
        assert_eq!(app.notices(), Vec::<String>::new());

        // A leaver leaves as usual, and a deleted organization ends the access of all others.
        app.play(&[created("u2", 21)]);
        app.play(&[event("e22", "dsync.user.deleted", 22, user("u2", "active", 21))]);
        assert_eq!(status(app), ["u1 active", "u2 inactive"]);
        app.play(&[event("e30", "organization.deleted", 30, organization("org_1", 0))]);
        assert_eq!(status(app), ["u1 inactive", "u2 inactive"]);
    }
}

both! {
    fn a_changed_policy_on_deleted_directories_takes_effect_at_the_next_start(app, |config| {
        config.directories.deleted = rosterd::decide::People::Keep;
    }) {
        app.play(&beginning());
        app.play(&[event("e_del", "dsync.deleted", 20, directory("dir_1", "org_1", 0))]);
        assert_eq!(status(app), ["u1 active"]);

        assert!(app.app.take().unwrap().stop());
        app.config.directories.deleted = rosterd::decide::People::Deprovision;
        app.applier.rules = app.config.rules().into();
        app.app = Some(rosterd::app::start(&app.config, app.clock.clone(), rosterd::app::Workers::Manual).unwrap());
        app.drain();

        assert_eq!(status(app), ["u1 inactive"]);
    }
}

both! {
    fn lesson_7_what_comes_late_from_a_deleted_directory_gives_nobody_access(app) {
        app.play(&beginning());
        app.play(&[event("e_del", "dsync.deleted", 20, directory("dir_1", "org_1", 0))]);

        app.play(&[
            created("u_late", 19),
            event("e21", "dsync.user.updated", 21, user("u1", "active", 21)),
            event("m22", "dsync.group.user_added", 22, membership(user("u1", "active", 21), group("g1", 22))),
        ]);

        assert!(app.rows(USERS).iter().all(|row| row["status"] == "inactive"));
        assert_eq!((app.rows(GROUPS).len(), app.rows(GROUP_MEMBERS).len(), app.rows(USER_ROLES).len()), (0, 0, 0));
    }
}

both! {
    fn an_address_taken_over_by_somebody_else_inherits_nothing(app) {
        let address = json!({"email": "info@acme.example", "role": {"slug": "admin"}, "roles": []});
        let group_of = |id: &str| membership(with(user(id, "active", 1), address.clone()), group("g1", 2));
        app.play(&[event("c1", "dsync.user.created", 1, with(user("u1", "active", 1), address.clone())),
            event("m1", "dsync.group.user_added", 2, group_of("u1"))]);
        app.play(&[event("d1", "dsync.user.deleted", 9, with(user("u1", "active", 1), address.clone()))]);

        app.play(&[event("c2", "dsync.user.created", 10, with(user("u2", "active", 10), json!({"email": "info@acme.example"})))]);

        assert_eq!(app.brief(USERS, &["id", "status"]), ["u1 inactive", "u2 active"]);
        assert_eq!(app.brief(USER_ROLES, &["user_id", "role_slug"]), ["u2 member"]);
        assert_eq!(app.rows(GROUP_MEMBERS).len(), 0);
        let rows = app.rows(USERS);
        assert_ne!(rows[0]["person_id"], rows[1]["person_id"]);
    }
}

both! {
    fn lesson_11_a_revocation_and_an_addition_in_one_push_end_by_their_versions(app) {
        app.play(&beginning());
        let pair = || membership(user("u1", "active", 1), group("g1", 2));

        app.play(&[
            event("m_b", "dsync.group.user_added", 10, pair()),
            event("m_a", "dsync.group.user_removed", 10, pair()),
        ]);

        // At equal times the event id decides, in any order of arrival.
        assert_eq!(app.rows(GROUP_MEMBERS).len(), 1);
        assert!(app.inbox().iter().all(|(_, state)| state == "applied"));
    }
}

both! {
    fn lesson_14_and_19_events_of_other_types_are_stored_and_change_nothing(app) {
        app.play(&beginning());
        app.play(&[
            event("x1", "user.deleted", 50, json!({"id": "user_1"})),
            event("x2", "dsync.user.frobnicated", 51, user("u1", "inactive", 51)),
            event("e52", "dsync.user.deleted", 2, user("u1", "active", 1)),
        ]);

        assert_eq!(status(app), ["u1 inactive"]);
        assert_eq!(app.inbox().iter().filter(|(_, state)| state == "ignored").count(), 2);
    }
}

/// A group that is deleted and created again, with facts about its members from before and after.
fn made_again() -> Vec<Value> {
    let mut events = beginning();
    events.extend([
        event("g10", "dsync.group.deleted", 10, group("g1", 2)),
        event("g20", "dsync.group.created", 20, group("g1", 20)),
    ]);
    events
}

both! {
    fn a_group_made_again_under_its_id_starts_empty_in_whatever_order_that_is_learnt(app) {
        let events = made_again();
        app.play(&events);
        assert_eq!((app.rows(GROUPS).len(), app.rows(GROUP_MEMBERS).len()), (1, 0));

        let joins = |n: i64| event(&format!("m{n}"), "dsync.group.user_added", n, membership(user("u1", "active", 1), group("g1", 2)));
        app.play(&[joins(9)]);
        assert_eq!(app.rows(GROUP_MEMBERS).len(), 0, "of before the deletion, though it came later");
        app.play(&[joins(21)]);
        assert_eq!(app.rows(GROUP_MEMBERS).len(), 1);
        // An older deletion changes nothing. A newer one ends this membership too, although the group exists.
        app.play(&[event("g15", "dsync.group.deleted", 15, group("g1", 2))]);
        assert_eq!(app.rows(GROUP_MEMBERS).len(), 1);
        app.play(&[event("g30", "dsync.group.created", 30, group("g1", 30)), event("g25", "dsync.group.deleted", 25, group("g1", 2))]);
        assert_eq!((app.rows(GROUPS).len(), app.rows(GROUP_MEMBERS).len()), (1, 0));
    }
}

both! {
    fn a_deletion_that_comes_last_empties_the_group_that_was_made_again(app) {
        let mut events = made_again();
        events.reverse();
        for one in events {
            app.play(&[one]);
        }

        assert_eq!((app.rows(GROUPS).len(), app.rows(GROUP_MEMBERS).len()), (1, 0));
    }
}

both! {
    fn a_deletion_under_another_claim_of_the_tenant_empties_the_group_too(app) {
        // The group moved to another directory, which created it again.
        let moved = with(group("g1", 20), json!({"directory_id": "dir_2"}));
        app.play(&beginning());
        app.play(&[
            event("g20", "dsync.group.created", 20, moved),
            event("g10", "dsync.group.deleted", 10, group("g1", 2)),
        ]);

        assert_eq!((app.brief(GROUPS, &["directory_id"]), app.rows(GROUP_MEMBERS).len()), (vec!["dir_2".to_owned()], 0));
    }
}

both! {
    fn a_deletion_whose_claim_turns_out_to_be_nobodys_gives_the_members_their_roles_again(app, |config| config.tenancy = Tenancy::Single) {
        crate::roles::apply(app, crate::roles::GROUPS);
        let in_second = |data: Value, organization: &str| {
            with(data, json!({"directory_id": "dir_2", "organization_id": organization}))
        };
        app.play(&[
            event("gone", "dsync.group.deleted", 9, in_second(group("g_docs", 9), "org_2")),
            // The group exists again, without the former member.
            event("again", "dsync.group.created", 10, group("g_docs", 10)),
            event("in", "dsync.group.user_added", 3, membership(user("u1", "active", 1), group("g_docs", 2))),
        ]);
        assert_eq!(app.rows(GROUP_MEMBERS).len(), 0);

        app.play(&[event("d2", "dsync.activated", 1, in_second(directory("dir_2", "org_3", 1), "org_3"))]);

        assert_eq!(app.brief(GROUP_MEMBERS, &["group_id", "user_id"]), ["g_docs u1"]);
        assert_eq!(app.brief(USER_ROLES, &["user_id", "role_slug"]), ["u1 editor", "u1 member"]);
    }
}

both! {
    fn retention_does_not_restore_former_members(app) {
        app.play(&made_again());
        app.clock.advance_seconds(400 * 24 * 3_600);
        app.drain();

        app.assert_rebuilds();
        assert_eq!(app.rows(GROUP_MEMBERS).len(), 0);
    }
}

both! {
    fn an_organization_called_default_is_another_tenant_than_that_of_directories_without(app) {
        let of = |id: &str, directory: &str, organization: Value| {
            let fields = json!({"directory_id": directory, "organization_id": organization, "idp_id": "same", "email": "same@acme.example"});
            event(&format!("created_{id}"), "dsync.user.created", 2, with(user(id, "active", 2), fields))
        };
        app.play(&[
            event("o1", "organization.created", 0, organization("default", 0)),
            event("d1", "dsync.activated", 1, directory("dir_1", "default", 1)),
            event("d2", "dsync.activated", 1, with(directory("dir_2", "", 1), json!({"organization_id": null}))),
            of("u1", "dir_1", json!("default")),
            of("u2", "dir_2", Value::Null),
        ]);

        assert_eq!(app.brief(USERS, &["tenant_id", "id"]), ["default u2", "organization:default u1"]);
        assert_eq!(app.brief(TENANTS, &["id", "name"]), ["default null", "organization:default Org default"]);
        let people = app.rows(USERS);
        assert_ne!(people[0]["person_id"], people[1]["person_id"]);

        // The end of this user does not end the access of others.
        app.play(&[event("o9", "organization.deleted", 9, organization("default", 0))]);
        assert_eq!(app.brief(USERS, &["id", "status"]), ["u2 active", "u1 inactive"]);
        assert_eq!(app.brief(TENANTS, &["id", "deleted_at"]), ["default null".to_owned(), format!("organization:default {}", at(9))]);
    }
}

both! {
    fn an_organization_called_default_changes_nothing_in_single_tenant_mode(app, |config| config.tenancy = Tenancy::Single) {
        let of_default = with(user("u1", "active", 2), json!({"organization_id": "default"}));
        app.play(&[
            event("o1", "organization.created", 0, organization("default", 0)),
            event("e1", "dsync.user.created", 2, of_default),
        ]);

        assert_eq!(app.brief(USERS, &["tenant_id", "id"]), ["default u1"]);
        assert_eq!(app.brief(TENANTS, &["id", "name"]), ["default null"]);
    }
}
