//! Erasing a leaver: what goes, what stays, and that nothing comes back by it.

use rosterd::{
    audit::kinds,
    by_hand::By,
    db::DbError,
    erase::{EraseError, Erased, erase},
    inbox::log,
    tables::host::USERS,
};
use serde_json::{Value, json};

use super::{proof::assert_verifies, trail};
use crate::harness::{
    TestApp, both,
    broker::{directory, event, group, membership, user, with},
};

fn erased(app: &TestApp, user: &str) -> Result<Erased, EraseError> {
    let by = By { name: "ada", now: app.clock.now() };
    erase(app.database(), &app.config.rules(), "org_1", user, by)
}

/// Everything that is kept, as text.
fn everything(app: &TestApp) -> String {
    use diesel::{QueryDsl, RunQueryDsl};
    use rosterd::db::schema::{audit, manual_grants, outbox};
    app.database()
        .read::<_, DbError>(|conn| {
            let mut all = String::new();
            for entry in log::list(conn, None, 10_000)? {
                all += &String::from_utf8_lossy(&log::show(conn, entry.id)?.unwrap().1);
            }
            let personal: Vec<Option<String>> = audit::table.select(audit::personal).load(conn)?;
            let payloads: Vec<String> = outbox::table.select(outbox::payload).load(conn)?;
            let reasons: Vec<String> = manual_grants::table.select(manual_grants::reason).load(conn)?;
            for row in USERS.whole_rows(conn, None)? {
                all += &Value::from(row).to_string();
            }
            Ok(format!("{all}{personal:?}{payloads:?}{reasons:?}"))
        })
        .unwrap()
}

fn secret(id: &str, state: &str, at: i64) -> Value {
    with(
        user(id, state, at),
        json!({"idp_id": format!("{id}-secret"), "email": format!("{id}.secret@acme.example"), "first_name": "Secret", "last_name": "Name",
            "username": "secret", "job_title": "Secret Agent", "custom_attributes": {"department_name": "Secret"}}),
    )
}

fn life(app: &TestApp) {
    app.play(&[
        event("d1", "dsync.activated", 1, directory("dir_1", "org_1", 1)),
        event("e1", "dsync.user.created", 1, secret("u1", "active", 1)),
        event("e2", "dsync.user.created", 1, user("u2", "active", 1)),
        event("m1", "dsync.group.user_added", 2, membership(secret("u1", "active", 1), group("g1", 1))),
    ]);
    super::give(app, "u1", "member").unwrap();
}

both! {
    fn lesson_42_an_erased_person_leaves_a_tombstone_a_proof_and_no_name(app) {
        life(app);
        app.play(&[
            event("e3", "dsync.user.updated", 3, with(secret("u1", "active", 3), json!({"job_title": "Secret Chief"}))),
            event("e4", "dsync.user.deleted", 4, secret("u1", "active", 3)),
        ]);
        let tombstone = app.brief(USERS, &["id", "status", "deprovisioned_at", "created_at", "updated_at", "access_epoch"]);
        assert!(everything(app).to_lowercase().contains("secret"));

        let erased = erased(app, "u1.secret@acme.example").unwrap();

        assert_eq!((erased.user_ids, erased.deliveries, erased.notices, erased.left), (vec!["u1".to_owned()], 4, 1, vec![]));
        let left = everything(app);
        assert!(!left.to_lowercase().contains("secret") && !left.contains("on call"), "{left}");
        assert!(left.contains("u2@acme.example"));
        assert_eq!(app.brief(USERS, &["id", "status", "deprovisioned_at", "created_at", "updated_at", "access_epoch"]), tombstone);
        app.assert_rebuilds();
        assert_verifies(app);
        let entries = trail(app, "org_1");
        assert_eq!(entries.iter().filter(|entry| entry.kind == kinds::USER_ERASED).count(), 1);
        assert!(entries.iter().any(rosterd::audit::log::Kept::is_erased));

        // A late event is as late as before, and a repetition a repetition.
        app.play(&[event("late", "dsync.user.updated", 2, with(user("u1", "active", 2), json!({"first_name": "Late"})))]);
        assert_eq!(app.send(event("e3", "dsync.user.updated", 3, user("u1", "active", 3)).to_string()).json()["status"], "duplicate");
        assert_eq!(app.brief(USERS, &["id", "status", "name"])[0], "u1 inactive null");
        // Only a newer word brings the person back, as somebody new.
        app.play(&[event("e9", "dsync.user.updated", 9, user("u1", "active", 9))]);
        assert_eq!(app.brief(USERS, &["id", "status", "email"])[0], "u1 active u1@acme.example");
        assert_verifies(app);
    }
}

both! {
    fn whoever_is_still_there_or_spoken_of_is_not_erased(app) {
        life(app);
        assert!(matches!(erased(app, "u1"), Err(EraseError::StillThere { .. })));
        assert!(matches!(erased(app, "nobody"), Err(EraseError::Unknown { .. })));

        app.deliver(&event("e4", "dsync.user.deleted", 4, secret("u1", "active", 3)));
        assert!(matches!(erased(app, "u1"), Err(EraseError::StillThere { .. })));
        app.drain();
        app.deliver(&event("e5", "dsync.user.updated", 5, secret("u1", "active", 5)));
        assert!(matches!(erased(app, "u1"), Err(EraseError::Waits { .. })));
        app.drain();
        assert_eq!(app.brief(USERS, &["id", "status"])[0], "u1 active");
    }
}

both! {
    fn another_tenants_user_of_the_same_id_is_not_touched(app) {
        let elsewhere = |value: Value| with(value, json!({"directory_id": "dir_2", "organization_id": "org_2"}));
        app.play(&[
            event("d1", "dsync.activated", 1, directory("dir_1", "org_1", 1)),
            event("d2", "dsync.activated", 1, directory("dir_2", "org_2", 1)),
            event("e1", "dsync.user.created", 1, secret("u1", "active", 1)),
            event("f1", "dsync.user.created", 1, elsewhere(secret("u1", "active", 1))),
            event("e2", "dsync.user.deleted", 2, secret("u1", "active", 1)),
        ]);

        erased(app, "u1").unwrap();

        assert_eq!(app.brief(USERS, &["tenant_id", "status", "email"]), ["org_1 inactive null", "org_2 active u1.secret@acme.example"]);
        assert!(trail(app, "org_2").iter().any(|entry| entry.kind == "user.created" && entry.personal.is_some()));
        assert_verifies(app);
    }
}
