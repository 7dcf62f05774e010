//! Plans before a change, and explanations after it.

use rosterd::operator::{
    explain::explain,
    mapping_plan::{self, PlanError, PlanOperator},
};

use super::{GROUPS, apply, beginning, grants, joins, named, now, person, plan_of};
use crate::harness::{both, broker::event};

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
        let by = PlanOperator { name: "ada", now: now() };
        mapping_plan::apply(app.database(), &app.config.rules(), GROUPS, Some(&planned), &by).unwrap();
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

        let by = PlanOperator { name: "ada", now: now() };
        let refused = mapping_plan::apply(app.database(), &app.config.rules(), GROUPS, Some(&planned), &by);

        assert!(matches!(refused, Err(PlanError::Stale)));
        assert_eq!(grants(app), ["u3 viewer"]);
    }
}

both! {
    fn a_plan_warns_of_slugs_that_it_ignores(app) {
        beginning(app);

        let planned = plan_of(app, "unknown_roles = \"ignore\"");

        let warnings: Vec<&str> = planned.warnings.iter().map(String::as_str).collect();
        assert_eq!(warnings, ["the broker's role viewer is ignored; 1 users have it"]);
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
            "rule \"hidden\" has no effect: other rules decide the roles of its 1 users",
            "rule \"nobody\" matches nobody",
            "rule \"nobody\": there is no group named \"Nowhere\"",
        ]);
    }
}

both! {
    fn a_plan_warns_of_attributes_that_nobody_has_also_inside_not(app) {
        beginning(app);

        let planned = plan_of(app, r#"
[roles.member]
[roles.guest]
[[rules]]
name = "staff"
grants = ["member"]
when.not.attribute = { path = "employment.kind", equals = "contractor" }
[[rules]]
name = "writers"
grants = ["guest"]
when.any = [
  { attribute = { path = "department_name", equals = "Docs" } },
  { attribute = { path = "departement", equals = "Docs" } },
]
[tenants.org_9]
rules = []
"#);

        let warnings: Vec<&str> = planned.warnings.iter().map(String::as_str).collect();
        assert_eq!(warnings, [
            "rule \"staff\": nobody has the attribute employment.kind",
            "rule \"writers\": nobody has the attribute departement",
            "the mapping has a section for tenant org_9, which does not exist yet",
        ]);
    }
}

both! {
    fn an_earlier_version_is_applied_again_as_a_new_one_with_a_record_of_where_it_is_from(app) {
        beginning(app);
        let before = grants(app);
        apply(app, GROUPS);
        let with_groups = grants(app);
        assert_ne!(with_groups, before);
        let by = PlanOperator { name: "ada", now: now() };
        let back = |to: i64| mapping_plan::rollback(app.database(), &app.config.rules(), to, None, &by).map(|(_, version)| version);

        assert_eq!(back(0).unwrap(), 2);
        app.drain();
        assert_eq!(grants(app), before);
        assert_eq!(back(1).unwrap(), 3);
        app.drain();
        assert_eq!(grants(app), with_groups);
        assert!(matches!(back(9), Err(PlanError::UnknownVersion(9))));

        let entries = crate::audit::trail(app, rosterd::audit::NO_TENANT);
        let applied: Vec<&str> = entries.iter().filter(|entry| entry.kind == "mapping.applied").map(|entry| entry.change.as_str()).collect();
        assert!(applied[1].contains("\"restores\":0") && applied[2].contains("\"restores\":1"), "{applied:?}");
        assert!(!applied[0].contains("restores"), "{applied:?}");
    }
}

both! {
    fn lesson_22_a_plan_counts_the_loss_of_a_role_that_only_the_mapping_in_force_calls_privileged(app) {
        beginning(app);
        app.play(&[joins("u1", named("g_admins", "Admins", 1), 5)]);
        apply(app, GROUPS);

        let undeclared = plan_of(app, "unknown_roles = \"create\"");

        assert_eq!(undeclared.tenants["org_1"]["u1"].loses.iter().collect::<Vec<_>>(), ["admin"]);
        assert_eq!(undeclared.counts().privileged_lost, 1);
    }
}

both! {
    fn a_plan_counts_the_people_of_each_role(app) {
        beginning(app);
        app.play(&[joins("u1", named("g_admins", "Admins", 1), 5)]);

        let planned = plan_of(app, GROUPS);

        let counts: Vec<String> = planned
            .by_role()
            .into_iter()
            .map(|(role, counts)| format!("{role} +{} -{} {}", counts.gain, counts.lose, counts.privileged))
            .collect();
        assert_eq!(counts, ["admin +1 -0 true", "editor +1 -0 false", "member +1 -0 false"]);
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
    fn an_explanation_of_a_user_without_access_has_the_reason_and_the_time(app) {
        beginning(app);
        app.play(&[event("e5", "dsync.user.updated", 5, person("u1", "inactive", 5))]);

        let explained = explain(app.database(), &app.config.rules(), "org_1", "u1").unwrap();

        let why = explained[0].no_access.as_ref().unwrap();
        assert_eq!((why.because.as_str(), why.event.as_str()), ("the directory reports the person as deleted or inactive", "e5"));
        assert!(explain(app.database(), &app.config.rules(), "org_2", "u1").is_err());
    }
}
