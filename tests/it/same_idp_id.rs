//! One `idp_id` in several directories of a tenant: one person, or two people at the same time.

use std::collections::BTreeSet;

use rosterd::{
    operator::{erase::erase, manual_roles::OperatorAt},
    tables::host_tables::USERS,
};
use serde_json::{Value, json};

use crate::{
    harness::{
        TestApp, both,
        broker::{directory, event, organization, user, with},
    },
    notices::Office,
    roles::{GROUPS, apply, give, grants},
};

fn of(id: &str, seconds: i64, home: &str, email: &str) -> Value {
    with(
        user(id, "active", seconds),
        json!({"directory_id": home, "idp_id": "1001", "email": email, "name": email, "role": null, "roles": []}),
    )
}

fn change(kind: &str, seconds: i64, data: Value) -> Value {
    let id = format!("{kind}_{seconds}_{}", data["id"].as_str().unwrap());
    event(&id, &format!("dsync.user.{kind}"), seconds, data)
}

fn ann(kind: &str, seconds: i64) -> Value {
    change(kind, seconds, of("u1", seconds, "dir_1", "ann@acme.example"))
}

fn bob(kind: &str, seconds: i64) -> Value {
    change(kind, seconds, of("u2", seconds, "dir_2", "bob@acme.example"))
}

fn sftp(id: &str, seconds: i64) -> Value {
    event(
        &format!("on_{id}"),
        "dsync.activated",
        seconds,
        with(directory(id, "org_1", seconds), json!({"type": "sftp"})),
    )
}

fn directories(app: &TestApp) {
    app.play(&[event("o1", "organization.created", 0, organization("org_1", 0)), sftp("dir_1", 1)]);
    app.play(&[sftp("dir_2", 3)]);
    apply(app, GROUPS);
}

fn person(app: &TestApp, user_id: &str) -> Value {
    app.rows(USERS).into_iter().find(|row| row["id"] == user_id).unwrap()["person_id"].clone()
}

fn people(app: &TestApp) -> usize {
    let ids: BTreeSet<_> = app.rows(USERS).iter().map(|row| row["person_id"].to_string()).collect();
    ids.len()
}

fn erase_one(app: &TestApp, user: &str) -> Vec<String> {
    let by = OperatorAt { name: "op", now: app.clock.now() };
    erase(app.database(), &app.config.rules(), "org_1", user, by).unwrap().user_ids
}

/// The people who are named in a mail.
fn notified(app: &TestApp, office: &Office) -> Vec<&'static str> {
    app.clock.advance_seconds(61);
    office.send(app);
    let names = |name: &str| office.mails().iter().any(|mail| mail.raw.contains(name));
    ["ann@acme.example", "bob@acme.example"].into_iter().filter(|email| names(email)).collect()
}

both! {
    fn two_who_are_there_at_once_are_two_and_stay_two(app) {
        let office = Office::of(app);
        directories(app);
        app.play(&[ann("created", 2)]);
        give(app, "u1", "editor").unwrap();
        let before = person(app, "u1");

        app.play(&[bob("created", 4)]);
        assert_eq!((people(app), person(app, "u1")), (2, before), "nothing changes for whoever was there");
        assert_eq!(grants(app), ["u1 editor"]);
        app.play(&[ann("deleted", 10)]);
        assert_eq!(notified(app, &office), ["ann@acme.example"]);
        app.play(&[bob("deleted", 11)]);

        assert_eq!(people(app), 2);
        assert_eq!(notified(app, &office), ["ann@acme.example", "bob@acme.example"]);
    }
}

both! {
    fn erasing_one_of_two_leaves_the_other(app) {
        directories(app);
        app.play(&[ann("created", 2), bob("created", 4)]);
        give(app, "u1", "admin").unwrap();
        give(app, "u2", "editor").unwrap();
        app.play(&[ann("deleted", 10)]);

        assert_eq!(erase_one(app, "u1"), ["u1"]);

        assert_eq!(app.brief(USERS, &["id", "status", "email"]), ["u1 inactive null", "u2 active bob@acme.example"]);
        assert_eq!((people(app), grants(app)), (2, vec!["u2 editor".to_owned()]));
        app.play(&[bob("deleted", 11)]);
        assert_eq!(erase_one(app, "u2"), ["u2"]);
    }
}

both! {
    fn a_manual_grant_belongs_to_the_user_for_whom_it_was_made(app) {
        directories(app);
        // The event about Bob arrives first, although Ann existed before.
        app.play(&[bob("created", 4)]);
        give(app, "u2", "editor").unwrap();
        let bob_alone = person(app, "u2");

        app.play(&[ann("created", 2)]);

        assert_eq!((people(app), grants(app)), (2, vec!["u2 editor".to_owned()]));
        assert_eq!(person(app, "u1"), bob_alone);
        give(app, "u1", "admin").unwrap();
        assert_eq!(grants(app), ["u1 admin", "u2 editor"]);
    }
}

both! {
    fn two_people_with_one_key_are_separated_as_soon_as_both_are_active(app) {
        directories(app);
        app.play(&[ann("created", 2), ann("deleted", 5), bob("created", 7)]);
        assert_eq!(people(app), 1, "Ann is gone, so this is her with another address");
        give(app, "u2", "editor").unwrap();

        app.play(&[ann("updated", 9)]);

        assert_eq!((people(app), grants(app)), (2, vec!["u2 editor".to_owned()]));
    }
}

both! {
    fn both_leavers_are_reported_even_if_they_turn_out_to_be_two_after_both_have_left(app) {
        let office = Office::of(app);
        directories(app);
        for event in [ann("created", 2), ann("deleted", 5), bob("created", 7), bob("deleted", 9)] {
            app.play(&[event]);
        }
        assert_eq!(people(app), 1);

        app.play(&[ann("updated", 6), ann("deleted", 8)]);

        assert_eq!(people(app), 2);
        assert_eq!(notified(app, &office), ["ann@acme.example", "bob@acme.example"]);
    }
}

both! {
    fn a_directory_that_is_connected_before_the_former_is_deleted_has_the_same_people(app) {
        let office = Office::of(app);
        directories(app);
        app.play(&[ann("created", 2), change("created", 4, of("u2", 4, "dir_2", "Ann@acme.example"))]);
        give(app, "u1", "editor").unwrap();

        app.play(&[event("off", "dsync.deleted", 9, with(directory("dir_1", "org_1", 1), json!({"type": "sftp"})))]);

        assert_eq!((people(app), grants(app)), (1, vec!["u2 editor".to_owned()]));
        assert!(notified(app, &office).is_empty(), "she is still there");
    }
}

both! {
    fn a_person_who_returns_with_a_new_id_and_address_is_the_same(app) {
        directories(app);
        app.play(&[ann("created", 2)]);
        give(app, "u1", "editor").unwrap();
        app.play(&[ann("deleted", 5)]);
        app.play(&[change("created", 7, of("u2", 7, "dir_2", "ann.lee@acme.example"))]);

        assert_eq!((people(app), grants(app)), (1, vec!["u2 editor".to_owned()]));
    }
}

both! {
    fn an_address_that_becomes_the_same_makes_one_person_of_two_and_they_share_what_was_given(app) {
        directories(app);
        app.play(&[ann("created", 2), bob("created", 4)]);
        give(app, "u2", "editor").unwrap();

        app.play(&[change("updated", 6, of("u2", 6, "dir_2", "ann@acme.example"))]);

        assert_eq!((people(app), grants(app)), (1, vec!["u1 editor".to_owned(), "u2 editor".to_owned()]));
    }
}

both! {
    fn a_deletion_that_names_another_kind_of_provider_makes_nobody_another_person(app) {
        directories(app);
        app.play(&[ann("created", 2)]);
        let before = person(app, "u1");

        app.play(&[event("off", "dsync.deleted", 5, directory("dir_1", "org_1", 1))]);
        app.play(&[change("created", 7, of("u2", 7, "dir_2", "ann@acme.example"))]);

        assert_eq!((person(app, "u1"), person(app, "u2")), (before.clone(), before));
    }
}

both! {
    fn an_idp_id_of_more_than_thirty_two_users_is_no_id_of_anybody(app) {
        directories(app);
        let user = |n: usize, seconds: i64, fields: Value| {
            let user = of(&format!("u{n}"), seconds, &format!("dir_{}", 1 + n % 2), &format!("u{n}@acme.example"));
            with(user, fields)
        };
        for part in (0..33).collect::<Vec<_>>().chunks(10) {
            app.play(&part.iter().map(|n| change("created", 5, user(*n, 5, json!({})))).collect::<Vec<_>>());
            // Users of one directory are one person.
            assert_eq!(people(app), if part.len() == 10 { 2 } else { 1 });
        }

        app.play(&[change("updated", 6, user(0, 6, json!({"idp_id": "another"})))]);
        assert_eq!(people(app), 3);

        // So many users that the others are not compared.
        let crowd: Vec<Value> = (40..200).map(|n| change("created", 7, user(n, 7, json!({})))).collect();
        app.play(&crowd);
        app.play(&[change("updated", 8, user(1, 8, json!({"email": "other@acme.example"})))]);
        assert_eq!(people(app), 2);
    }
}
