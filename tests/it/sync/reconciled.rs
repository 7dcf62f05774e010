//! Tables are compared with the broker's lists, and repaired.

use diesel::{ExpressionMethods, QueryDsl, RunQueryDsl};
use rosterd::{
    db::{DbError, schema::outbox},
    inbox::dead_letters,
    operator::mapping_plan::{self, PlanOperator},
    runtime::clock::Timestamp,
    sync::{
        client::Client,
        reconcile::{Reconcile, ReconcileError, Which},
        report::{Done, Report},
    },
    tables::{
        comparisons,
        host_tables::{DIRECTORIES, GROUP_MEMBERS, GROUPS, USER_ROLES, USERS},
    },
    worker::applier::ApplyStep,
};
use serde_json::{Value, json};

use super::api::TestApi;
use crate::harness::{
    TestApp, both,
    broker::{at, directory, event, group, membership, organization, user, with},
};

pub fn reconcile_with(app: &TestApp, api: &TestApi, dry_run: bool) -> Vec<Report> {
    reconcile_by(app, &api.client(), dry_run).unwrap()
}

pub fn reconcile_by(app: &TestApp, client: &Client, dry_run: bool) -> Result<Vec<Report>, ReconcileError> {
    let rules = app.applier.rules.read().clone();
    let settle = || {
        while app.applier.step().map_err(|error| error.to_string())? != ApplyStep::Idle {}
        Ok(())
    };
    let reconcile = Reconcile {
        database: app.database(),
        client,
        rules: &rules,
        clock: &app.clock,
        tenant: None,
        directory: None,
        which: Which::All,
        dry_run,
        settle: &settle,
        progress: &|_, _| {},
    };
    reconcile.run()
}

pub fn reconcile(app: &TestApp, api: &TestApi) -> Vec<Report> {
    reconcile_with(app, api, false)
}

/// `kind id done` of each difference.
pub fn brief(reports: &[Report]) -> Vec<String> {
    let differences = reports.iter().flat_map(|report| &report.differences);
    let mut brief: Vec<String> =
        differences.map(|found| format!("{} {} {}", found.kind, found.id, found.done.name())).collect();
    brief.sort();
    brief
}

pub fn statuses(app: &TestApp) -> Vec<String> {
    app.brief(USERS, &["id", "status"])
}

/// An organization with one directory, and a number of people in one group.
pub fn world(people: i64) -> Vec<Value> {
    let mut events = vec![
        event("o", "organization.created", 0, organization("org_1", 0)),
        event("d", "dsync.activated", 1, directory("dir_1", "org_1", 1)),
        event("g", "dsync.group.created", 2, group("g1", 2)),
    ];
    for n in 1..=people {
        let id = format!("u{n}");
        events.push(event(&format!("c{n}"), "dsync.user.created", 10 + n, user(&id, "active", 10 + n)));
        let member = membership(user(&id, "active", 10 + n), group("g1", 2));
        events.push(event(&format!("m{n}"), "dsync.group.user_added", 10 + n, member));
    }
    events
}

pub fn both_know(app: &TestApp, api: &TestApi, people: i64) {
    let world = world(people);
    app.play(&world);
    api.emit(&world);
    api.broker(|broker| broker.tick(1_000));
}

both! {
    fn lists_fill_an_empty_database_and_a_second_comparison_finds_nothing(app) {
        let api = TestApi::start();
        api.emit(&world(230));
        api.broker(|broker| broker.tick(10));

        let first = reconcile(app, &api);
        api.broker(|broker| broker.tick(10));
        let second = reconcile(app, &api);

        assert_eq!(first.len(), 1);
        assert!(first[0].complete, "{:?}", first[0].reason);
        assert_eq!((first[0].people, first[0].groups, first[0].memberships), (230, 1, 230));
        assert_eq!((app.rows(USERS).len(), app.rows(GROUP_MEMBERS).len()), (230, 230));
        assert_eq!(app.brief(DIRECTORIES, &["tenant_id", "id", "state"]), ["org_1 dir_1 active"]);
        assert_eq!(brief(&second), [""; 0]);
        let newest = app.database().read::<_, DbError>(|conn| Ok(comparisons::newest(conn, None)?)).unwrap();
        assert_eq!((newest.len(), newest[0].people, newest[0].differences), (1, 230, 0));
    }
}

both! {
    fn events_and_lists_give_equal_facts(app) {
        let api = TestApi::start();
        both_know(app, &api, 120);
        assert_eq!(brief(&reconcile(app, &api)), [""; 0]);
    }
}

both! {
    fn a_leaver_whose_event_was_lost_is_found(app) {
        let api = TestApi::start();
        both_know(app, &api, 3);
        api.emit(&[event("x", "dsync.user.deleted", 100, user("u2", "active", 100))]);
        api.broker(|broker| broker.tick(60));

        let dry = reconcile_with(app, &api, true);
        assert_eq!(brief(&dry), ["membership g1 u2 none", "user u2 none"]);
        assert_eq!(statuses(app), ["u1 active", "u2 active", "u3 active"]);

        let reports = reconcile(app, &api);
        assert_eq!(statuses(app), ["u1 active", "u2 inactive", "u3 active"]);
        let found = reports[0].differences.iter().find(|found| found.kind == "user").unwrap();
        assert_eq!((found.done, found.broker.as_str()), (Done::Healed, "absent"));
        assert!(found.cause.contains("missed"), "{}", found.cause);
        // The event arrives after all. It is older than the list.
        app.deliver(&event("x", "dsync.user.deleted", 100, user("u2", "active", 100)));
        app.drain();
        api.broker(|broker| broker.tick(60));
        assert_eq!(brief(&reconcile(app, &api)), [""; 0]);
    }
}

both! {
    fn a_leaver_found_by_comparison_is_reported_as_such(app) {
        let api = TestApi::start();
        both_know(app, &api, 2);
        api.broker(|broker| broker.happen("dsync.user.updated", user("u2", "inactive", 100)));
        reconcile(app, &api);

        let notified: Vec<(String, String)> = app
            .database()
            .read::<_, DbError>(|conn| {
                Ok(outbox::table.select((outbox::user_id, outbox::payload)).filter(outbox::kind.eq("deprovisioned")).load(conn)?)
            })
            .unwrap();

        assert_eq!(notified.len(), 1, "{notified:?}");
        assert!(notified[0].1.contains(r#""found":true"#), "{notified:?}");
        assert_eq!(notified[0].0, "u2");
    }
}

both! {
    /// A role changes without an event: `updated_at` is the same.
    fn a_role_that_changed_without_updated_at_is_taken_from_the_list(app) {
        let api = TestApi::start();
        both_know(app, &api, 2);
        let admin = with(user("u1", "active", 11), json!({"role": {"slug": "admin"}, "roles": [{"slug": "admin"}]}));
        api.broker(|broker| broker.happen("dsync.user.updated", admin.clone()));

        let reports = reconcile(app, &api);
        assert_eq!(brief(&reports), ["user u1 healed"]);
        assert_eq!(app.brief(USER_ROLES, &["user_id", "role_slug"]), ["u1 admin", "u2 member"]);

        // An event from after the list wins, even with the same updated_at.
        app.deliver(&event("late", "dsync.user.updated", 2_000, user("u1", "active", 11)));
        app.drain();
        assert_eq!(app.brief(USER_ROLES, &["user_id", "role_slug"]), ["u1 member", "u2 member"]);
    }
}

both! {
    /// Found by the histories: a person who was seen as inactive remained in the group.
    fn a_return_and_the_end_of_a_membership_that_were_both_missed_are_both_found(app) {
        let api = TestApi::start();
        both_know(app, &api, 2);
        app.play(&[event("i", "dsync.user.updated", 100, user("u1", "inactive", 100))]);
        api.broker(|broker| {
            broker.happen("dsync.user.updated", user("u1", "active", 200));
            broker.happen("dsync.group.user_removed", membership(user("u1", "active", 200), group("g1", 2)));
        });

        assert_eq!(brief(&reconcile(app, &api)), ["membership g1 u1 healed", "user u1 healed"]);

        assert_eq!((statuses(app), app.brief(GROUP_MEMBERS, &["user_id"])), (vec!["u1 active".to_owned(), "u2 active".to_owned()], vec!["u2".to_owned()]));
    }
}

both! {
    /// Found by the soak: each person who was deleted by an event left differences in all groups.
    fn memberships_of_somebody_who_was_deleted_by_an_event_are_no_difference_and_end(app) {
        let api = TestApi::start();
        both_know(app, &api, 2);
        let deleted = event("x", "dsync.user.deleted", 500, user("u1", "active", 11));
        app.play(std::slice::from_ref(&deleted));
        api.emit(&[deleted]);
        api.broker(|broker| broker.tick(1_000));

        assert_eq!(brief(&reconcile(app, &api)), [""; 0]);

        // The same id returns without the old groups.
        app.play(&[event("r", "dsync.user.created", 2_000, user("u1", "active", 2_000))]);
        assert_eq!((statuses(app).len(), app.brief(GROUP_MEMBERS, &["user_id"])), (2, vec!["u2".to_owned()]));
    }
}

both! {
    fn people_without_access_keep_their_groups_out_of_sight(app) {
        let api = TestApi::start();
        both_know(app, &api, 2);
        let away = user("u1", "inactive", 100);
        app.play(&[event("i", "dsync.user.updated", 100, away.clone())]);
        // The list of members omits people without access.
        api.broker(|broker| {
            broker.happen("dsync.group.user_removed", membership(away.clone(), group("g1", 2)));
            broker.happen("dsync.user.updated", away);
        });
        assert_eq!(brief(&reconcile(app, &api)), [""; 0]);
        app.play(&[event("r", "dsync.user.updated", 2_000, user("u1", "active", 2_000))]);
        assert_eq!(app.brief(GROUP_MEMBERS, &["user_id"]), ["u1", "u2"]);
    }
}

both! {
    fn a_late_event_of_before_the_list_loses_and_one_of_after_it_wins(app) {
        let api = TestApi::start();
        both_know(app, &api, 2);
        let member = |user_id: &str| membership(user(user_id, "active", 11), group("g1", 2));
        api.broker(|broker| broker.happen("dsync.group.user_removed", member("u1")));
        assert_eq!(brief(&reconcile(app, &api)), ["membership g1 u1 healed"]);
        assert_eq!(app.brief(GROUP_MEMBERS, &["user_id"]), ["u2"]);

        app.play(&[event("old", "dsync.group.user_added", 500, member("u1"))]);
        assert_eq!(app.brief(GROUP_MEMBERS, &["user_id"]), ["u2"]);
        app.play(&[event("new", "dsync.group.user_added", 2_000, member("u1"))]);
        assert_eq!(app.brief(GROUP_MEMBERS, &["user_id"]), ["u1", "u2"]);
    }
}

both! {
    fn a_fact_newer_than_the_list_is_no_difference(app) {
        let api = TestApi::start();
        both_know(app, &api, 2);
        // The webhooks are faster than the lists.
        app.play(&[
            event("n", "dsync.user.created", 9_000, user("u9", "active", 9_000)),
            event("x", "dsync.user.deleted", 9_001, user("u1", "active", 9_001)),
        ]);

        assert_eq!(brief(&reconcile(app, &api)), [""; 0]);
        assert_eq!(statuses(app), ["u1 inactive", "u2 active", "u9 active"]);
    }
}

both! {
    fn a_deletion_that_the_broker_takes_back_is_taken_back(app) {
        let api = TestApi::start();
        both_know(app, &api, 2);
        // An event reports a deletion, but a later list has the person, unchanged.
        app.play(&[event("x", "dsync.user.deleted", 500, user("u1", "active", 11))]);
        assert_eq!(statuses(app), ["u1 inactive", "u2 active"]);

        assert_eq!(brief(&reconcile(app, &api)), ["user u1 healed"]);

        assert_eq!(statuses(app), ["u1 active", "u2 active"]);
        api.broker(|broker| broker.tick(60));
        assert_eq!(brief(&reconcile(app, &api)), [""; 0]);
    }
}

both! {
    /// Lessons 21 and 24.
    fn lesson_21_an_empty_list_removes_nobody(app) {
        let api = TestApi::start();
        both_know(app, &api, 3);
        api.broker(|broker| broker.faults.empty = true);

        let reports = reconcile(app, &api);

        assert!(!reports[0].complete);
        assert!(reports[0].reason.as_ref().unwrap().contains("counts 3 people"), "{reports:?}");
        assert_eq!(statuses(app), ["u1 active", "u2 active", "u3 active"]);
        assert_eq!(app.rows(GROUP_MEMBERS).len(), 3);
    }
}

both! {
    fn lesson_24_a_list_that_breaks_off_or_ends_too_early_removes_nobody(app) {
        let api = TestApi::start();
        both_know(app, &api, 150);
        let all = statuses(app);
        api.broker(|broker| broker.faults.cut_after = Some(100));
        assert!(!reconcile(app, &api)[0].complete);
        api.broker(|broker| {
            broker.faults.cut_after = None;
            broker.faults.fails = vec![("directory_users".to_owned(), 403, 1)];
        });
        let reports = reconcile(app, &api);
        assert!(reports[0].reason.as_ref().unwrap().contains("broke off"), "{reports:?}");
        assert_eq!(statuses(app), all);
        assert_eq!(app.rows(GROUP_MEMBERS).len(), 150);
    }
}

both! {
    fn a_directory_that_is_not_active_removes_nobody(app) {
        let api = TestApi::start();
        both_know(app, &api, 2);
        for state in ["invalid_credentials", "validating", "deleting", "inactive"] {
            api.broker(|broker| {
                broker.happen("dsync.activated", with(directory("dir_1", "org_1", 1), json!({ "state": state })));
                broker.happen("dsync.user.deleted", user("u1", "active", 11));
            });
            let reports = reconcile(app, &api);
            assert!(reports[0].reason.as_ref().unwrap().contains("not active"), "{state}: {reports:?}");
            assert_eq!(statuses(app), ["u1 active", "u2 active"], "{state}");
            api.broker(|broker| broker.tick(60));
        }
    }
}

both! {
    fn the_key_of_another_environment_removes_nobody_and_brings_nobody_in(app) {
        let ours = TestApi::start();
        both_know(app, &ours, 2);
        let theirs = TestApi::start();
        theirs.emit(&[
            event("d9", "dsync.activated", 1, directory("dir_9", "org_9", 1)),
            event("c9", "dsync.user.created", 2, with(user("u9", "active", 2), json!({"directory_id": "dir_9"}))),
        ]);

        let reports = reconcile(app, &theirs);

        assert!(reports[0].reason.as_ref().unwrap().contains("another environment"), "{reports:?}");
        assert_eq!(statuses(app), ["u1 active", "u2 active"]);
        assert_eq!(app.rows(DIRECTORIES).len(), 1);
    }
}

both! {
    fn lists_of_a_directory_that_another_organization_claims_change_nothing(app) {
        let api = TestApi::start();
        both_know(app, &api, 2);
        api.broker(|broker| {
            broker.happen("dsync.activated", directory("dir_1", "org_9", 500));
            broker.happen("dsync.user.deleted", user("u1", "active", 11));
        });

        let reports = reconcile(app, &api);

        assert!(reports[0].reason.as_ref().unwrap().contains("another tenant"), "{reports:?}");
        assert_eq!((brief(&reports), statuses(app)), (vec![], vec!["u1 active".to_owned(), "u2 active".to_owned()]));
        let dead = app.database().read::<_, DbError>(|conn| Ok(dead_letters::open(conn)?)).unwrap();
        assert_eq!(dead.0, 0);
    }
}

both! {
    fn a_directory_that_is_gone_is_a_deletion_and_one_that_is_new_comes_in(app) {
        let api = TestApi::start();
        both_know(app, &api, 2);
        let of_two = |value: Value| with(value, json!({"directory_id": "dir_2", "organization_id": "org_1"}));
        let second = [
            event("d2", "dsync.activated", 500, directory("dir_2", "org_1", 500)),
            event("c8", "dsync.user.created", 501, of_two(user("u8", "active", 501))),
        ];
        api.emit(&second);
        assert_eq!(brief(&reconcile(app, &api)), ["directory dir_2 healed", "user u8 healed"]);
        api.broker(|broker| {
            broker.happen("dsync.deleted", directory("dir_1", "org_1", 1));
            broker.tick(60);
        });

        assert_eq!(brief(&reconcile(app, &api)), ["directory dir_1 healed"]);

        assert_eq!(statuses(app), ["u1 inactive", "u2 inactive", "u8 active"]);
    }
}

both! {
    /// Lesson 23: the first losses of many are not applied before the guard has seen all of them.
    fn lesson_23_the_guard_weighs_all_removals_of_a_directory_as_one(app, |config| {
        config.apply.batch_deliveries = 3;
    }) {
        let api = TestApi::start();
        both_know(app, &api, 40);
        for n in 1..=30 {
            let gone = user(&format!("u{n}"), "active", 11);
            api.broker(|broker| broker.happen("dsync.user.deleted", gone));
        }

        let reports = reconcile(app, &api);

        assert!(statuses(app).iter().all(|row| row.ends_with(" active")), "{:?}", statuses(app));
        assert_eq!(reports[0].held, 60, "{:?}", brief(&reports));
    }
}

both! {
    fn lesson_22_a_demotion_that_only_the_list_shows_is_weighed_like_a_removal(app, |config| {
        config.apply.batch_deliveries = 3;
    }) {
        let api = TestApi::start();
        both_know(app, &api, 40);
        let with_role = |n: i64, seconds: i64, role: &str| {
            let roles = json!({"role": {"slug": role}, "roles": [{"slug": role}]});
            with(user(&format!("u{n}"), "active", seconds), roles)
        };
        let admins: Vec<Value> =
            (1..=20).map(|n| event(&format!("a{n}"), "dsync.user.updated", 100, with_role(n, 100, "admin"))).collect();
        app.play(&admins);
        api.emit(&admins);
        let by = PlanOperator { name: "ada", now: app.clock.now() };
        mapping_plan::apply(app.database(), &app.config.rules(), "[roles.admin]\nprivileged = true\n", None, &by).unwrap();
        app.drain();
        for n in 1..=15 {
            api.broker(|broker| broker.happen("dsync.user.updated", with_role(n, 100, "member")));
        }

        let reports = reconcile(app, &api);

        assert_eq!((reports[0].found, reports[0].held), (15, 15), "{:?}", brief(&reports));
        let admins = app.brief(USER_ROLES, &["role_slug"]).into_iter().filter(|role| role == "admin");
        assert_eq!(admins.count(), 20);
    }
}

both! {
    fn few_removals_are_applied_at_once(app, |config| {
        config.apply.batch_deliveries = 2;
    }) {
        let api = TestApi::start();
        both_know(app, &api, 40);
        for n in 1..=3 {
            let gone = user(&format!("u{n}"), "active", 11);
            api.broker(|broker| broker.happen("dsync.user.deleted", gone));
        }

        assert_eq!(reconcile(app, &api)[0].held, 0);

        assert_eq!(statuses(app).iter().filter(|row| row.ends_with("inactive")).count(), 3);
    }
}

both! {
    fn a_group_that_is_gone_or_empty_loses_its_members(app) {
        let api = TestApi::start();
        both_know(app, &api, 2);
        let other = [
            event("g2", "dsync.group.created", 300, group("g2", 300)),
            event("m", "dsync.group.user_added", 301, membership(user("u1", "active", 11), group("g2", 300))),
        ];
        app.play(&other);
        api.emit(&other);
        api.broker(|broker| {
            broker.happen("dsync.group.deleted", group("g2", 300));
            for id in ["u1", "u2"] {
                broker.happen("dsync.group.user_removed", membership(user(id, "active", 11), group("g1", 2)));
            }
        });

        let reports = reconcile(app, &api);

        assert_eq!(brief(&reports), ["group g2 healed", "membership g1 u1 healed", "membership g1 u2 healed"]);
        assert_eq!((app.brief(GROUPS, &["id"]), app.rows(GROUP_MEMBERS).len()), (vec!["g1".to_owned()], 0));
        assert_eq!(statuses(app), ["u1 active", "u2 active"]);
    }
}

both! {
    /// This machine's clock is in June, the broker's clock is in January. Only the broker's clock counts.
    fn a_clock_that_is_wrong_makes_no_difference(app) {
        let api = TestApi::start();
        both_know(app, &api, 1);
        api.emit(&[event("c9", "dsync.user.created", 1_100, user("u9", "active", 1_100))]);
        let reports = reconcile(app, &api);
        assert_eq!(reports[0].compared_at.unwrap().to_string(), at(1_100));
        assert_eq!(statuses(app), ["u1 active", "u9 active"]);
    }
}

/// A leaver and a newcomer whose events were lost, and a newer event after the list, with this machine's clock wrong by so much.
fn is_found_by_a_clock_that_is_wrong_by(app: &TestApp, seconds: i64) {
    let api = TestApi::start();
    both_know(app, &api, 3);
    let broker_now = Timestamp::parse(&at(1_013)).unwrap();
    app.clock.advance_seconds(broker_now.seconds_since(app.clock.now()) + seconds);
    api.emit(&[
        event("x2", "dsync.user.deleted", 990, user("u2", "active", 990)),
        event("c9", "dsync.user.created", 995, user("u9", "active", 995)),
    ]);
    api.broker(|broker| broker.tick(10));

    let found = reconcile(app, &api);
    assert_eq!(brief(&found), ["membership g1 u2 healed", "user u2 healed", "user u9 healed"]);
    assert!(found[0].complete, "{:?}", found[0].reason);
    assert_eq!(found[0].compared_at.unwrap().to_string(), at(1_023));
    assert_eq!(statuses(app), ["u1 active", "u2 inactive", "u3 active", "u9 active"]);

    // The late webhook of before the list changes nothing; the one of after the list counts.
    app.play(&[
        event("x2", "dsync.user.deleted", 990, user("u2", "active", 990)),
        event("x3", "dsync.user.deleted", 1_100, user("u3", "active", 1_100)),
    ]);
    assert_eq!(statuses(app), ["u1 active", "u2 inactive", "u3 inactive", "u9 active"]);
}

both! {
    fn a_clock_an_hour_ahead_makes_no_difference(app) {
        is_found_by_a_clock_that_is_wrong_by(app, 3_600);
    }
}

both! {
    fn a_clock_an_hour_behind_makes_no_difference(app) {
        is_found_by_a_clock_that_is_wrong_by(app, -3_600);
    }
}
