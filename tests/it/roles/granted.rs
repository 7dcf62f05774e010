//! Grants and losses by rules, for any event of the directory.

use rosterd::{
    db::DbError,
    operator::manual_roles::{self, GrantTarget},
    tables::{
        host_tables::{ROLES, USER_ROLES, USERS},
        recompute_jobs,
    },
};
use serde_json::json;

use super::{GROUPS, apply, beginning, give, grants, joins, leaves, named, now, person};
use crate::harness::{
    both,
    broker::{at, directory, event, organization, user, with},
};

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

        // The group has another name since.
        app.play(&[event("e7", "dsync.group.updated", 7, named("g_docs", "Docs", 7))]);
        app.play(&[event("e8", "dsync.user.updated", 8, person("u1", "active", 8))]);

        assert!(grants(app).contains(&"u1 admin".to_owned()));
    }
}

both! {
    fn lesson_29_a_blank_role_ends_no_manual_grant(app) {
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
    fn manual_grants_end_with_access_and_return_with_it(app) {
        beginning(app);
        apply(app, GROUPS);
        give(app, "u1", "editor").unwrap();

        app.play(&[event("e5", "dsync.user.updated", 5, person("u1", "suspended", 5))]);
        assert!(!grants(app).contains(&"u1 editor".to_owned()));
        app.play(&[event("e6", "dsync.user.updated", 6, person("u1", "active", 6))]);

        let shown = app.brief(USER_ROLES, &["user_id", "role_slug", "granted_by"]);
        assert!(shown.contains(&"u1 editor manual grant: on call".to_owned()), "{shown:?}");
        manual_roles::revoke(app.database(), &app.config.rules(), GrantTarget { tenant: "org_1", user: "u1" }, "editor", (manual_roles::OperatorAt { name: "ada", now: now() }, "ticket 7")).unwrap();
        assert!(!grants(app).contains(&"u1 editor".to_owned()));
    }
}

both! {
    fn a_manual_grant_follows_the_person_when_the_kind_of_provider_is_learnt_late(app) {
        let mentioned = |id: &str, name: &str| event(name, "dsync.user.created", 1, person(id, "active", 1));
        app.play(&[event("o1", "organization.created", 0, organization("org_1", 0)), mentioned("u3", "c3")]);
        apply(app, GROUPS);
        give(app, "u3", "admin").unwrap();
        let before = app.brief(USERS, &["person_id"]);

        app.play(&[event("d1", "dsync.activated", 0, directory("dir_1", "org_1", 0))]);

        assert_ne!(app.brief(USERS, &["person_id"]), before);
        assert!(grants(app).contains(&"u3 admin".to_owned()), "{:?}", grants(app));
        manual_roles::revoke(app.database(), &app.config.rules(), GrantTarget { tenant: "org_1", user: "u3" }, "admin", (manual_roles::OperatorAt { name: "ada", now: now() }, "ticket 7")).unwrap();
        assert!(!grants(app).contains(&"u3 admin".to_owned()));
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
    fn a_newer_equal_snapshot_of_a_group_recomputes_nobody(app) {
        beginning(app);
        apply(app, GROUPS);
        app.play(&[joins("u1", named("g_admins", "Admins", 1), 5)]);

        app.deliver(&event("e9", "dsync.group.updated", 9, named("g_admins", "Admins", 9)));
        app.applier.step().unwrap();
        let waiting = app.database().read::<_, DbError>(|conn| Ok(recompute_jobs::count(conn)?)).unwrap();

        assert_eq!(waiting, 0);
    }
}

both! {
    fn a_role_by_group_and_attribute_is_as_young_as_the_younger_of_both(app) {
        beginning(app);
        apply(app, "[roles.a]\n[[rules]]\nname = \"x\"\ngrants = [\"a\"]\nwhen.all = [{ group.id = \"g_docs\" }, { attribute = { path = \"d\", equals = 1 } }]");
        app.play(&[joins("u1", named("g_docs", "Docs", 1), 5)]);

        app.play(&[event("e9", "dsync.user.updated", 9, with(person("u1", "active", 9), json!({"custom_attributes": {"d": 1}})))]);

        let shown = app.brief(USER_ROLES, &["user_id", "granted_at"]);
        assert_eq!(shown[0], format!("u1 {}", at(9)));
    }
}

both! {
    fn a_group_made_again_grants_nothing_to_the_members_of_before(app) {
        beginning(app);
        apply(app, GROUPS);
        app.play(&[joins("u1", named("g_admins", "Admins", 1), 5), joins("u3", named("g_admins", "Admins", 1), 5)]);
        let deleted = event("e8", "dsync.group.deleted", 8, named("g_admins", "Admins", 1));
        let made_again = event("e9", "dsync.group.created", 9, named("g_admins", "Admins", 9));

        // The deletion arrives last, and the row of the group does not change.
        app.play(&[made_again]);
        assert!(grants(app).contains(&"u1 admin".to_owned()));
        app.play(&[deleted]);

        assert_eq!(grants(app), ["u2 editor", "u2 member", "u3 viewer"]);
        app.play(&[joins("u3", named("g_admins", "Admins", 9), 10)]);
        assert!(grants(app).contains(&"u3 admin".to_owned()) && !grants(app).contains(&"u1 admin".to_owned()));
    }
}

both! {
    fn numbers_are_compared_as_numbers_and_keep_every_digit(app) {
        beginning(app);
        // Equal numbers in the forms that senders write, and one that no double-precision number can represent.
        let body = |id: &str, attributes: &str| {
            event(id, "dsync.user.updated", 20, with(user("u1", "active", 20), json!({"custom_attributes": "PLACE"})))
                .to_string().replace("\"PLACE\"", attributes)
        };
        app.send(body("e1", r#"{"level":3.0,"big":1e16,"shoe":42.50,"badge":123456789012345678901234567890,"zero":-0.0,"list":[1.0,2e0]}"#));
        app.drain();
        app.assert_rebuilds();

        apply(app, r#"
            unknown_roles = "ignore"
            [roles.third]
            [roles.listed]
            [roles.cost]
            [[rules]]
            name = "third"
            grants = ["third"]
            when.attribute = { path = "level", equals = 3 }
            [[rules]]
            name = "listed"
            grants = ["listed"]
            when.all = [{ attribute = { path = "list", contains = 2 } }, { attribute = { path = "big", one_of = [1e16] } }]
            [[rules]]
            name = "cost"
            grants = ["cost"]
            when.attribute = { path = ["cost.center", "id"], equals = 7.0 }
        "#);

        assert_eq!(grants(app), ["u1 listed", "u1 third"]);
        let shown = app.rows(USERS).into_iter().find(|row| row["id"] == "u1").unwrap();
        assert_eq!(
            shown["custom_attributes"].to_string(),
            r#"{"badge":123456789012345678901234567890,"big":10000000000000000,"level":3,"list":[1,2],"shoe":42.5,"zero":0}"#
        );
        app.send(body("e2", r#"{"cost.center":{"id":7},"huge":1e400}"#).replace(&at(20), &at(21)));
        app.drain();
        assert_eq!(grants(app), ["u1 cost"]);
        let shown = app.rows(USERS).into_iter().find(|row| row["id"] == "u1").unwrap();
        assert_eq!(shown["custom_attributes"].to_string(), r#"{"cost.center":{"id":7}}"#);
    }
}
