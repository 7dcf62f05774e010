//! The audit trail: it records each change and nothing else, and every alteration is found.

pub(crate) mod as_of;
mod daily;
mod erased;
mod proof;
mod receipts;

pub(crate) use proof::assert_verifies;

use std::collections::{BTreeMap, BTreeSet};

use rosterd::{
    audit::stored_entries::{self, LogQuery, StoredEntry},
    db::DbError,
    inbox::dead_letters,
    tables::host_tables::{USER_ROLES, USERS},
};
use serde_json::{Value, json};

use crate::{
    harness::{
        TestApp, both,
        broker::{directory, event, group, membership, user, with},
    },
    roles::{GROUPS, apply, give},
};

pub(super) fn trail(app: &TestApp, tenant_id: &str) -> Vec<StoredEntry> {
    let wanted = LogQuery { tenant_id, subjects: None, kind: None, since: None, until: None, limit: 100_000 };
    app.database().read::<_, DbError>(|conn| Ok(stored_entries::entries(conn, wanted)?)).unwrap()
}

pub(super) fn page_of(report: &rosterd::audit::report::Report) -> String {
    rosterd::audit::review_page::write(report)
}

/// Without changes of the list of roles.
fn of_others(entries: Vec<StoredEntry>) -> Vec<StoredEntry> {
    let of_list = ["role.listed", "role.renamed", "role.unlisted"];
    entries.into_iter().filter(|entry| !of_list.contains(&entry.kind.as_str())).collect()
}

fn brief(entries: &[StoredEntry]) -> Vec<String> {
    entries.iter().map(|entry| format!("{} {} by {}", entry.kind, entry.subject, entry.actor)).collect()
}

fn change(entry: &StoredEntry) -> Value {
    serde_json::from_str(&entry.change).unwrap()
}

/// The people with access and their roles, derived from the trail alone.
pub(super) fn replayed(entries: &[StoredEntry]) -> BTreeMap<String, (String, BTreeSet<String>)> {
    let mut users: BTreeMap<String, (String, BTreeSet<String>)> = BTreeMap::new();
    for entry in entries {
        if !["user.", "access.", "roles.", "tables."].iter().any(|family| entry.kind.starts_with(family)) {
            continue;
        }
        let change = change(entry);
        let of = users.entry(entry.subject.clone()).or_default();
        match change["status"][1].as_str() {
            Some(status) => of.0 = status.to_owned(),
            None if change["status"].is_array() => of.0 = "gone".to_owned(),
            None => {}
        }
        let gained = change["gained"].as_object().into_iter().flatten().map(|(role, _)| role.clone());
        of.1.extend(gained);
        for role in change["lost"].as_array().into_iter().flatten() {
            assert!(of.1.remove(role.as_str().unwrap()), "{entry:?} takes what nobody gave");
        }
    }
    users.retain(|_, (status, _)| !status.is_empty() && status != "gone");
    users
}

/// The state of the tables, in the same form.
pub(super) fn shown(app: &TestApp, tenant_id: &str) -> BTreeMap<String, (String, BTreeSet<String>)> {
    let text = |row: &serde_json::Map<String, Value>, column: &str| row[column].as_str().unwrap().to_owned();
    let mut users: BTreeMap<_, _> = BTreeMap::new();
    for row in app.rows(USERS).iter().filter(|row| row["tenant_id"] == tenant_id) {
        users.insert(text(row, "id"), (text(row, "status"), BTreeSet::new()));
    }
    for row in app.rows(USER_ROLES).iter().filter(|row| row["tenant_id"] == tenant_id) {
        users.get_mut(&text(row, "user_id")).unwrap().1.insert(text(row, "role_slug"));
    }
    users
}

both! {
    fn lesson_41_each_change_has_one_entry_with_what_who_and_when(app) {
        app.play(&[event("e1", "dsync.user.created", 1, user("u1", "active", 1))]);
        app.clock.advance_seconds(60);
        app.play(&[event("e2", "dsync.user.updated", 2, with(user("u1", "active", 2), json!({"email": "new@acme.example", "custom_attributes": {"team": {"b": 1, "a": [1, 2]}}})))]);
        app.play(&[event("e3", "dsync.user.updated", 3, with(user("u1", "active", 3), json!({"email": "new@acme.example", "custom_attributes": {"team": {"a": [1, 2], "b": 1}}, "role": {"slug": "admin"}, "roles": [{"slug": "admin"}]})))]);
        app.play(&[event("e4", "dsync.user.deleted", 4, user("u1", "active", 3))]);

        let entries = of_others(trail(app, "org_1"));

        assert_eq!(brief(&entries), [
            "user.created u1 by event e1",
            "user.changed u1 by event e2",
            "roles.changed u1 by event e3",
            "access.lost u1 by event e4",
        ]);
        assert_eq!(change(&entries[0])["gained"], json!({"member": "broker role"}));
        assert_eq!(change(&entries[1]), json!({"fields": ["email", "custom_attributes.team"]}));
        assert_eq!(change(&entries[2]), json!({"access_epoch": [1, 2], "gained": {"admin": "broker role"}, "lost": ["member"]}));
        let lost = change(&entries[3]);
        assert_eq!((&lost["status"], &lost["lost"], &lost["access_epoch"]), (&json!(["active", "inactive"]), &json!(["admin"]), &json!([2, 3])));
        let personal: Value = serde_json::from_str(entries[1].personal.as_deref().unwrap()).unwrap();
        assert_eq!(personal["email"], json!(["u1@acme.example", "new@acme.example"]));
        let now = app.clock.now().micros();
        assert_eq!((entries[0].applied_at, entries[3].applied_at), (now - 60_000_000, now));
        assert_eq!(entries[3].received_at, Some(now));
        assert_eq!(entries[3].stated_at, Some(1_767_225_604_000_000));
        assert!(entries.iter().all(|entry| !entry.change.contains("acme.example")), "nothing personal is in the chain");
    }
}

both! {
    fn an_event_without_effect_leaves_no_entry_and_a_first_sync_one_for_each_user(app) {
        let people: Vec<Value> = (0..30).map(|n| event(&format!("e{n}"), "dsync.user.created", n, user(&format!("u{n}"), "active", n))).collect();
        app.play(&people);
        assert_eq!(of_others(trail(app, "org_1")).len(), 30);

        for again in &people {
            app.send(again.to_string());
        }
        app.drain();
        // Newer facts with the same content, late facts, and memberships, which grant no role here.
        app.play(&[
            event("s1", "dsync.user.updated", 100, user("u1", "active", 100)),
            event("s2", "dsync.user.updated", 2, with(user("u3", "active", 2), json!({"email": "late@acme.example"}))),
            event("s3", "dsync.group.user_added", 101, membership(user("u4", "active", 4), group("g1", 1))),
        ]);

        assert_eq!(brief(&of_others(trail(app, "org_1"))[30..]), ["group.created g1 by event s3"]);
    }
}

both! {
    fn the_author_of_a_change_is_named(app) {
        app.play(&[
            event("d1", "dsync.activated", 1, directory("dir_1", "org_1", 1)),
            event("e1", "dsync.user.created", 1, user("u1", "active", 1)),
            event("e2", "dsync.group.user_added", 2, membership(user("u1", "active", 1), group("g1", 1))),
        ]);
        apply(app, &format!("unknown_roles = \"ignore\"\n{GROUPS}"));
        give(app, "u1", "editor").unwrap();
        app.play(&[event("g2", "dsync.group.updated", 3, with(group("g1", 3), json!({"name": "Admins of g1"})))]);
        app.play(&[event("d2", "dsync.deleted", 9, directory("dir_1", "org_1", 1))]);

        let entries = of_others(trail(app, "org_1"));

        let after = brief(&entries).split_off(2);
        assert_eq!(after, [
            "mapping.applied 1 by operator ada",
            "roles.changed u1 by rule mapping 1",
            "role.granted u1 by operator ada",
            "roles.changed u1 by operator ada",
            "group.changed g1 by event g2",
            "roles.changed u1 by event g2",
            "group.removed g1 by event d2",
            "access.lost u1 by event d2",
        ].map(str::to_owned));
        assert_eq!(brief(&trail(app, "")), ["mapping.applied 1 by operator ada"]);
        let lost = entries.iter().find(|entry| entry.kind == "access.lost").unwrap();
        assert_eq!((lost.stated_at, lost.received_at), (Some(1_767_225_609_000_000), Some(app.clock.now().micros())));
        assert_eq!(replayed(&entries), shown(app, "org_1"));
    }
}

both! {
    fn a_tenants_list_of_roles_leaves_a_trace_as_everything_else(app) {
        app.play(&[event("e1", "dsync.user.created", 1, user("u1", "active", 1))]);
        apply(app, &format!("unknown_roles = \"ignore\"\n{GROUPS}"));
        apply(app, "unknown_roles = \"ignore\"\n[roles.editor]\nname = \"Author\"\n");

        let listed: Vec<StoredEntry> = trail(app, "org_1").into_iter().filter(|entry| entry.kind.starts_with("role.")).collect();

        assert_eq!(brief(&listed), [
            "role.listed member by event e1",
            "role.listed admin by rule mapping 1",
            "role.listed editor by rule mapping 1",
            "role.renamed editor by rule mapping 2",
            "role.unlisted admin by rule mapping 2",
            "role.unlisted member by rule mapping 2",
        ]);
        assert_eq!(change(&listed[0]), json!({"name": [null, "member"]}));
        proof::assert_verifies(app);
    }
}

both! {
    fn lesson_41_what_is_rolled_back_leaves_no_entry(app) {
        app.play(&[event("e1", "dsync.user.created", 1, user("u1", "active", 1))]);
        let refused: Result<(), DbError> = app.database().write_serialized(|conn| {
            assert!(!dead_letters::retry(conn, 1)?);
            let entry = rosterd::audit::AuditEntry::new("org_1", "delivery.retried", 1, &json!({}), rosterd::audit::Actor::operator("ada"));
            rosterd::audit::record(conn, &[entry], app.clock.now())?;
            Err(DbError::Query(diesel::result::Error::RollbackTransaction))
        });

        assert!(refused.is_err());
        assert_eq!(of_others(trail(app, "org_1")).len(), 1);
        proof::assert_verifies(app);
    }
}
