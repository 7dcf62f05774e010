//! A broker id with a new bearer: the new bearer is another person and inherits nothing.

use rosterd::tables::host_tables::{GROUP_MEMBERS, USERS};
use serde_json::{Value, json};

use crate::{
    harness::{
        TestApp, both,
        broker::{directory, event, membership, organization, user, with},
    },
    roles::{GROUPS, apply, give, grants, named},
};

/// `jsmith` at this time, with the `idp_id` and address of the customer's directory.
fn jsmith(state: &str, seconds: i64, idp_id: &str, email: &str) -> Value {
    with(
        user("jsmith", state, seconds),
        json!({"idp_id": idp_id, "email": email, "name": idp_id, "role": null, "roles": []}),
    )
}

fn change(kind: &str, seconds: i64, data: Value) -> Value {
    event(&format!("{kind}_{seconds}"), &format!("dsync.user.{kind}"), seconds, data)
}

fn joins(seconds: i64, data: Value) -> Value {
    let data = membership(data, named("g_admins", "Admins", 1));
    event(&format!("joins_{seconds}"), "dsync.group.user_added", seconds, data)
}

/// John Smith is an administrator, by a group.
fn john() -> Vec<Value> {
    vec![
        event("o1", "organization.created", 0, organization("org_1", 0)),
        event("d1", "dsync.activated", 0, directory("dir_1", "org_1", 0)),
        event("g1", "dsync.group.created", 1, named("g_admins", "Admins", 1)),
        change("created", 2, jsmith("active", 2, "emp-100", "john@acme.example")),
        joins(5, jsmith("active", 2, "emp-100", "john@acme.example")),
    ]
}

fn epoch(app: &TestApp) -> i64 {
    app.rows(USERS)[0]["access_epoch"].as_i64().unwrap()
}

fn notified(app: &TestApp) -> Vec<String> {
    app.brief(USERS, &["idp_id", "status"]).into_iter().chain(app.notices()).collect()
}

both! {
    fn a_new_bearer_of_a_leavers_id_inherits_neither_groups_nor_roles(app) {
        app.play(&john());
        apply(app, GROUPS);
        give(app, "jsmith", "editor").unwrap();
        assert_eq!(grants(app), ["jsmith admin", "jsmith editor"]);

        app.play(&[change("deleted", 10, jsmith("active", 2, "emp-100", "john@acme.example"))]);
        app.play(&[change("created", 20, jsmith("active", 20, "emp-200", "john@acme.example"))]);

        assert_eq!(grants(app), Vec::<String>::new());
        assert_eq!(app.rows(GROUP_MEMBERS).len(), 0);
        assert_eq!(notified(app), ["emp-200 active", "jsmith"]);
        // Facts about the new bearer count, and grants to them, too.
        app.play(&[joins(21, jsmith("active", 20, "emp-200", "john@acme.example"))]);
        give(app, "jsmith", "editor").unwrap();
        assert_eq!(grants(app), ["jsmith admin", "jsmith editor"]);
    }
}

both! {
    fn a_change_of_both_in_one_update_is_a_leaver_and_a_newcomer(app) {
        app.play(&john());
        apply(app, GROUPS);
        let before = epoch(app);

        app.play(&[change("updated", 20, jsmith("active", 20, "emp-200", "jane@acme.example"))]);

        assert_eq!((grants(app).len(), app.rows(GROUP_MEMBERS).len()), (0, 0));
        assert_eq!(notified(app), ["emp-200 active", "jsmith"]);
        assert!(epoch(app) > before, "sessions of the former end");
    }
}

both! {
    fn it_is_the_same_in_whatever_order_it_is_learnt(app) {
        let mut events = john();
        events.extend([
            change("deleted", 10, jsmith("active", 2, "emp-100", "john@acme.example")),
            change("created", 20, jsmith("active", 20, "emp-200", "john@acme.example")),
        ]);
        events.reverse();
        apply(app, GROUPS);
        for one in events {
            app.play(&[one]);
        }

        assert_eq!((grants(app).len(), app.rows(GROUP_MEMBERS).len()), (0, 0));
        assert_eq!(app.brief(USERS, &["idp_id", "status"]), ["emp-200 active"]);
    }
}

both! {
    fn another_attribute_mapping_is_the_same_person_who_loses_nothing(app) {
        app.play(&john());
        apply(app, GROUPS);
        give(app, "jsmith", "editor").unwrap();
        let before = epoch(app);

        app.play(&[change("updated", 20, jsmith("active", 20, "object-id-7", "john@acme.example"))]);
        // Years later a marriage changes the address.
        app.play(&[change("updated", 30, jsmith("active", 30, "object-id-7", "jones@acme.example"))]);

        assert_eq!(grants(app), ["jsmith admin", "jsmith editor"]);
        assert_eq!(app.rows(GROUP_MEMBERS).len(), 1);
        assert_eq!(notified(app), ["object-id-7 active"], "nobody is announced");
        assert_eq!(epoch(app), before);
    }
}

both! {
    fn a_late_fact_that_links_both_restores_everything(app) {
        app.play(&john());
        apply(app, GROUPS);
        app.play(&[change("updated", 30, jsmith("active", 30, "object-id-7", "jones@acme.example"))]);
        assert_eq!(grants(app).len(), 0);

        app.play(&[change("updated", 20, jsmith("active", 20, "object-id-7", "john@acme.example"))]);

        assert_eq!((grants(app), app.rows(GROUP_MEMBERS).len()), (vec!["jsmith admin".to_owned()], 1));
    }
}

both! {
    fn a_new_bearer_of_an_id_does_not_retain_a_protected_role(app) {
        app.play(&john());
        apply(app, &GROUPS.replace("privileged = true", "privileged = true\nprotected = true"));
        assert_eq!(grants(app), ["jsmith admin"]);

        app.play(&[change("updated", 20, jsmith("active", 20, "emp-200", "jane@acme.example"))]);

        assert_eq!(grants(app), Vec::<String>::new());
    }
}

both! {
    fn retention_gives_nobody_the_roles_of_a_former_bearer(app) {
        app.play(&john());
        app.play(&[change("deleted", 10, jsmith("active", 2, "emp-100", "john@acme.example"))]);
        app.play(&[change("created", 20, jsmith("active", 20, "emp-200", "john@acme.example"))]);

        app.clock.advance_seconds(400 * 24 * 3_600);
        app.drain();

        app.assert_rebuilds();
        assert_eq!(app.rows(GROUP_MEMBERS).len(), 0);
    }
}

both! {
    fn the_trail_reports_no_return_when_the_id_of_a_leaver_is_given_to_another_person(app) {
        app.play(&john());
        app.play(&[change("deleted", 10, jsmith("active", 2, "emp-100", "john@acme.example"))]);
        app.play(&[change("created", 20, jsmith("active", 20, "emp-200", "jane@acme.example"))]);

        let kinds: Vec<String> = crate::audit::trail(app, "org_1").into_iter().filter(|entry| entry.subject == "jsmith").map(|entry| entry.kind).collect();
        assert!(kinds.iter().any(|kind| kind == rosterd::audit::kinds::ACCESS_LOST), "{kinds:?}");
        assert!(!kinds.iter().any(|kind| kind == rosterd::audit::kinds::ACCESS_RETURNED), "{kinds:?}");
    }
}
