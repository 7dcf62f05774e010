//! The change feed: its records, their order, readers, consumers, retention and erasure. That it gives the tables is tested
//! after each test on both databases (`TestApp::assert_folds`) and in the histories of `convergence`.

mod commands;
mod kept;
mod order;
mod schema;

use rosterd::feed::read::Record;
use serde_json::{Value, json};

use crate::{
    harness::{
        TestApp, both,
        broker::{at, directory, event, group, membership, organization, user, with},
        feed::records,
    },
    roles,
};

/// Kind and subject of each record from `from` on.
fn brief(app: &TestApp, from: usize) -> Vec<String> {
    let text = |record: &Record| {
        let ids: Vec<&str> = record.subject.as_object().unwrap().values().filter_map(Value::as_str).collect();
        format!("{} {}", record.kind, ids.join(" ")).trim_end().to_owned()
    };
    records(app.database()).iter().skip(from).map(text).collect()
}

pub fn member(app: &TestApp) {
    app.play(&[
        event("o1", "organization.created", 0, organization("org_1", 0)),
        event("d1", "dsync.activated", 0, directory("dir_1", "org_1", 0)),
        event("u1", "dsync.user.created", 1, user("u1", "active", 1)),
        event("g1", "dsync.group.created", 2, group("g1", 2)),
    ]);
    app.play(&[event(
        "m1",
        "dsync.group.user_added",
        3,
        membership(user("u1", "active", 1), group("g1", 2)),
    )]);
}

both! {
    fn a_life_has_a_record_for_each_row_and_its_cause(app) {
        member(app);
        assert_eq!(brief(app, 0), [
            "tenant.created", "directory.created dir_1", "group.created g1", "role.listed member",
            "user.created u1", "role.granted member u1", "membership.added g1 u1",
        ]);
        let all = records(app.database());
        assert_eq!(
            serde_json::to_value(&all[6]).unwrap(),
            json!({
                "seq": 7, "at": app.clock.now().to_string(), "tenant_id": "org_1", "kind": "membership.added",
                "subject": {"group_id": "g1", "user_id": "u1"}, "before": null, "after": {}, "cause": {"event_id": "m1"},
            })
        );
        assert_eq!((&all[4].cause, &all[5].cause), (&json!({"event_id": "u1"}), &json!({"event_id": "u1"})));
        assert_eq!((&all[0].cause, &all[1].cause), (&json!({"event_id": "o1"}), &json!({"event_id": "d1"})));
        assert_eq!(all[4].after["email"], "u1@acme.example");

        app.play(&[event("x1", "dsync.user.updated", 9, user("u1", "inactive", 9))]);

        assert_eq!(brief(app, 7), ["user.deprovisioned u1", "membership.removed g1 u1", "role.revoked member u1"]);
        let left = &records(app.database())[7];
        assert_eq!((&left.before["status"], &left.after["status"]), (&json!("active"), &json!("inactive")));
        assert_eq!((&left.before, &left.after["deprovisioned_at"]), (&all[4].after, &json!(at(9))));
        assert_eq!((&left.after["access_epoch"], &left.cause), (&json!(2), &json!({"event_id": "x1"})));

        app.play(&[event("r1", "dsync.user.updated", 12, user("u1", "active", 12))]);

        assert_eq!(brief(app, 10), ["user.reactivated u1", "membership.added g1 u1", "role.granted member u1"]);
    }
}

both! {
    fn what_changes_nothing_for_the_application_has_no_record(app) {
        member(app);
        let count = records(app.database()).len();
        app.play(&[
            // An older statement, a membership that never was, and one that ends and begins in one batch.
            event("u0", "dsync.user.updated", 5, with(user("u1", "inactive", 0), json!({"first_name": "Former"}))),
            event("m2", "dsync.group.user_removed", 6, membership(user("u9", "active", 1), group("g1", 2))),
            event("m3", "dsync.group.user_removed", 7, membership(user("u1", "active", 1), group("g1", 2))),
            event("m4", "dsync.group.user_added", 8, membership(user("u1", "active", 1), group("g1", 2))),
        ]);

        assert_eq!(brief(app, count), Vec::<String>::new());
    }
}

both! {
    fn a_renamed_group_keeps_its_members_and_a_deleted_one_loses_them(app) {
        member(app);
        app.play(&[event("g2", "dsync.group.updated", 10, with(group("g1", 10), json!({"name": "Renamed"})))]);
        assert_eq!(brief(app, 7), ["group.updated g1"]);

        app.play(&[event("g3", "dsync.group.deleted", 11, group("g1", 10))]);
        assert_eq!(brief(app, 8), ["membership.removed g1 u1", "group.deleted g1"]);
        // A group that is created again begins empty.
        app.play(&[event("g4", "dsync.group.created", 12, group("g1", 12))]);
        assert_eq!(brief(app, 10), ["group.created g1"]);
    }
}

both! {
    fn an_operator_and_a_mapping_are_causes_too(app) {
        member(app);
        let of = |kind: &str| -> Vec<Value> {
            let all = records(app.database());
            all.iter().filter(|record| record.kind == kind).map(|record| record.cause.clone()).collect()
        };

        roles::apply(app, "[roles.guest]\n[roles.auditor]\n[[rules]]\nname = \"guests\"\ngrants = [\"guest\"]\nwhen.group.id = \"g1\"\n");

        assert_eq!(of("role.granted")[1..], [json!({"mapping_version": 1})]);

        roles::give(app, "u1", "auditor").unwrap();

        assert_eq!(of("role.granted")[2..], [json!({"operator": "ada"})]);
    }
}
