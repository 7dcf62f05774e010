//! Webhooks that arrive after a list was applied, about the time before it.

use rosterd::tables::host_tables::{GROUP_MEMBERS, USER_ROLES, USERS};
use serde_json::{Value, json};

use super::{
    api::TestApi,
    reconciled::{both_know, brief, reconcile, statuses, world},
};
use crate::harness::{
    both,
    broker::{event, group, membership, user, with},
};

/// Events about a person who was created and deleted before the list.
fn deletion(id: &str) -> Value {
    event(&format!("x_{id}"), "dsync.user.deleted", 500, user(id, "active", 20))
}

both! {
    fn lesson_9_a_late_deletion_of_an_unlisted_user_creates_no_account_and_is_not_reported(app) {
        let api = TestApi::start();
        api.emit(&world(2));
        api.broker(|broker| broker.tick(1_000));
        reconcile(app, &api);

        app.play(&[deletion("u9")]);

        assert_eq!(statuses(app), ["u1 active", "u2 active"]);
        assert!(app.notices().is_empty(), "{:?}", app.notices());
        // An older fact about the same person changes nothing either, however late it is.
        app.play(&[event("c_u9", "dsync.user.created", 20, user("u9", "active", 20))]);
        assert!(!statuses(app).contains(&"u9 active".to_owned()), "{:?}", statuses(app));
        api.broker(|broker| broker.tick(60));
        assert_eq!(brief(&reconcile(app, &api)), [""; 0]);
    }
}

both! {
    /// The deletion and the return were both missed, and the list has the person. Then the deletion arrives.
    fn a_late_deletion_does_not_hurt_who_came_back_before_the_list(app) {
        let api = TestApi::start();
        both_know(app, &api, 2);
        api.broker(|broker| {
            for id in ["u1", "u9"] {
                broker.happen("dsync.user.deleted", user(id, "active", 20));
                // One of them is known from before, the other one is not.
                broker.happen("dsync.user.created", user(id, "active", 600));
            }
        });
        reconcile(app, &api);

        app.play(&[deletion("u1"), deletion("u9")]);

        assert_eq!(statuses(app), ["u1 active", "u2 active", "u9 active"]);
        assert!(app.notices().is_empty(), "{:?}", app.notices());
    }
}

both! {
    /// The list was equal to the tables, so the inbox contains nothing of it. A contradicting fact from before the list
    /// is applied, and the next comparison corrects it (docs/sync.md).
    fn a_late_fact_that_no_list_has_contradicted_is_corrected_by_the_next_comparison(app) {
        let api = TestApi::start();
        both_know(app, &api, 2);
        assert_eq!(brief(&reconcile(app, &api)), [""; 0]);

        let admin = with(user("u2", "active", 12), json!({"role": {"slug": "admin"}, "roles": [{"slug": "admin"}]}));
        app.play(&[
            event("r", "dsync.group.user_removed", 500, membership(user("u1", "active", 11), group("g1", 2))),
            event("p", "dsync.user.updated", 500, admin),
        ]);
        assert_eq!(statuses(app), ["u1 active", "u2 active"], "nobody loses access");
        api.broker(|broker| broker.tick(60));
        reconcile(app, &api);

        assert_eq!(app.brief(GROUP_MEMBERS, &["user_id"]), ["u1", "u2"]);
        assert_eq!(app.brief(USER_ROLES, &["user_id", "role_slug"]), ["u1 member", "u2 member"]);
    }
}

both! {
    /// The broker's `Date` has seconds and its objects have fractions. No number is read in the wrong unit.
    fn lesson_20_times_of_lists_are_read_in_their_own_unit(app) {
        let api = TestApi::start();
        api.emit(&world(1));
        let precise = with(user("u1", "active", 11), json!({"updated_at": "2026-01-01T00:00:11.123456Z"}));
        api.broker(|broker| {
            broker.happen("dsync.user.updated", precise);
            broker.tick(1_000);
        });

        let reports = reconcile(app, &api);

        let at = reports[0].compared_at.unwrap();
        assert_eq!(at.micros() % 1_000_000, 0);
        assert_eq!(at.to_utc().format("%Y-%m").to_string(), "2026-01");
        assert_eq!(app.brief(USERS, &["updated_at"]), ["2026-01-01T00:00:11.123456Z"]);
    }
}
