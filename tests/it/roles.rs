//! Roles by rules, through the service: mapped, previewed, explained.

use rosterd::{
    by_hand::{self, ByHandError, Whom},
    clock::Timestamp,
    decide::roles::Manual,
    explain::explain,
    plan::{self, By, Plan, PlanError},
    tables::host::{ROLES, USER_ROLES, USERS},
};
use serde_json::{Value, json};

use crate::harness::{
    TestApp, both,
    broker::{directory, event, group, membership, organization, user, with},
};

/// Who may do what is decided by groups, and by the department.
const GROUPS: &str = r#"
[roles.member]
[roles.editor]
name = "Editor"
[roles.admin]
privileged = true

[[rules]]
name = "admins"
grants = ["admin"]
when.group.pattern = "Admins*"

[[rules]]
name = "writers"
grants = ["editor", "member"]
when.any = [{ group.id = "g_docs" }, { attribute = { path = "department_name", equals = "Docs" } }]
"#;

fn now() -> Timestamp {
    Timestamp::from_micros(1_800_000_000_000_000)
}

fn plan_of(app: &TestApp, document: &str) -> Plan {
    plan::plan(app.database(), &app.config.rules(), document, None).unwrap()
}

fn apply(app: &TestApp, document: &str) -> Plan {
    let by = By { name: "ada", now: now() };
    let plan = plan::apply(app.database(), &app.config.rules(), document, None, &by).unwrap();
    app.drain();
    plan
}

fn give(app: &TestApp, user: &str, role: &str) -> Result<(), ByHandError> {
    let grant = Manual { role: role.into(), since: now(), by: "ada".into(), reason: "on call".into() };
    by_hand::grant(app.database(), &app.config.rules(), Whom { tenant: "org_1", user }, &grant, now())
}

fn grants(app: &TestApp) -> Vec<String> {
    app.brief(USER_ROLES, &["user_id", "role_slug"])
}

/// u1 has nothing, u2 a department, u3 a role that no rule names.
fn person(id: &str, state: &str, seconds: i64) -> Value {
    let fields = match id {
        "u2" => json!({"role": null, "roles": [], "custom_attributes": {"department_name": "Docs"}}),
        "u3" => json!({"role": {"slug": "viewer"}, "roles": []}),
        _ => json!({"role": null, "roles": []}),
    };
    with(user(id, state, seconds), fields)
}

fn created(id: &str) -> Value {
    event(&format!("created_{id}"), "dsync.user.created", 1, person(id, "active", 1))
}

fn named(id: &str, name: &str, seconds: i64) -> Value {
    with(group(id, seconds), json!({"name": name}))
}

fn joins(user_id: &str, group: Value, seconds: i64) -> Value {
    let data = membership(person(user_id, "active", 1), group);
    event(&format!("joins_{user_id}_{seconds}"), "dsync.group.user_added", seconds, data)
}

fn leaves(user_id: &str, group: Value, seconds: i64) -> Value {
    let data = membership(person(user_id, "active", 1), group);
    event(&format!("leaves_{user_id}_{seconds}"), "dsync.group.user_removed", seconds, data)
}

fn beginning(app: &TestApp) {
    app.play(&[
        event("o1", "organization.created", 0, organization("org_1", 0)),
        event("d1", "dsync.activated", 0, directory("dir_1", "org_1", 0)),
        event("g1", "dsync.group.created", 1, named("g_admins", "Admins", 1)),
        event("g2", "dsync.group.created", 1, named("g_docs", "Docs", 1)),
        created("u1"),
        created("u2"),
        created("u3"),
    ]);
}

both! {
    fn a_group_grants_its_role_and_takes_it_back(app) {
        beginning(app);
        apply(app, GROUPS);
        assert_eq!(grants(app), ["u2 editor", "u2 member", "u3 viewer"]);

        app.play(&[joins("u1", named("g_admins", "Admins", 1), 5)]);

        let shown = app.brief(USER_ROLES, &["user_id", "role_slug", "granted_by"]);
        assert_eq!(shown[0], "u1 admin rule admins: group Admins (g_admins)");
        app.play(&[leaves("u1", named("g_admins", "Admins", 1), 6)]);
        assert_eq!(grants(app), ["u2 editor", "u2 member", "u3 viewer"]);
    }
}

both! {
    fn lesson_28_a_renamed_group_is_mapped_anew_for_all_its_members(app) {
        beginning(app);
        apply(app, GROUPS);
        app.play(&[joins("u1", named("g_admins", "Admins", 1), 5), joins("u3", named("g_admins", "Admins", 1), 5)]);
        assert!(grants(app).contains(&"u3 admin".to_owned()));

        app.play(&[event("e9", "dsync.group.updated", 9, named("g_admins", "Everybody", 9))]);

        assert_eq!(grants(app), ["u2 editor", "u2 member", "u3 viewer"]);
        app.play(&[event("e10", "dsync.group.updated", 10, named("g_admins", "Admins again", 10))]);
        assert!(grants(app).contains(&"u1 admin".to_owned()) && grants(app).contains(&"u3 admin".to_owned()));
    }
}

both! {
    fn lesson_8_a_returner_gets_back_what_the_groups_grant_now(app) {
        beginning(app);
        apply(app, GROUPS);
        app.play(&[joins("u1", named("g_admins", "Admins", 1), 5)]);
        app.play(&[event("e6", "dsync.user.updated", 6, person("u1", "inactive", 6))]);
        assert!(!grants(app).contains(&"u1 admin".to_owned()));

        // Meanwhile the group has become another one.
        app.play(&[event("e7", "dsync.group.updated", 7, named("g_docs", "Docs", 7))]);
        app.play(&[event("e8", "dsync.user.updated", 8, person("u1", "active", 8))]);

        assert!(grants(app).contains(&"u1 admin".to_owned()));
    }
}

both! {
    fn lesson_29_a_blank_role_takes_nothing_that_was_given_by_hand(app) {
        beginning(app);
        apply(app, GROUPS);
        give(app, "u3", "admin").unwrap();
        assert!(grants(app).contains(&"u3 admin".to_owned()));

        let blank = with(user("u3", "active", 5), json!({"role": null, "roles": []}));
        app.play(&[event("e5", "dsync.user.updated", 5, blank)]);

        assert_eq!(grants(app), ["u2 editor", "u2 member", "u3 admin"]);
    }
}

both! {
    fn what_is_given_by_hand_falls_with_access_and_returns_with_it(app) {
        beginning(app);
        apply(app, GROUPS);
        give(app, "u1", "editor").unwrap();

        app.play(&[event("e5", "dsync.user.updated", 5, person("u1", "suspended", 5))]);
        assert!(!grants(app).contains(&"u1 editor".to_owned()));
        app.play(&[event("e6", "dsync.user.updated", 6, person("u1", "active", 6))]);

        let shown = app.brief(USER_ROLES, &["user_id", "role_slug", "granted_by"]);
        assert!(shown.contains(&"u1 editor by hand: on call".to_owned()), "{shown:?}");
        by_hand::revoke(app.database(), &app.config.rules(), Whom { tenant: "org_1", user: "u1" }, "editor", now()).unwrap();
        assert!(!grants(app).contains(&"u1 editor".to_owned()));
    }
}

both! {
    fn only_roles_of_the_tenant_can_be_given_and_only_to_its_users(app) {
        beginning(app);
        apply(app, GROUPS);

        let refused = give(app, "u1", "emperor").unwrap_err().to_string();
        let unknown = give(app, "nobody", "admin").unwrap_err().to_string();

        assert_eq!(refused, "org_1 has no role emperor; there is admin, editor, member, viewer. Declare it in the mapping first");
        assert!(unknown.starts_with("org_1 has no user nobody"), "{unknown}");
    }
}

both! {
    fn lesson_31_unmapped_is_a_policy(app) {
        beginning(app);
        let with = |unmapped: &str| format!("unknown_roles = \"ignore\"\nunmapped = {unmapped}\n{GROUPS}");

        apply(app, &with("{ role = \"member\" }"));
        assert_eq!(grants(app), ["u1 member", "u2 editor", "u2 member", "u3 member"]);

        apply(app, &with("\"no_access\""));
        assert_eq!(app.brief(USERS, &["id", "status"]), ["u1 inactive", "u2 active", "u3 inactive"]);
        assert_eq!(app.notices(), ["u1", "u3"]);

        apply(app, &with("\"none\""));
        assert_eq!(app.brief(USERS, &["id", "status"]), ["u1 active", "u2 active", "u3 active"]);
        assert_eq!(grants(app), ["u2 editor", "u2 member"]);
    }
}

both! {
    fn lesson_33_no_directory_grants_what_is_above_its_ceiling(app) {
        beginning(app);
        apply(app, &format!("never_from_directory = [\"owner\"]\n[roles.owner]\n{GROUPS}"));

        let owner = with(person("u1", "active", 5), json!({"role": {"slug": "owner"}, "roles": [{"slug": "owner"}]}));
        app.play(&[event("e5", "dsync.user.updated", 5, owner)]);
        assert!(!grants(app).contains(&"u1 owner".to_owned()));

        give(app, "u1", "owner").unwrap();
        assert!(grants(app).contains(&"u1 owner".to_owned()));
    }
}

both! {
    fn lesson_34_a_plan_shows_what_applying_then_does(app) {
        beginning(app);
        app.play(&[joins("u1", named("g_admins", "Admins", 1), 5)]);
        let before = grants(app);

        let planned = plan_of(app, GROUPS);

        assert_eq!(grants(app), before);
        let shown: Vec<String> = planned.tenants["org_1"].iter().map(|(id, user)| format!("{id} +{:?} -{:?}", user.gains, user.loses)).collect();
        assert_eq!(shown, [
            "u1 +{\"admin\": \"rule admins: group Admins (g_admins)\"} -{}",
            "u2 +{\"editor\": \"rule writers: department_name = \\\"Docs\\\"\", \"member\": \"rule writers: department_name = \\\"Docs\\\"\"} -{}",
        ]);
        assert_eq!((planned.counts().privileged_gained, planned.counts().users), (1, 2));
        let by = By { name: "ada", now: now() };
        plan::apply(app.database(), &app.config.rules(), GROUPS, Some(&planned), &by).unwrap();
        app.drain();
        assert_eq!(grants(app), ["u1 admin", "u2 editor", "u2 member", "u3 viewer"]);
        assert!(plan_of(app, GROUPS).is_empty());
    }
}

both! {
    fn a_saved_plan_that_is_not_what_would_happen_now_is_refused(app) {
        beginning(app);
        let planned = plan_of(app, GROUPS);
        app.play(&[joins("u1", named("g_admins", "Admins", 1), 5)]);

        let by = By { name: "ada", now: now() };
        let refused = plan::apply(app.database(), &app.config.rules(), GROUPS, Some(&planned), &by);

        assert!(matches!(refused, Err(PlanError::Stale)));
        assert_eq!(grants(app), ["u3 viewer"]);
    }
}

both! {
    fn a_plan_warns_of_rules_that_do_nothing_and_of_groups_that_do_not_exist(app) {
        beginning(app);

        let planned = plan_of(app, r#"
[roles.member]
[[rules]]
name = "nobody"
grants = ["member"]
when.group.name = "Nowhere"
[[rules]]
name = "viewers"
grants = ["member"]
when.role = "viewer"
[[rules]]
name = "hidden"
grants = ["member"]
when.role = ["viewer"]
"#);

        let warnings: Vec<&str> = planned.warnings.iter().map(String::as_str).collect();
        assert_eq!(warnings, [
            "rule \"hidden\" is hidden: what it grants to its 1 users is decided by other rules",
            "rule \"nobody\" matches nobody",
            "rule \"nobody\": there is no group named \"Nowhere\"",
        ]);
    }
}

both! {
    fn a_tenants_section_holds_for_that_tenant_alone(app) {
        beginning(app);
        app.play(&[
            event("o2", "organization.created", 0, organization("org_2", 0)),
            event("d2", "dsync.activated", 0, directory("dir_2", "org_2", 0)),
            event("c9", "dsync.user.created", 1, with(user("u9", "active", 1), json!({
                "directory_id": "dir_2", "organization_id": "org_2", "role": {"slug": "viewer"}, "roles": []}))),
        ]);

        apply(app, "[roles.guest]\n[tenants.org_2]\nunknown_roles = { map_to = \"guest\" }");

        assert_eq!(grants(app), ["u3 viewer", "u9 guest"]);
        assert_eq!(app.brief(ROLES, &["tenant_id", "slug"]), ["org_1 guest", "org_1 viewer", "org_2 guest"]);
    }
}

both! {
    fn the_highest_role_alone_is_a_strategy(app) {
        beginning(app);
        app.play(&[joins("u2", named("g_admins", "Admins", 1), 5)]);

        let ranked = GROUPS
            .replace("[roles.member]", "[roles.member]\npriority = 1")
            .replace("[roles.editor]", "[roles.editor]\npriority = 2")
            .replace("[roles.admin]", "[roles.admin]\npriority = 3");
        apply(app, &format!("strategy = \"highest\"\n{ranked}"));

        assert_eq!(grants(app), ["u2 admin", "u3 viewer"]);
    }
}

both! {
    fn every_role_is_explained_by_a_rule_a_fact_and_an_event(app) {
        beginning(app);
        apply(app, GROUPS);
        app.play(&[joins("u1", named("g_admins", "Admins", 1), 5)]);

        let explained = explain(app.database(), &app.config.rules(), "org_1", "u1").unwrap();

        let [explained] = explained.as_slice() else { panic!("{explained:?}") };
        let role = &explained.roles[0];
        assert_eq!((role.role.as_str(), role.rule.as_deref()), ("admin", Some("admins")));
        assert_eq!((role.facts[0].fact.as_str(), role.facts[0].event.as_str()), ("group Admins (g_admins)", "joins_u1_5"));
        let missed: Vec<&str> = explained.not_matched.iter().map(|rule| rule.looks_for.as_str()).collect();
        assert_eq!(missed, ["(in a group with id g_docs) or (department_name is \"Docs\")"]);
    }
}

both! {
    fn an_explanation_of_somebody_without_access_tells_why_and_since_when(app) {
        beginning(app);
        app.play(&[event("e5", "dsync.user.updated", 5, person("u1", "inactive", 5))]);

        let explained = explain(app.database(), &app.config.rules(), "org_1", "u1").unwrap();

        let why = explained[0].no_access.as_ref().unwrap();
        assert_eq!((why.because.as_str(), why.event.as_str()), ("the directory says deleted, or not active", "e5"));
        assert!(explain(app.database(), &app.config.rules(), "org_2", "u1").is_err());
    }
}
