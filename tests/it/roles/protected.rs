//! Lesson 27: the last holder of a protected role retains it until there is another holder or an operator releases it.

use rosterd::{
    operator::{explain::explain, manual_roles},
    tables::host_tables::{USER_ROLES, USERS},
};
use serde_json::{Value, json};

use super::{apply, beginning, give, grants, joins, leaves, named, now, plan_of};
use crate::harness::{
    TestApp, both,
    broker::{directory, event, user, with},
};

/// The directory's role field, or a group, makes somebody an owner.
const OWNED: &str = r#"
unknown_roles = "ignore"
[roles.owner]
privileged = true
protected = true
[roles.member]
[[rules]]
name = "owners"
grants = ["owner"]
when.any = [{ role = "owner" }, { group.name = "Owners" }]
[[rules]]
name = "members"
grants = ["member"]
when.role = "member"
"#;

fn is(id: &str, role: &str, state: &str, seconds: i64) -> Value {
    let data = with(user(id, state, seconds), json!({"role": {"slug": role}, "roles": []}));
    event(&format!("{id}_{role}_{state}_{seconds}"), "dsync.user.updated", seconds, data)
}

fn people(app: &TestApp) -> Vec<String> {
    app.brief(USERS, &["id", "status"])
}

/// u1 and u2 are owners, u3 is a member.
fn owned(app: &TestApp) {
    beginning(app);
    apply(app, OWNED);
    app.play(&[
        is("u1", "owner", "active", 3),
        is("u2", "owner", "active", 4),
        is("u3", "member", "active", 4),
    ]);
    assert_eq!(grants(app), ["u1 owner", "u2 owner", "u3 member"]);
}

both! {
    fn lesson_27_the_last_holder_who_leaves_keeps_access_until_there_is_another(app) {
        owned(app);

        app.play(&[is("u1", "owner", "inactive", 5)]);
        app.play(&[is("u2", "owner", "inactive", 6)]);
        assert_eq!(people(app), ["u1 inactive", "u2 active", "u3 active"]);
        assert_eq!(app.brief(USER_ROLES, &["user_id", "role_slug", "granted_by"])[0], "u2 owner rule owners: role owner");
        // The same fact again is no news.
        app.play(&[is("u2", "owner", "deleted", 7)]);
        assert_eq!(app.noticed("last_holder_retained"), ["u2"]);
        let found = crate::harness::dump::everything(app.database());
        let found = found.lines().find(|line| line.starts_with("outbox.payload") && line.contains("\"role\":\"owner\"")).unwrap();
        // The notice names the delivery with the loss: the second newest one.
        let delivery = app.inbox().len() - 1;
        assert!(found.contains(&format!("\"inbox_id\":{delivery}")) && found.contains("\"access\":true"), "{found}");
        app.assert_rebuilds();

        app.play(&[is("u3", "owner", "active", 8)]);
        assert_eq!(people(app), ["u1 inactive", "u2 inactive", "u3 active"]);
        assert_eq!(grants(app), ["u3 owner"]);
        assert_eq!(app.notices(), ["u1", "u2"]);
    }
}

both! {
    fn lesson_27_the_last_holder_who_is_demoted_keeps_the_role(app) {
        owned(app);

        app.play(&[is("u1", "member", "active", 5)]);
        app.play(&[is("u2", "member", "active", 6)]);

        let shown = app.brief(USER_ROLES, &["user_id", "role_slug", "granted_by"]);
        assert_eq!(shown, [
            "u1 member rule members: role member",
            "u2 member rule members: role member",
            "u2 owner protected: nobody else holds it",
            "u3 member rule members: role member",
        ]);
        app.assert_rebuilds();
        app.play(&[is("u3", "owner", "active", 7)]);
        assert_eq!(grants(app), ["u1 member", "u2 member", "u3 owner"]);
    }
}

both! {
    fn lesson_27_the_holder_with_the_newest_loss_retains_the_role_in_any_order_of_arrival(app, |config| config.guard.on = false) {
        let losses = [is("u1", "owner", "inactive", 6), is("u2", "member", "active", 5), is("u3", "owner", "deleted", 7)];
        owned(app);
        app.play(&[is("u3", "owner", "active", 4)]);
        let mut ends = Vec::new();

        for (n, order) in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]].into_iter().enumerate() {
            for at_once in [true, false] {
                // Everybody is an owner again, by the newest facts.
                let later = 100 * (2 * n as i64 + i64::from(!at_once) + 1);
                app.play(&["u1", "u2", "u3"].map(|id| is(id, "owner", "active", later)));
                assert_eq!(grants(app), ["u1 owner", "u2 owner", "u3 owner"]);
                let moved = |event: &Value| {
                    let (id, role) = (event["data"]["id"].as_str().unwrap(), event["data"]["role"]["slug"].as_str().unwrap());
                    let seconds = later + ["u2", "u1", "u3"].iter().position(|user| *user == id).unwrap() as i64 + 1;
                    is(id, role, event["data"]["state"].as_str().unwrap(), seconds)
                };
                let events = order.map(|n| moved(&losses[n]));
                if at_once {
                    app.play(&events);
                } else {
                    events.iter().for_each(|event| app.play(std::slice::from_ref(event)));
                }
                ends.push((people(app), grants(app)));
                app.assert_rebuilds();
            }
        }

        let end = (
            vec!["u1 inactive".to_owned(), "u2 active".to_owned(), "u3 active".to_owned()],
            vec!["u2 member".to_owned(), "u3 owner".to_owned()],
        );
        assert_eq!(ends, vec![end; 12]);
    }
}

both! {
    fn the_last_holder_by_a_group_keeps_the_role_when_the_group_goes_or_lets_them_go(app) {
        beginning(app);
        apply(app, OWNED);
        let owners = |seconds| named("g_owners", "Owners", seconds);
        app.play(&[event("g", "dsync.group.created", 2, owners(2)), joins("u1", owners(2), 3), joins("u2", owners(2), 3)]);
        assert_eq!(grants(app), ["u1 owner", "u2 owner"]);

        app.play(&[leaves("u2", owners(2), 8)]);
        assert_eq!(grants(app), ["u1 owner"]);
        app.play(&[event("gone", "dsync.group.deleted", 9, owners(2))]);

        assert_eq!(app.brief(USER_ROLES, &["user_id", "role_slug", "granted_by"]), ["u1 owner protected: nobody else holds it"]);
        app.assert_rebuilds();
        give(app, "u2", "owner").unwrap();
        assert_eq!(grants(app), ["u2 owner"]);
    }
}

both! {
    fn a_mapping_that_takes_a_protected_role_from_everybody_leaves_it_to_one_as_in_its_plan(app) {
        owned(app);
        let without = OWNED.replace("{ role = \"owner\" }", "{ role = \"boss\" }");

        let planned = plan_of(app, &without);
        let found: Vec<String> = planned.tenants["org_1"].iter().map(|(id, user)| format!("{id} -{:?} keeps {:?}", user.loses, user.keeps)).collect();
        assert_eq!(found, ["u1 -{\"owner\"} keeps {}", "u2 -{} keeps {\"owner\"}"]);
        apply(app, &without);

        assert_eq!(grants(app), ["u2 owner", "u3 member"]);
        assert!(plan_of(app, &without).is_empty());
        app.assert_rebuilds();
        // A role that is not protected any more has no holder records.
        apply(app, &without.replace("protected = true", ""));
        assert_eq!(grants(app), ["u3 member"]);
    }
}

both! {
    fn an_operator_can_force_the_loss_and_nobody_else_is_brought_back_by_it(app) {
        owned(app);
        app.play(&[is("u1", "owner", "inactive", 5), is("u2", "owner", "inactive", 6)]);
        let release = || manual_roles::release(app.database(), &app.config.rules(), "org_1", "owner", (manual_roles::OperatorAt { name: "ada", now: now() }, "ticket 7"));

        assert_eq!(release().unwrap(), ["u2"]);

        assert_eq!(people(app), ["u1 inactive", "u2 inactive", "u3 active"]);
        assert!(release().unwrap_err().to_string().starts_with("nobody in org_1 retains owner"));
        app.play(&[is("u1", "owner", "active", 7)]);
        app.play(&[is("u1", "owner", "inactive", 8)]);
        assert_eq!(people(app), ["u1 active", "u2 inactive", "u3 active"]);
    }
}

both! {
    fn a_directory_that_is_deleted_takes_its_last_holder_along(app) {
        owned(app);
        app.play(&[is("u2", "owner", "inactive", 5), is("u1", "owner", "inactive", 6)]);
        assert_eq!(people(app), ["u1 active", "u2 inactive", "u3 active"]);

        app.play(&[event("gone", "dsync.deleted", 9, directory("dir_1", "org_1", 9))]);

        assert_eq!(people(app), ["u1 inactive", "u2 inactive", "u3 inactive"]);
    }
}

both! {
    fn a_late_fact_makes_nobody_a_holder_who_never_held_the_role(app) {
        beginning(app);
        apply(app, OWNED);

        app.play(&[is("u1", "owner", "inactive", 9)]);
        app.play(&[is("u1", "owner", "active", 5)]);

        assert_eq!(people(app)[0], "u1 inactive");
        assert!(grants(app).is_empty());
    }
}

both! {
    fn an_explanation_of_a_retained_role_has_the_time_since_which_nothing_grants_it(app) {
        owned(app);
        app.play(&[is("u1", "owner", "inactive", 5), is("u2", "member", "active", 6)]);

        let explained = explain(app.database(), &app.config.rules(), "org_1", "u2").unwrap();

        let owner = explained[0].roles.iter().find(|role| role.role == "owner").unwrap();
        assert_eq!(owner.because, "protected: nobody else holds it");
        assert_eq!(owner.facts[0].event, "u2_member_active_6");
    }
}
