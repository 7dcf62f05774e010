//! Roles by rules, through the service: mapped, previewed, explained.

mod commands;
mod granted;
mod planned;
mod protected;

use rosterd::{
    decide::roles::Manual,
    operator::{
        manual_roles::{self, GrantTarget, ManualRoleError},
        mapping_plan::{self, Plan, PlanOperator},
    },
    runtime::clock::Timestamp,
    tables::host_tables::USER_ROLES,
};
use serde_json::{Value, json};

use crate::harness::{
    TestApp,
    broker::{directory, event, group, membership, organization, user, with},
};

/// Groups and the department decide the roles.
pub(super) const GROUPS: &str = r#"
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

pub(super) fn now() -> Timestamp {
    Timestamp::from_micros(1_800_000_000_000_000)
}

pub(super) fn plan_of(app: &TestApp, document: &str) -> Plan {
    mapping_plan::plan(app.database(), &app.config.rules(), document, None).unwrap()
}

pub(super) fn apply(app: &TestApp, document: &str) -> Plan {
    let by = PlanOperator { name: "ada", now: now() };
    let (plan, _) = mapping_plan::apply(app.database(), &app.config.rules(), document, None, &by).unwrap();
    app.drain();
    plan
}

pub(super) fn give(app: &TestApp, user: &str, role: &str) -> Result<(), ManualRoleError> {
    let grant = Manual { role: role.into(), since: now(), by: "ada".into(), reason: "on call".into() };
    manual_roles::grant(
        app.database(),
        &app.config.rules(),
        GrantTarget { tenant: "org_1", user },
        &grant,
        now(),
    )
}

pub(super) fn grants(app: &TestApp) -> Vec<String> {
    app.brief(USER_ROLES, &["user_id", "role_slug"])
}

/// u1 has nothing, u2 a department, u3 a role that no rule names.
pub(super) fn person(id: &str, state: &str, seconds: i64) -> Value {
    let fields = match id {
        "u2" => json!({"role": null, "roles": [], "custom_attributes": {"department_name": "Docs"}}),
        "u3" => json!({"role": {"slug": "viewer"}, "roles": []}),
        _ => json!({"role": null, "roles": []}),
    };
    with(user(id, state, seconds), fields)
}

pub(super) fn created(id: &str) -> Value {
    event(&format!("created_{id}"), "dsync.user.created", 1, person(id, "active", 1))
}

pub(super) fn named(id: &str, name: &str, seconds: i64) -> Value {
    with(group(id, seconds), json!({"name": name}))
}

pub(super) fn joins(user_id: &str, group: Value, seconds: i64) -> Value {
    let data = membership(person(user_id, "active", 1), group);
    event(&format!("joins_{user_id}_{seconds}"), "dsync.group.user_added", seconds, data)
}

pub(super) fn leaves(user_id: &str, group: Value, seconds: i64) -> Value {
    let data = membership(person(user_id, "active", 1), group);
    event(&format!("leaves_{user_id}_{seconds}"), "dsync.group.user_removed", seconds, data)
}

pub(super) fn beginning(app: &TestApp) {
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

/// Each file of examples/mappings is a mapping, and docs/roles.md names each.
#[test]
fn the_examples_are_mappings() {
    let directory = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/mappings");
    let document = include_str!("../../docs/roles.md");
    let mut names = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let checked = rosterd::decide::mapping::check(&std::fs::read_to_string(&path).unwrap());
        assert!(checked.is_ok(), "{name}: {checked:?}");
        assert!(document.contains(&format!("../examples/mappings/{name}")), "{name} is not in docs/roles.md");
        names.push(name);
    }
    assert_eq!(names.len(), 3);
}
