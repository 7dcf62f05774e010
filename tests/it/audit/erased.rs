//! Erasing a leaver: what is removed, what remains, and that nothing restores the data.

use rosterd::{
    audit::kinds,
    config::period::Every,
    db::DbError,
    operator::{
        erase::{EraseError, Erased, erase},
        holds::Verdict,
        manual_roles::OperatorAt,
    },
    outbox::{self, Notice, notice::GivenUp},
    tables::host_tables::USERS,
};
use serde_json::{Value, json};

use super::{proof::assert_verifies, trail};
use crate::{
    harness::{
        TestApp, both,
        broker::{directory, event, group, membership, user, with},
        dump::{everything, naming},
    },
    roles,
};

fn erased(app: &TestApp, user: &str) -> Result<Erased, EraseError> {
    let by = OperatorAt { name: "ada", now: app.clock.now() };
    erase(app.database(), &app.config.rules(), "org_1", user, by)
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
        assert!(everything(app.database()).to_lowercase().contains("secret"));

        let erased = erased(app, "u1.secret@acme.example").unwrap();

        assert_eq!((erased.user_ids, erased.deliveries, erased.notices, erased.left), (vec!["u1".to_owned()], 4, 1, vec![]));
        let left = everything(app.database());
        assert!(!left.to_lowercase().contains("secret") && !left.contains("on call"), "{left}");
        assert!(left.contains("u2@acme.example"));
        assert_eq!(app.brief(USERS, &["id", "status", "deprovisioned_at", "created_at", "updated_at", "access_epoch"]), tombstone);
        app.assert_rebuilds();
        assert_verifies(app);
        let entries = trail(app, "org_1");
        assert_eq!(entries.iter().filter(|entry| entry.kind == kinds::USER_ERASED).count(), 1);
        assert!(entries.iter().any(rosterd::audit::stored_entries::StoredEntry::is_erased));

        // A late event is still late, and a repetition is still a repetition.
        app.play(&[event("late", "dsync.user.updated", 2, with(user("u1", "active", 2), json!({"first_name": "Late"})))]);
        assert_eq!(app.send(event("e3", "dsync.user.updated", 3, user("u1", "active", 3)).to_string()).json()["status"], "duplicate");
        assert_eq!(app.brief(USERS, &["id", "status", "name"])[0], "u1 inactive null");
        // Only a newer fact restores the person, as somebody new.
        app.play(&[event("e9", "dsync.user.updated", 9, user("u1", "active", 9))]);
        assert_eq!(app.brief(USERS, &["id", "status", "email"])[0], "u1 active u1@acme.example");
        assert_verifies(app);
    }
}

both! {
    fn an_erasure_reaches_what_stands_around_the_person_and_ids_that_json_escapes(app) {
        life(app);
        let around = |event: Value| with(event, json!({
            "context": {"actor": {"name": "Secret Name"}, "previous_attributes": {"email": "u1.secret@acme.example"}}, "note": "Secret"
        }));
        let mut pair = membership(secret("u1", "active", 3), group("g1", 1));
        pair["previous_attributes"] = json!({"user": "Secret"});
        let left = around(event("e4", "dsync.user.deleted", 4, with(secret("u1", "active", 3), json!({"previous_attributes": {"last_name": "Secret"}}))));
        // A sender may write every character of a text by its number.
        let escaped = around(event("e3", "dsync.user.updated", 3, secret("u1", "active", 3))).to_string().replace("u1", "\\u0075\\u0031");
        assert_eq!(app.send(escaped).json()["status"], "accepted");
        // Half a character, which only the lenient reader accepts.
        let half = event("e5", "dsync.user.updated", 2, secret("u1", "active", 2)).to_string().replace("Secret Agent", "Secret \\ud83d");
        assert_eq!(app.send(half).json()["status"], "accepted");
        app.play(&[around(event("m2", "dsync.group.user_removed", 3, pair)), left]);

        let erased = erased(app, "u1").unwrap();

        assert_eq!((erased.deliveries, erased.left), (6, vec![]));
        assert_eq!(naming(&everything(app.database()), "secret"), Vec::<String>::new());
        app.assert_rebuilds();
        assert_verifies(app);
    }
}

both! {
    fn a_person_with_access_or_a_waiting_delivery_is_not_erased(app) {
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

both! {
    fn an_erasure_takes_the_person_out_of_events_about_others_or_lists_them(app) {
        life(app);
        let acted = |id: &str, at, actor: Value| with(event(id, "dsync.user.updated", at, user("u2", "active", at)), json!({"context": {"actor": actor}}));
        app.play(&[
            acted("a1", 3, json!({"id": "u1", "name": "Secret Name"})),
            acted("a3", 5, json!({"id": "user_01", "email": "u1.secret@acme.example", "name": "Secret Name"})),
            acted("a4", 6, json!({"id": "user_02", "name": "Another"})),
            event("b1", "dsync.user.updated", 7, with(user("u2", "active", 7), json!({"custom_attributes": {"manager": "u1.secret@acme.example"}}))),
            event("e4", "dsync.user.deleted", 8, secret("u1", "active", 3)),
        ]);
        let before = app.rows(USERS).into_iter().find(|row| row["id"] == "u2").unwrap();

        let erased = erased(app, "u1").unwrap();

        let left = everything(app.database());
        assert!(!left.contains("Secret Name") && !left.contains("user_01"), "{left}");
        assert!(left.contains("user_02"), "the actor of another event stays");
        assert_eq!(erased.left.len(), 1, "{:?}", erased.left);
        assert_eq!(app.rows(USERS).into_iter().find(|row| row["id"] == "u2").unwrap(), before);
        app.assert_rebuilds();
        assert_verifies(app);
    }
}

both! {
    fn an_erasure_clears_the_databases_message_about_the_refused_person(app) {
        use rosterd::tables::refused::{self, RefusedChange};
        life(app);
        app.play(&[event("e4", "dsync.user.deleted", 4, secret("u1", "active", 3))]);
        let detail = "Key (email)=(u1.secret@acme.example) already exists";
        app.database().write_serialized::<_, DbError>(|conn| {
            for id in ["u1", "u2"] {
                RefusedChange::new(2, id, "dir_1", "", 1).store(conn, detail.replace("u1", id).as_str(), false, app.clock.now())?;
            }
            Ok(())
        }).unwrap();

        erased(app, "u1").unwrap();

        let details: Vec<_> = app.database().read::<_, DbError>(|conn| Ok(refused::list(conn)?)).unwrap().into_iter().map(|one| (one.id, one.detail)).collect();
        assert_eq!(details.iter().find(|(id, _)| id == "u1").unwrap().1, "erased");
        assert!(details.iter().find(|(id, _)| id == "u2").unwrap().1.contains("u2.secret"));
        assert!(!everything(app.database()).contains("u1.secret"));
    }
}

/// People of the secret department, or in the group, are administrators.
const ADMINS: &str = r#"
[roles.admin]
privileged = true
protected = true
[roles.member]
[[rules]]
name = "admins"
grants = ["admin"]
when.any = [{ attribute = { path = "department_name", pattern = "S*" } }, { group.id = "g_admins" }]
[[rules]]
name = "members"
grants = ["member"]
when.role = "member"
"#;

both! {
    fn nothing_remains_of_a_person_who_was_held_retained_and_reported_in_every_way(app) {
        use crate::notices::Office;
        let office = Office::with(app, |config| config.mail.report = Some(Every::Week));
        let recent = crate::notices::RECENT;
        let moved = |id: &str, at, department: &str| event(id, "dsync.user.updated", at, with(secret("u1", "active", at), json!({"custom_attributes": {"department_name": department}})));
        life(app);
        let others: Vec<String> = (10..24).map(|n| format!("u{n}")).collect();
        app.play(&others.iter().map(|id| event(&format!("c_{id}"), "dsync.user.created", 1, user(id, "active", 1))).collect::<Vec<_>>());
        office.send(app);
        // The user gains the role by another mapping, loses it, and gains it again.
        roles::apply(app, ADMINS);
        let with_u2 = |id: &str, kind: &str, at| event(id, kind, at, membership(user("u2", "active", 1), group("g_admins", 1)));
        app.play(&[with_u2("j1", "dsync.group.user_added", recent)]);
        app.play(&[moved("out", recent, "Else")]);
        app.play(&[moved("in", recent + 10, "Secret")]);
        app.play(&[with_u2("l1", "dsync.group.user_removed", recent + 15)]);
        // The last administrator and twelve others are removed at once. The removal is held, then approved.
        let removed = |id: &str| event(&format!("x_{id}"), "dsync.user.deleted", recent + 20, match id { "u1" => secret(id, "active", recent + 10), _ => user(id, "active", 1) });
        app.play(&others[..12].iter().map(String::as_str).chain(["u1"]).map(removed).collect::<Vec<_>>());
        crate::holds::decide(app, 1, Verdict::Approve, &[]);
        app.clock.advance_seconds(6 * 3_600);
        office.send(app);
        for kind in ["mapping_applied", "privileged_lost", "privileged_granted", "mass_change_held", "last_holder_retained", "access_report"] {
            assert!(!app.noticed(kind).is_empty(), "{kind}: {:?}", app.brief(USERS, &["id", "status"]));
        }
        assert!(matches!(erased(app, "u1"), Err(EraseError::StillThere { .. })), "the last administrator is kept");
        app.play(&[with_u2("j2", "dsync.group.user_added", recent + 30)]);
        app.clock.advance_seconds(3_600);
        office.send(app);
        // A database quotes the row that it refuses: here one of the person, and one of another user.
        let refused = |inbox_id, detail: &str| Notice::DeliveryGivenUp(GivenUp { inbox_id, detail: detail.into(), ..GivenUp::default() });
        let quotes = [refused(2, "u1.secret@acme.example is there already"), refused(3, "u2@acme.example is there already")];
        app.database().write::<_, DbError>(|conn| Ok(outbox::enqueue(conn, &quotes, app.clock.now())?)).unwrap();
        assert_ne!(naming(&everything(app.database()), "secret"), Vec::<String>::new());

        erased(app, "u1").unwrap();

        let left = everything(app.database());
        assert_eq!(naming(&left, "secret"), Vec::<String>::new());
        assert_eq!(naming(&left, "u2@acme.example is there already").len(), 1);
        assert_verifies(app);
    }
}

both! {
    fn an_erasure_takes_out_a_name_that_stands_alone_and_lists_one_that_may_be_anothers(app) {
        life(app);
        let acted = |id: &str, at, actor: Value| with(event(id, "dsync.user.updated", at, user("u2", "active", at)), json!({"context": {"actor": actor}}));
        app.play(&[
            acted("a1", 3, json!({"name": "Secret Name", "source": "dashboard"})),
            // A sender may write letters by their numbers.
            acted("a2", 4, json!({"id": "user_02", "name": "Secret Name"})),
            acted("a3", 5, json!({"email": "another@acme.example", "name": "Secret Name"})),
            acted("a4", 6, json!({"name": "Secret Namesake"})),
            event("b1", "dsync.user.updated", 7, with(user("u2", "active", 7), json!({"custom_attributes": {"manager": "Secret Name"}}))),
        ]);
        let written = acted("a5", 8, json!({"name": "Secret Name"})).to_string().replace("Secret", "\\u0053ecret");
        assert_eq!(app.send(written).json()["status"], "accepted");
        app.play(&[event("e4", "dsync.user.deleted", 9, secret("u1", "active", 3))]);

        let erased = erased(app, "u1").unwrap();

        assert_eq!((erased.deliveries, erased.left, erased.unclear.len()), (5, vec![], 3), "{:?}", erased.unclear);
        let left = naming(&everything(app.database()), "secret name\"");
        let bodies: Vec<_> = left.iter().filter(|line| line.starts_with("inbox.body")).collect();
        assert_eq!(bodies.len(), 3, "{bodies:#?}");
        assert!(bodies.iter().all(|body| ["user_02", "another@", "manager"].iter().any(|other| body.contains(other))));
        assert_eq!(naming(&everything(app.database()), "secret namesake").len(), 1);
        app.assert_rebuilds();
        assert_verifies(app);
    }
}

both! {
    fn a_name_that_somebody_else_of_the_tenant_has_too_is_not_taken_for_the_persons(app) {
        life(app);
        let of_both = with(user("u3", "active", 1), json!({"first_name": "Secret", "last_name": "Name", "name": "Secret Name"}));
        app.play(&[
            event("e3", "dsync.user.created", 1, of_both),
            with(event("a1", "dsync.user.updated", 3, user("u2", "active", 3)), json!({"context": {"actor": {"name": "Secret Name"}}})),
            event("e4", "dsync.user.deleted", 8, secret("u1", "active", 3)),
        ]);

        let erased = erased(app, "u1").unwrap();

        // The other person's own name is no mention.
        assert_eq!((erased.left, erased.unclear.len()), (vec![], 1));
        assert_eq!(app.brief(USERS, &["id", "name"]), ["u1 null", "u2 Given u2", "u3 Secret Name"]);
        app.assert_rebuilds();
    }
}

/// A deletion with nothing but ids.
fn bare(event_id: &str, at: i64, user_id: &str) -> Value {
    let data = json!({"object": "directory_user", "id": user_id, "directory_id": "dir_1", "organization_id": "org_1", "state": "inactive"});
    event(event_id, "dsync.user.deleted", at, data)
}

fn nothing_of_the_person(app: &TestApp) {
    assert_eq!(naming(&everything(app.database()), "secret"), Vec::<String>::new());
    assert_eq!(app.brief(USERS, &["id", "status", "name", "email"])[0], "u1 inactive null null");
    app.assert_rebuilds();
    assert_verifies(app);
}

both! {
    fn a_leaver_whose_deletion_had_no_profile_is_erased_too(app) {
        life(app);
        app.play(&[bare("e4", 4, "u1")]);
        assert_eq!(app.brief(USERS, &["id", "name", "email"])[0], "u1 Secret Name u1.secret@acme.example");

        erased(app, "u1").unwrap();

        nothing_of_the_person(app);
    }
}

both! {
    fn no_late_fact_from_before_an_erasure_restores_the_profile(app) {
        life(app);
        app.play(&[bare("e9", 9, "u1")]);
        erased(app, "u1").unwrap();
        nothing_of_the_person(app);

        // Newer than all known facts except the deletion; once alone, and once with a membership.
        app.play(&[event("l5", "dsync.user.updated", 5, secret("u1", "active", 5))]);
        nothing_of_the_person(app);
        app.play(&[event("l6", "dsync.group.user_added", 6, membership(secret("u1", "active", 6), group("g1", 1)))]);
        nothing_of_the_person(app);
        // Older than all known facts; a deletion that came late; and one that the broker sends again under another id.
        app.play(&[
            event("l0", "dsync.user.created", 0, secret("u1", "active", 0)),
            event("l8", "dsync.user.deleted", 8, secret("u1", "active", 7)),
            event("l10", "dsync.user.deleted", 10, secret("u1", "active", 7)),
            event("l7", "dsync.user.updated", 7, secret("u1", "suspended", 7)),
        ]);
        nothing_of_the_person(app);
        // Retention deletes deliveries without effect, and a rebuild gives the same tables.
        app.clock.advance_seconds(91 * 24 * 3_600);
        crate::rebuild::compact(app);
        nothing_of_the_person(app);

        // Created again: somebody new. A late fact from before does not change that.
        app.play(&[event("n", "dsync.user.created", 20, user("u1", "active", 20)), event("l9", "dsync.user.updated", 8, secret("u1", "active", 8))]);
        assert_eq!(app.brief(USERS, &["id", "status", "email"])[0], "u1 active u1@acme.example");
        assert_eq!(naming(&everything(app.database()), "secret"), Vec::<String>::new());
        assert_verifies(app);
    }
}

both! {
    fn a_suspended_person_who_was_erased_stays_so_when_the_deletion_comes(app) {
        life(app);
        app.play(&[event("e4", "dsync.user.updated", 4, secret("u1", "suspended", 4))]);
        erased(app, "u1").unwrap();
        nothing_of_the_person(app);

        app.play(&[event("l3", "dsync.user.updated", 3, secret("u1", "active", 3)), event("e5", "dsync.user.deleted", 5, secret("u1", "suspended", 4))]);
        nothing_of_the_person(app);

        // The same person again, by a newer fact. The groups are as before.
        app.play(&[event("e9", "dsync.user.updated", 9, user("u1", "active", 9))]);
        assert_eq!(app.brief(USERS, &["id", "status", "email"])[0], "u1 active u1@acme.example");
        assert_eq!(app.rows(rosterd::tables::host_tables::GROUP_MEMBERS).len(), 1);
    }
}

both! {
    fn a_late_fact_about_another_tenants_user_with_the_same_id_is_not_erased(app) {
        let elsewhere = |value: Value| with(value, json!({"directory_id": "dir_2", "organization_id": "org_2"}));
        app.play(&[
            event("d1", "dsync.activated", 1, directory("dir_1", "org_1", 1)),
            event("d2", "dsync.activated", 1, directory("dir_2", "org_2", 1)),
            event("e1", "dsync.user.created", 1, secret("u1", "active", 1)),
            event("f2", "dsync.user.deleted", 6, elsewhere(user("u1", "active", 2))),
            event("e2", "dsync.user.deleted", 9, secret("u1", "active", 1)),
        ]);
        erased(app, "u1").unwrap();

        app.play(&[event("f1", "dsync.user.updated", 3, elsewhere(secret("u1", "active", 3)))]);

        assert_eq!(app.brief(USERS, &["tenant_id", "status", "email"]), ["org_1 inactive null", "org_2 inactive u1@acme.example"]);
        assert_eq!(naming(&everything(app.database()), "u1.secret").iter().filter(|line| line.starts_with("inbox.body")).count(), 1);
    }
}
