//! Changes that are held, and changes that are not.

use rosterd::{
    decide::guard::{Guard, GuardLimits},
    operator::mapping_plan::{self, PlanOperator},
    tables::host_tables::{USER_ROLES, USERS},
};
use serde_json::{Value, json};

use super::{HoldSummary, beginning, created, deleted, elsewhere, gone, held, named, range, update};
use crate::harness::{
    both,
    broker::{at, directory, event, organization, user, with},
};

both! {
    fn lesson_21_when_everybody_looks_deleted_they_keep_access_and_one_hold_waits(app) {
        beginning(app, 30);
        let epochs = app.brief(USERS, &["id", "access_epoch"]);

        app.play(&(0..30).map(|n| update(n, "inactive", 9)).collect::<Vec<_>>());

        assert_eq!(gone(app), Vec::<String>::new());
        assert_eq!(app.brief(USERS, &["id", "access_epoch"]), epochs);
        assert_eq!(app.brief(USER_ROLES, &["role_slug"]).len(), 30);
        assert_eq!(held(app), [HoldSummary { state: "open".to_owned(), undecided: 30, applied_before: 0, active_before: 30 }]);
        assert_eq!(app.notices(), Vec::<String>::new());
        let ready = app.get("/readyz").json();
        assert_eq!(ready["holds"], json!({"open": 1, "people": 30}));
        assert!(app.get("/metrics").body.contains("rosterd_held 30"));
    }
}

both! {
    fn lesson_21_an_honest_clean_up_below_either_limit_is_not_held(app) {
        // Nine of nine are too few. Ten of fifty are no more than a fifth.
        beginning(app, 50);
        app.play(&(0..10).map(|n| update(n, "inactive", 9)).collect::<Vec<_>>());

        assert_eq!(gone(app), range(0..10));
        assert_eq!(held(app), []);
    }
}

both! {
    fn lesson_22_a_demotion_counts_like_a_removal(app) {
        let admin = |n: usize, seconds: i64, role: &str| {
            event(&format!("{role}_{n}"), "dsync.user.updated", seconds, with(user(&named(n), "active", seconds), json!({"role": {"slug": role}, "roles": []})))
        };
        beginning(app, 40);
        app.play(&(0..20).map(|n| admin(n, 5, "admin")).collect::<Vec<_>>());
        let by = PlanOperator { name: "ada", now: app.clock.now() };
        mapping_plan::apply(app.database(), &app.config.rules(), "[roles.admin]\nprivileged = true\n", None, &by).unwrap();
        app.drain();

        app.play(&(0..15).map(|n| admin(n, 9, "viewer")).collect::<Vec<_>>());

        // They keep privileged roles, and get new ones.
        let roles = app.brief(USER_ROLES, &["user_id", "role_slug"]);
        assert!(roles.contains(&"u00 admin".to_owned()) && roles.contains(&"u00 viewer".to_owned()), "{roles:?}");
        assert_eq!(held(app), [HoldSummary { state: "open".to_owned(), undecided: 15, applied_before: 0, active_before: 40 }]);
    }
}

both! {
    fn lesson_22_a_mapping_that_forgets_a_privileged_role_is_held(app) {
        let admin = |n: usize| with(user(&named(n), "active", 1), json!({"role": {"slug": "admin"}, "roles": []}));
        app.play(&(0..20).map(|n| event(&format!("c{n}"), "dsync.user.created", 1, admin(n))).collect::<Vec<_>>());
        let apply = |document: &str| {
            let by = PlanOperator { name: "ada", now: app.clock.now() };
            mapping_plan::apply(app.database(), &app.config.rules(), document, None, &by).unwrap();
            app.drain();
        };
        apply("[roles.admin]\nprivileged = true\n");

        apply("unknown_roles = \"ignore\"\n[roles.member]\n");

        assert_eq!(app.brief(USER_ROLES, &["role_slug"]), vec!["admin"; 20]);
        assert_eq!(held(app), [HoldSummary { state: "open".to_owned(), undecided: 20, applied_before: 0, active_before: 20 }]);
    }
}

both! {
    fn lesson_23_a_rebuild_while_people_are_held_finds_nothing_to_mend(app) {
        beginning(app, 30);
        app.play(&(0..30).map(|n| update(n, "inactive", 9)).collect::<Vec<_>>());

        app.assert_rebuilds();
        let wanted = rosterd::operator::rebuild::Rebuild { rules: &app.config.rules(), tenant: None, dry_run: false, by: "ada" };
        let mended = rosterd::operator::rebuild::rebuild(app.database(), wanted, app.clock.now()).unwrap();

        assert!(mended.is_empty());
        assert_eq!(gone(app), Vec::<String>::new());
    }
}

both! {
    fn lesson_23_a_rebuild_does_not_end_what_the_guard_would_have_held(app) {
        use diesel::connection::SimpleConnection;
        beginning(app, 30);
        let forgets = "DELETE FROM inbox WHERE event_key LIKE 'created_1%'";
        app.database().write::<_, rosterd::db::DbError>(|conn| Ok(conn.batch_execute(forgets)?)).unwrap();
        let rebuild = |rules: &rosterd::decide::Rules| {
            let wanted = rosterd::operator::rebuild::Rebuild { rules, tenant: None, dry_run: false, by: "ada" };
            rosterd::operator::rebuild::rebuild(app.database(), wanted, app.clock.now())
        };

        let refused = rebuild(&app.config.rules()).unwrap_err().to_string();

        assert!(refused.starts_with("this would end the access, or a privileged role, of 11 of 30 active people"), "{refused}");
        assert_eq!(app.rows(USERS).len(), 30);
        let unguarded = rosterd::decide::Rules { guard: Guard::default(), ..app.config.rules() };
        assert!(!rebuild(&unguarded).unwrap().is_empty());
        assert_eq!(app.rows(USERS).len(), 19);
    }
}

both! {
    fn lesson_24_newcomers_grants_and_other_directories_are_never_held(app) {
        beginning(app, 30);
        app.play(&[event("d2", "dsync.activated", 0, directory("dir_2", "org_1", 0)), elsewhere(1, "active", 2), elsewhere(2, "active", 2)]);
        app.play(&(0..30).map(|n| update(n, "inactive", 9)).collect::<Vec<_>>());

        let renamed = with(user(&named(40), "active", 10), json!({"role": {"slug": "editor"}}));
        app.play(&[created(40), elsewhere(1, "inactive", 10), event("r", "dsync.user.updated", 10, renamed)]);
        // The profile of a held person is updated, too.
        app.play(&[event("p", "dsync.user.updated", 11, with(user("u00", "inactive", 11), json!({"job_title": "Pilot"})))]);

        assert_eq!(gone(app), ["v01"]);
        assert!(app.brief(USER_ROLES, &["user_id", "role_slug"]).contains(&"u40 editor".to_owned()));
        assert!(app.brief(USERS, &["id", "status", "job_title"]).contains(&"u00 active Pilot".to_owned()));
        assert_eq!(held(app)[0].undecided, 30);
    }
}

both! {
    fn lesson_25_losses_committed_before_the_guard_tripped_are_reported_exactly(app) {
        beginning(app, 40);
        for n in 0..20 {
            app.play(&[deleted(n, 10)]);
        }

        // The first nine are too few. With the tenth, a quarter of forty has left.
        assert_eq!(gone(app), range(0..9));
        assert_eq!(held(app), [HoldSummary { state: "open".to_owned(), undecided: 11, applied_before: 9, active_before: 40 }]);
        assert_eq!(app.notices(), range(0..9));
    }
}

both! {
    fn when_the_window_is_calm_again_a_single_removal_goes_on_while_the_hold_waits(app) {
        beginning(app, 30);
        app.play(&(0..20).map(|n| update(n, "inactive", 9)).collect::<Vec<_>>());
        app.clock.advance_seconds(5 * 60);
        app.play(&[deleted(25, 20)]);
        assert!(gone(app).is_empty());
        assert_eq!(held(app)[0].undecided, 21);

        app.clock.advance_seconds(20 * 60);
        app.play(&[deleted(26, 30)]);

        assert_eq!(gone(app), ["u26"]);
        assert_eq!(held(app)[0].undecided, 21);
    }
}

both! {
    fn a_deleted_directory_is_a_removal_of_all_its_people_from_its_first_step(app) {
        let many: Vec<Value> = (0..1_203)
            .map(|n| event(&format!("c{n}"), "dsync.user.created", 1, user(&format!("u{n:04}"), "active", 1)))
            .collect();
        app.play(&many);

        app.play(&[event("gone", "dsync.deleted", 20, directory("dir_1", "org_1", 0))]);

        assert_eq!(gone(app).len(), 0);
        assert_eq!(held(app), [HoldSummary { state: "open".to_owned(), undecided: 1_203, applied_before: 0, active_before: 1_203 }]);
        // The directory is active again: nobody is held any more.
        app.play(&[event("back", "dsync.activated", 30, directory("dir_1", "org_1", 30))]);
        assert_eq!(gone(app).len(), 0);
        assert_eq!(held(app), [HoldSummary { state: "ended".to_owned(), undecided: 0, applied_before: 0, active_before: 1_203 }]);
    }
}

both! {
    fn a_deleted_organization_is_held_too_and_a_small_directory_goes_on(app) {
        beginning(app, 30);
        app.play(&[
            event("o2", "organization.created", 0, organization("org_2", 0)),
            event("w", "dsync.user.created", 1, with(user("w1", "active", 1), json!({"directory_id": "dir_9", "organization_id": "org_2"}))),
        ]);

        app.play(&[
            event("gone1", "organization.deleted", 20, organization("org_1", 0)),
            event("gone2", "organization.deleted", 20, organization("org_2", 0)),
        ]);

        assert_eq!(gone(app), ["w1"]);
        assert_eq!(held(app), [HoldSummary { state: "open".to_owned(), undecided: 30, applied_before: 0, active_before: 30 }]);
        assert_eq!(app.brief(USERS, &["deprovisioned_at"])[30], at(20));
    }
}

both! {
    fn a_tenant_can_have_limits_of_its_own(app, |config| {
        config.guard.of_tenant.insert("org_1".to_owned(), GuardLimits { minimum: 2, percent: 50, ..GuardLimits::default() });
    }) {
        beginning(app, 4);

        app.play(&[update(0, "inactive", 9), update(1, "inactive", 9)]);
        assert_eq!(gone(app).len(), 2);
        assert_eq!(held(app).len(), 0);
        app.play(&[update(2, "inactive", 9)]);

        assert_eq!(gone(app).len(), 2);
        assert_eq!(held(app), [HoldSummary { state: "open".to_owned(), undecided: 1, applied_before: 2, active_before: 4 }]);
    }
}

both! {
    fn an_id_that_changes_hands_leaves_the_hold_of_its_former_bearer(app) {
        beginning(app, 20);
        app.play(&(0..12).map(|n| deleted(n, 9)).collect::<Vec<_>>());
        assert!(gone(app).is_empty());
        assert_eq!(held(app), [HoldSummary { state: "open".to_owned(), undecided: 12, applied_before: 0, active_before: 20 }]);

        // The next bearer has no access either, and nothing of that is held.
        let other = json!({"idp_id": "idp_other", "email": "other@acme.example"});
        app.play(&[event("e1", "dsync.user.updated", 20, with(user("u00", "inactive", 20), other))]);

        assert_eq!(gone(app), ["u00"]);
        assert_eq!(held(app), [HoldSummary { state: "open".to_owned(), undecided: 11, applied_before: 0, active_before: 20 }]);
        assert_eq!(app.notices(), ["u00"]);
    }
}
