//! A directory that an operator moves to another organization: who moves, what ends, and events before and after the
//! move.

mod commands;
mod deaths;

use rosterd::{
    db::DbError,
    operator::{
        directory_move::{self, Confirmed, MoveError, MovePlan, MoveRequest},
        erase::erase,
        manual_roles::OperatorAt,
    },
    tables::host_tables::{DIRECTORIES, GROUP_MEMBERS, GROUPS, ROLES, TABLES, TENANTS, USER_ROLES, USERS},
};
use serde_json::{Value, json};

use crate::{
    audit::trail,
    harness::{
        Backend, TestApp, both,
        broker::{directory, event, group, membership, organization, user, with},
        dump::{everything, naming},
    },
    notices::Office,
    roles::{GROUPS as GROUP_RULES, apply, give, named},
};

fn request<'a>(app: &TestApp, to: &'a str) -> MoveRequest<'a> {
    MoveRequest { directory: "dir_1", to, by: "ada", reason: "ticket 7", now: app.clock.now() }
}

fn try_move(app: &TestApp, to: &str) -> Result<MovePlan, MoveError> {
    directory_move::move_directory(app.database(), &app.config.rules(), request(app, to), Confirmed::Anything)
}

fn moved(app: &TestApp, to: &str) -> MovePlan {
    let plan = try_move(app, to).unwrap();
    app.drain();
    plan
}

/// An event that names another organization.
fn of(organization_id: &str, data: Value) -> Value {
    with(data, json!({"organization_id": organization_id}))
}

fn change(id: &str, kind: &str, seconds: i64, organization_id: &str, data: Value) -> Value {
    event(id, kind, seconds, of(organization_id, data))
}

/// Two people in `dir_1` of `org_1`, one of them in a group; and `org_2`.
pub(super) fn beginning() -> Vec<Value> {
    vec![
        event("o1", "organization.created", 0, organization("org_1", 0)),
        event("o2", "organization.created", 0, organization("org_2", 0)),
        event("d1", "dsync.activated", 0, directory("dir_1", "org_1", 0)),
        event("c1", "dsync.user.created", 1, user("u1", "active", 1)),
        event("c2", "dsync.user.created", 1, user("u2", "active", 1)),
        event("g1", "dsync.group.created", 2, group("g1", 2)),
        event("m1", "dsync.group.user_added", 3, membership(user("u1", "active", 1), group("g1", 2))),
    ]
}

/// Events that name `org_2` before the directory belongs to it: u2 leaves, u3 is created.
pub(super) fn refused() -> Vec<Value> {
    vec![
        change("x2", "dsync.user.updated", 9, "org_2", user("u2", "inactive", 9)),
        change("x3", "dsync.user.created", 9, "org_2", user("u3", "active", 9)),
    ]
}

fn users(app: &TestApp) -> Vec<String> {
    app.brief(USERS, &["tenant_id", "id", "status"])
}

fn dead(app: &TestApp) -> Vec<String> {
    app.inbox().into_iter().filter(|(_, state)| state == "dead").map(|(event, _)| event).collect()
}

fn entries(app: &TestApp, tenant_id: &str, kind: &str) -> Vec<String> {
    let entries = trail(app, tenant_id).into_iter().filter(|entry| entry.kind == kind);
    entries.map(|entry| format!("{} by {}: {}", entry.subject, entry.actor, entry.change)).collect()
}

both! {
    fn everybody_moves_and_early_events_of_the_new_owner_are_applied(app) {
        app.play(&beginning());
        app.play(&refused());
        assert_eq!(dead(app), ["x2", "x3"]);

        let plan = moved(app, "org_2");

        assert_eq!(users(app), ["org_2 u1 active", "org_2 u2 inactive", "org_2 u3 active"]);
        assert_eq!(app.brief(DIRECTORIES, &["tenant_id", "id", "state"]), ["org_2 dir_1 active"]);
        assert_eq!(app.brief(GROUPS, &["tenant_id", "id"]), ["org_2 g1"]);
        assert_eq!(app.brief(GROUP_MEMBERS, &["tenant_id", "user_id"]), ["org_2 u1"]);
        assert_eq!(app.brief(USER_ROLES, &["tenant_id", "user_id"]), ["org_2 u1", "org_2 u3"]);
        assert_eq!(app.brief(ROLES, &["tenant_id", "slug"]), ["org_2 member"]);
        assert_eq!(app.brief(TENANTS, &["id"]), ["org_1", "org_2"], "both organizations are known");
        assert_eq!((plan.with_access(), plan.without_access(), plan.put_back, plan.groups), (2, 1, 2, 1));
        assert_eq!(dead(app), Vec::<String>::new());
        let change = "{\"from\":\"org_1\",\"grants_ended\":0,\"people\":2,\"put_back\":2,\"reason\":\"ticket 7\",\
            \"to\":\"org_2\",\"until\":9,\"without_access\":1}";
        for tenant in ["org_1", "org_2"] {
            assert_eq!(entries(app, tenant, "directory.moved"), [format!("dir_1 by operator ada: {change}")]);
        }
        assert_eq!(entries(app, "", "delivery.retried").len(), 2);
        assert_eq!(entries(app, "org_1", "user.removed").len(), 2);
    }
}

both! {
    fn later_events_of_the_former_owner_are_refused_and_applied_when_the_directory_moves_back(app) {
        app.play(&beginning());
        moved(app, "org_2");

        app.play(&[
            change("late1", "dsync.user.updated", 20, "org_1", user("u1", "inactive", 20)),
            change("new2", "dsync.user.updated", 20, "org_2", user("u2", "inactive", 20)),
            event("none", "dsync.user.created", 20, with(user("u4", "active", 20), json!({"organization_id": null}))),
        ]);
        assert_eq!(users(app), ["org_2 u1 active", "org_2 u2 inactive", "org_2 u4 active"]);
        assert_eq!(dead(app), ["late1"]);
        app.assert_rebuilds();

        let plan = moved(app, "org_1");

        assert_eq!(users(app), ["org_1 u1 inactive", "org_1 u2 inactive", "org_1 u4 active"]);
        assert_eq!((plan.put_back, dead(app).len()), (1, 0));
        app.play(&[change("late2", "dsync.user.updated", 30, "org_2", user("u2", "active", 30))]);
        assert_eq!(dead(app), ["late2"]);
        assert_eq!(users(app), ["org_1 u1 inactive", "org_1 u2 inactive", "org_1 u4 active"]);
    }
}

both! {
    fn an_older_claim_that_comes_late_takes_a_moved_directory_from_nobody(app) {
        app.play(&beginning());
        moved(app, "org_2");

        app.play(&[change("old", "dsync.activated", -5, "org_3", directory("dir_1", "org_3", -5))]);

        assert_eq!(app.brief(DIRECTORIES, &["tenant_id", "id"]), ["org_2 dir_1"]);
        assert_eq!(dead(app), ["old"]);
    }
}

both! {
    fn the_tables_are_those_of_a_database_in_which_all_events_name_the_new_owner(app) {
        let backend = if app.store.url().starts_with("sqlite") { Backend::Sqlite } else { Backend::Postgres };
        let fresh = TestApp::start(backend, |_config| {});
        let early = refused();
        let late = [change("y1", "dsync.user.updated", 30, "org_2", user("u1", "inactive", 30))];
        app.play(&beginning());
        app.play(&early);
        moved(app, "org_2");
        app.play(&late);

        let renamed = beginning().into_iter().map(|event| {
            let text = event.to_string().replace("\"organization_id\":\"org_1\"", "\"organization_id\":\"org_2\"");
            serde_json::from_str(&text).unwrap()
        });
        fresh.play(&renamed.chain(early).chain(late).collect::<Vec<Value>>());

        for table in TABLES {
            let rows = |app: &TestApp| {
                let mut rows = app.rows(table);
                rows.iter_mut().for_each(|row| drop(row.remove("access_epoch")));
                rows
            };
            assert_eq!(rows(app), rows(&fresh), "{}", table.name);
        }
    }
}

const MAPPING: &str = r#"
unknown_roles = "create"
[roles.admin]
privileged = true
[roles.guest]
[tenants.org_2]
unknown_roles = "ignore"
unmapped = "no_access"
[[tenants.org_2.rules]]
name = "admins"
grants = ["admin"]
when.group.id = "g1"
"#;

both! {
    fn roles_follow_the_mapping_of_the_new_tenant_and_manual_grants_end_with_a_record(app) {
        app.play(&beginning());
        apply(app, MAPPING);
        give(app, "u2", "guest").unwrap();
        assert_eq!(app.brief(USER_ROLES, &["user_id", "role_slug"]), ["u1 member", "u2 guest", "u2 member"]);

        let plan = moved(app, "org_2");

        assert_eq!(users(app), ["org_2 u1 active", "org_2 u2 inactive"]);
        assert_eq!(app.brief(USER_ROLES, &["tenant_id", "user_id", "role_slug"]), ["org_2 u1 admin"]);
        let (u1, u2) = (&plan.people["u1"], &plan.people["u2"]);
        assert_eq!((u1.loses(), u1.gains()), (vec!["member"], vec!["admin"]));
        assert_eq!((u2.had_access, u2.has_access, u2.manual_grants.len()), (true, false, 1));
        assert_eq!(
            entries(app, "org_1", "role.revoked"),
            ["u2 by operator ada: {\"moved\":\"dir_1\",\"role\":\"guest\"}"]
        );
        moved(app, "org_1");
        assert_eq!(app.brief(USER_ROLES, &["user_id", "role_slug"]), ["u1 member", "u2 member"], "it does not come back");
    }
}

both! {
    fn a_grant_stays_with_a_person_who_is_in_another_directory_of_the_former_tenant_too(app) {
        app.play(&beginning());
        // The directory is connected again: the same person has another id.
        let second = with(user("v2", "active", 1), json!({"directory_id": "dir_2", "idp_id": "idp_u2", "email": "u2@acme.example"}));
        app.play(&[
            event("d2", "dsync.activated", 0, directory("dir_2", "org_1", 0)),
            event("c3", "dsync.user.created", 1, second),
        ]);
        apply(app, MAPPING);
        give(app, "u2", "guest").unwrap();
        let held = app.brief(USER_ROLES, &["user_id", "role_slug"]);
        assert!(held.contains(&"v2 guest".to_owned()), "{held:?}");

        let plan = moved(app, "org_2");

        assert_eq!(plan.grants_ended(), 0);
        let held = app.brief(USER_ROLES, &["tenant_id", "user_id", "role_slug"]);
        assert_eq!(held, ["org_1 v2 guest", "org_1 v2 member", "org_2 u1 admin"]);
    }
}

both! {
    fn a_group_whose_id_another_directory_has_too_is_that_directorys_after_the_move(app) {
        apply(app, GROUP_RULES);
        app.play(&beginning());
        let second = |data: Value| with(data, json!({"directory_id": "dir_2"}));
        let joins = membership(second(user("u5", "active", 1)), second(named("g1", "Team", 2)));
        app.play(&[
            event("d2", "dsync.activated", 0, directory("dir_2", "org_1", 0)),
            event("m5", "dsync.group.user_added", 4, joins),
            event("g9", "dsync.group.updated", 9, named("g1", "Admins", 9)),
        ]);
        let admins = || app.brief(USER_ROLES, &["tenant_id", "user_id", "role_slug"]).into_iter().filter(|row| row.ends_with("admin"));
        assert_eq!(admins().collect::<Vec<_>>(), ["org_1 u1 admin", "org_1 u5 admin"]);

        moved(app, "org_2");

        assert_eq!(app.brief(GROUPS, &["tenant_id", "name"]), ["org_1 Team", "org_2 Admins"]);
        assert_eq!(admins().collect::<Vec<_>>(), ["org_2 u1 admin"]);
    }
}

both! {
    fn both_organizations_are_notified_and_the_former_administrators_get_one_mail(app) {
        let office = Office::with(app, |config| {
            config.mail.recipients.insert("org_1".to_owned(), vec!["it@acme.example".parse().unwrap()]);
        });
        app.play(&beginning());
        app.play(&refused());
        moved(app, "org_2");
        app.clock.advance_seconds(3_600);

        office.send(app);

        let mails = office.mails();
        let subjects: Vec<_> = mails.iter().map(|mail| mail.header("Subject").unwrap_or_default()).collect();
        let [leavers] = mails.iter().filter(|mail| mail.to == ["it@acme.example"]).collect::<Vec<_>>()[..] else {
            panic!("{subjects:?}")
        };
        assert!(leavers.raw.contains("was moved to another organization"), "{}", leavers.raw);
        assert!(leavers.raw.contains("Given u1") && leavers.raw.contains("Given u2"), "{}", leavers.raw);
        let operator = mails.iter().find(|mail| mail.raw.contains("ticket 7"));
        assert_eq!(operator.unwrap().to, ["fallback@host.example"]);
        assert!(mails.iter().all(|mail| !mail.raw.contains("Events refused")), "nothing is refused any more");
    }
}

both! {
    fn a_preview_is_what_happens_and_keeps_nothing(app) {
        app.play(&beginning());
        app.play(&refused());
        let before = everything(app.database());

        let plan = directory_move::preview(app.database(), &app.config.rules(), request(app, "org_2")).unwrap();

        assert_eq!(everything(app.database()), before);
        app.play(&[change("y", "dsync.user.updated", 10, "org_1", user("u1", "inactive", 10))]);
        let rules = app.config.rules();
        let confirmed = |confirmed| {
            directory_move::move_directory(app.database(), &rules, request(app, "org_2"), confirmed)
        };
        assert!(matches!(confirmed(Confirmed::Plan(&plan)), Err(MoveError::Changed)));
        assert!(matches!(confirmed(Confirmed::Count(2)), Err(MoveError::Expected { expected: 2, found: 1 })));
        assert_eq!(users(app), ["org_1 u1 inactive", "org_1 u2 active"]);
        assert_eq!(confirmed(Confirmed::Count(1)).unwrap().with_access(), 1);
        app.drain();
    }
}

both! {
    fn a_move_that_makes_no_sense_is_refused_with_what_to_do(app) {
        app.play(&beginning());
        app.play(&[
            event("o3", "organization.created", 0, organization("org_3", 0)),
            event("o3x", "organization.deleted", 5, organization("org_3", 5)),
        ]);
        let refusal = |directory: &str, to: &str| {
            let request = MoveRequest { directory, ..request(app, to) };
            let rules = app.config.rules();
            let outcome = directory_move::move_directory(app.database(), &rules, request, Confirmed::Anything);
            outcome.unwrap_err().to_string()
        };

        assert!(refusal("dir_9", "org_2").starts_with("there is no directory dir_9"));
        assert!(refusal("dir_1", "org_9").starts_with("no event names organization org_9"));
        assert!(refusal("dir_1", "").starts_with("no event names organization"));
        assert!(refusal("dir_1", "org_1").contains("belongs to organization org_1 already"));
        assert!(refusal("dir_1", "org_3").contains("organization org_3 is deleted"));
        app.play(&[change("gone", "dsync.deleted", 9, "org_1", directory("dir_1", "org_1", 9))]);
        assert!(refusal("dir_1", "org_2").contains("directory dir_1 is deleted"));
    }
}

both! {
    fn a_directory_of_nobody_can_be_moved(app) {
        let silent = |event: &Value| {
            let text = event.to_string().replace("\"organization_id\":\"org_1\",", "");
            serde_json::from_str(&text).unwrap()
        };
        app.play(&beginning().iter().map(silent).collect::<Vec<Value>>());
        assert_eq!(users(app), ["default u1 active", "default u2 active"]);

        moved(app, "org_2");
        assert_eq!(users(app), ["org_2 u1 active", "org_2 u2 active"]);

        app.play(&[change("x", "dsync.user.updated", 9, "org_1", user("u2", "inactive", 9))]);
        assert_eq!(dead(app), ["x"]);
    }
}

both! {
    fn people_in_a_hold_stop_the_move_until_an_operator_decides(app, |config| config.guard.on = true) {
        use rosterd::operator::holds::{self, HoldDecision, Verdict};
        let ids: Vec<String> = (10..30).map(|n| format!("u{n}")).collect();
        app.play(&beginning());
        app.play(&ids.iter().map(|id| event(&format!("c_{id}"), "dsync.user.created", 1, user(id, "active", 1))).collect::<Vec<_>>());
        app.play(&ids.iter().map(|id| event(&format!("d_{id}"), "dsync.user.deleted", 9, user(id, "active", 1))).collect::<Vec<_>>());

        assert!(matches!(try_move(app, "org_2"), Err(MoveError::Held(1))));
        let by = HoldDecision { name: "ada", ..HoldDecision::default() };
        holds::decide(app.database(), 1, Verdict::Reject, by, app.clock.now()).unwrap();
        let plan = moved(app, "org_2");

        assert_eq!((plan.with_access(), plan.without_access()), (22, 20), "a rejected loss is one of the former tenant");
        assert_eq!(app.brief(USERS, &["tenant_id", "status"]).iter().filter(|row| *row == "org_2 active").count(), 2);
        let live = app.database().read::<_, DbError>(|conn| Ok(rosterd::tables::holds::with_people(conn)?)).unwrap();
        assert_eq!(live, []);
    }
}

both! {
    fn an_erasure_after_a_move_takes_the_person_out_of_the_trail_of_the_former_tenant_too(app) {
        app.play(&beginning());
        moved(app, "org_2");
        app.play(&[change("x1", "dsync.user.deleted", 9, "org_2", user("u1", "active", 9))]);
        assert!(!naming(&everything(app.database()), "u1@acme.example").is_empty());

        let by = OperatorAt { name: "ada", now: app.clock.now() };
        erase(app.database(), &app.config.rules(), "org_2", "u1", by).unwrap();

        assert_eq!(naming(&everything(app.database()), "u1@acme.example"), Vec::<String>::new());
        assert!(!naming(&everything(app.database()), "u2@acme.example").is_empty());
    }
}

both! {
    fn organizations_that_are_deleted_after_a_move_end_the_access_of_their_own_people_only(app) {
        app.play(&beginning());
        moved(app, "org_2");

        app.play(&[event("o1x", "organization.deleted", 20, organization("org_1", 20))]);
        assert_eq!(users(app), ["org_2 u1 active", "org_2 u2 active"]);
        app.play(&[event("o2x", "organization.deleted", 21, organization("org_2", 21))]);
        assert_eq!(users(app), ["org_2 u1 inactive", "org_2 u2 inactive"]);
    }
}
