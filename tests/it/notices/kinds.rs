//! Each kind of news, from the change to the mail; and changes that are no news.

use rosterd::{
    db::DbError,
    operator::{
        holds,
        mapping_plan::{self, PlanOperator},
        rebuild::{Rebuild, rebuild},
    },
    outbox::{
        self, Notice,
        notice::{LastHolder, NoticePerson},
    },
    tables::host_tables::USERS,
};
use serde_json::json;

use super::{Office, created, deleted, later};
use crate::{
    harness::{
        TestApp, both,
        broker::{directory, event, user, with},
    },
    roles::{GROUPS, beginning, joins, leaves, named},
    smtp::Received,
};

/// Shortly before the service's clock, in the seconds of the events.
pub(crate) const RECENT: i64 = 151 * 86_400 - 60;

fn subjects(mails: &[Received]) -> Vec<&str> {
    mails.iter().filter_map(|mail| mail.header("Subject")).collect()
}

fn enqueue(app: &TestApp, notices: &[Notice]) {
    let now = app.clock.now();
    app.database().write::<_, DbError>(|conn| Ok(outbox::enqueue(conn, notices, now)?)).unwrap();
}

pub(super) fn map(app: &TestApp, document: &str) {
    let by = PlanOperator { name: "ada", now: app.clock.now() };
    mapping_plan::apply(app.database(), &app.config.rules(), document, None, &by).unwrap();
    app.drain();
}

both! {
    fn a_connected_directory_is_reported_and_a_deleted_one_is_reported_with_its_people_in_one_mail(app) {
        let office = Office::of(app);
        app.play(&[event("d1", "dsync.activated", RECENT, directory("dir_1", "org_1", RECENT)), created("u1"), created("u2")]);
        later(app);
        office.send(app);
        app.play(&[event("x1", "dsync.deleted", RECENT + 70, directory("dir_1", "org_1", RECENT))]);
        later(app);
        office.send(app);

        let mails = office.mails();
        assert_eq!(subjects(&mails), [
            "Directory connected: Directory dir_1 (org_1)",
            "Directory deleted: Directory dir_1, 2 people lost access (org_1)",
        ]);
        assert!(mails[1].raw.contains("Given u1") && mails[1].raw.contains("People     2 lost access"));
        for mail in &mails {
            assert!(mail.raw.contains("org_1, inbox "), "{}", mail.raw);
        }
    }
}

both! {
    fn an_event_read_long_after_it_happened_is_no_news_but_a_loss_of_access_is(app) {
        let office = Office::of(app);
        app.play(&[event("d1", "dsync.activated", 0, directory("dir_1", "org_1", 0)), created("u1")]);
        app.play(&[event("x1", "dsync.deleted", 20, directory("dir_1", "org_1", 0))]);
        later(app);

        office.send(app);

        assert_eq!(subjects(&office.mails()), ["Access removed: Given u1 (org_1)"]);
    }
}

both! {
    fn a_privileged_role_is_reported_when_it_is_granted_and_when_it_is_lost(app) {
        let office = Office::of(app);
        beginning(app);
        map(app, GROUPS);
        later(app);
        office.send(app);
        let before = office.mails().len();

        app.play(&[joins("u1", named("g_admins", "Admins", 1), RECENT)]);
        later(app);
        office.send(app);
        app.play(&[leaves("u1", named("g_admins", "Admins", 1), RECENT + 70)]);
        later(app);
        office.send(app);

        let mails = office.mails().split_off(before);
        assert_eq!(subjects(&mails), [
            "Privileged role granted: Given u1, admin (Org org_1)",
            "Privileged role lost: Given u1, admin (Org org_1)",
        ]);
        assert!(mails[0].raw.contains("rule admins: group Admins (g_admins)"), "{}", mails[0].raw);
    }
}

both! {
    fn a_role_granted_and_lost_within_the_window_is_not_reported(app) {
        let office = Office::of(app);
        beginning(app);
        map(app, GROUPS);
        later(app);
        office.send(app);
        let before = office.mails().len();
        app.play(&[joins("u1", named("g_admins", "Admins", 1), RECENT)]);
        app.play(&[leaves("u1", named("g_admins", "Admins", 1), RECENT + 10)]);
        later(app);

        office.send(app);

        assert_eq!(office.mails().len(), before);
    }
}

both! {
    fn a_first_sync_causes_no_notices_about_its_roles(app) {
        let office = Office::of(app);
        map(app, GROUPS);
        app.play(&[event("d1", "dsync.activated", RECENT - 600, directory("dir_1", "org_1", RECENT - 600))]);
        app.play(&[joins("u1", named("g_admins", "Admins", 1), RECENT - 500), joins("u2", named("g_admins", "Admins", 1), RECENT)]);
        later(app);

        office.send(app);

        assert_eq!(subjects(&office.mails()), ["Directory connected: Directory dir_1 (org_1)"]);
        // The silence ends with a count; later changes are mailed one by one.
        app.clock.advance_seconds(6 * 3_600 - 700);
        office.send(app);
        assert_eq!(office.mails().len(), 1);
        app.clock.advance_seconds(700);
        office.send(app);
        later(app);
        office.send(app);
        let mails = office.mails();
        assert_eq!(subjects(&mails)[1..], ["Directory synchronized: 2 people hold privileged roles (org_1)"]);
        assert!(mails[1].raw.contains("Given u1") && mails[1].raw.contains("Given u2"), "{}", mails[1].raw);
        app.play(&[joins("u3", named("g_admins", "Admins", 1), RECENT + 6 * 3_600)]);
        later(app);
        office.send(app);
        assert_eq!(subjects(&office.mails())[2..], ["Privileged role granted: Given u3, admin (org_1)"]);
    }
}

both! {
    fn the_length_of_the_first_synchronization_is_a_setting(app, |config| config.mail.first_sync_hours = 0) {
        let office = Office::of(app);
        map(app, GROUPS);
        app.play(&[event("d1", "dsync.activated", RECENT - 600, directory("dir_1", "org_1", RECENT - 600))]);
        app.play(&[joins("u1", named("g_admins", "Admins", 1), RECENT - 500)]);
        later(app);
        office.send(app);
        app.clock.advance_seconds(7 * 3_600);
        office.send(app);

        let mut mails = subjects(&office.mails()).iter().map(|subject| (*subject).to_owned()).collect::<Vec<_>>();
        mails.sort();
        assert_eq!(mails, ["Directory connected: Directory dir_1 (org_1)", "Privileged role granted: Given u1, admin (org_1)"]);
    }
}

both! {
    fn another_mapping_is_reported_to_the_affected_tenants_with_privileged_roles_by_name(app) {
        let office = Office::of(app);
        beginning(app);
        let other = with(user("u9", "active", 1), json!({"directory_id": "dir_2", "organization_id": "org_2",
            "role": {"slug": "viewer"}, "roles": []}));
        app.play(&[joins("u1", named("g_admins", "Admins", 1), 5), event("c9", "dsync.user.created", 1, other)]);

        map(app, GROUPS);
        later(app);
        office.send(app);

        let mails = office.mails();
        assert_eq!(subjects(&mails), ["Role rules changed: 2 people affected (Org org_1)"]);
        assert!(mails[0].raw.contains("Gains      admin") && mails[0].raw.contains("Gained     2 people gain roles"));
        assert!(!mails[0].raw.contains("Given u2"), "only privileged roles are told by name");
    }
}

both! {
    fn a_dead_letter_is_reported_to_the_operator_but_not_one_of_another_tenant(app) {
        let office = Office::with(app, |config| {
            config.mail.recipients.insert("org_1".to_owned(), vec!["it@acme.example".parse().unwrap()]);
        });
        app.play(&[event("d1", "dsync.activated", 0, directory("dir_1", "org_1", 0))]);
        app.deliver(&event("bad", "dsync.user.created", 1, json!({"id": "u1"})));
        let thief = with(user("u2", "active", 1), json!({"organization_id": "org_2"}));
        app.play(&[event("thief", "dsync.user.created", 2, thief)]);
        later(app);

        office.send(app);

        let mails = office.mails();
        assert_eq!(subjects(&mails), ["Not applied: 1 delivery"]);
        assert_eq!(mails[0].to, ["fallback@host.example"]);
        assert!(mails[0].header("X-Rosterd-Tenant").is_none());
    }
}

both! {
    fn refused_claims_are_reported_to_the_operator_once_a_day_with_the_leavers_among_them(app) {
        let office = Office::of(app);
        app.play(&[event("d1", "dsync.activated", 0, directory("dir_1", "org_1", 0)), created("u1"), created("u2")]);
        let other = |id: &str, kind: &str, state: &str| {
            event(id, kind, 9, with(user("u1", state, 9), json!({"organization_id": "org_2"})))
        };
        app.play(&[
            other("x1", "dsync.user.updated", "active"),
            other("x2", "dsync.user.updated", "inactive"),
            other("x3", "dsync.user.deleted", "active"),
        ]);
        let minutes = |minutes: i64| {
            app.clock.advance_seconds(minutes * 60);
            office.send(app);
            later(app);
            office.send(app);
            office.mails().len()
        };

        assert_eq!([minutes(5), minutes(10), minutes(60)], [0, 1, 1]);
        app.play(&[other("x4", "dsync.user.updated", "active")]);
        assert_eq!([minutes(60), minutes(22 * 60)], [1, 2], "the next mail comes after a day");

        let mails = office.mails();
        assert_eq!(subjects(&mails), ["Events refused: 1 directory claimed by another organization"; 2]);
        assert_eq!(mails[0].to, ["fallback@host.example"]);
        assert!(mails[0].raw.contains("3 events, 2 of them would end a person's access"), "{}", mails[0].raw);
        assert!(mails[0].raw.contains("org_1") && mails[0].raw.contains("org_2"));
        assert!(mails[1].raw.contains("1 event, none of them would end access"), "{}", mails[1].raw);
        assert_eq!(app.brief(USERS, &["id", "status"]), ["u1 active", "u2 active"]);
    }
}

both! {
    fn a_silent_directory_is_reported_once_until_its_next_event(app) {
        let office = Office::of(app);
        app.play(&[event("d1", "dsync.activated", 0, directory("dir_1", "org_1", 0)), created("u1")]);
        let days = |days: i64| {
            app.clock.advance_seconds(days * 86_400);
            office.send(app);
            later(app);
            office.send(app);
            office.mails().len()
        };

        assert_eq!((days(29), days(2), days(40)), (0, 1, 1));
        assert!(app.get("/metrics").body.contains("rosterd_directories_silent 1\n"));
        app.play(&[event("e5", "dsync.user.updated", 5, user("u1", "active", 5))]);
        assert!(app.get("/metrics").body.contains("rosterd_directories_silent 0\n"));
        assert_eq!((days(29), days(2)), (1, 2));

        assert_eq!(subjects(&office.mails()), ["No updates from a directory: Directory dir_1 (org_1)"; 2]);
    }
}

both! {
    fn a_hold_is_reported_when_it_is_calm_in_its_own_mail_and_only_once(app) {
        let office = Office::of(app);
        let ids: Vec<String> = (10..30).map(|n| format!("u{n}")).collect();
        app.play(&ids.iter().map(|id| created(id)).collect::<Vec<_>>());
        app.play(&ids[..12].iter().map(|id| deleted(id, 9)).collect::<Vec<_>>());
        assert!(app.notices().iter().all(String::is_empty), "nobody has left: {:?}", app.notices());

        app.clock.advance_seconds(30);
        app.drain();
        office.send(app);
        // One more person joins the hold.
        app.play(&[deleted(&ids[12], 10)]);
        later(app);
        app.drain();
        office.send(app);

        let mails = office.mails();
        let held: Vec<&Received> = mails.iter().filter(|mail| mail.header("Importance") == Some("high")).collect();
        let [mail] = held.as_slice() else { panic!("{:?}", subjects(&mails)) };
        assert!(mail.raw.contains("send \"approve hold 1\""), "{}", mail.raw);
        assert!(mail.raw.contains("12 people") && mail.raw.contains("u10"), "{}", mail.raw);
    }
}

both! {
    fn a_hold_whose_number_of_people_doubles_is_reported_again(app) {
        let office = Office::of(app);
        let ids: Vec<String> = (10..40).map(|n| format!("u{n}")).collect();
        app.play(&ids.iter().map(|id| created(id)).collect::<Vec<_>>());
        for some in [&ids[..12], &ids[12..26]] {
            app.play(&some.iter().map(|id| deleted(id, 9)).collect::<Vec<_>>());
            app.clock.advance_seconds(30);
            app.drain();
            office.send(app);
        }

        let mails = office.mails();
        let held: Vec<&Received> = mails.iter().filter(|mail| mail.header("Importance") == Some("high")).collect();
        let [first, second] = held.as_slice() else { panic!("{:?}", subjects(&mails)) };
        assert!(first.raw.contains("12 people") && !first.raw.contains("Grown"), "{}", first.raw);
        assert!(second.raw.contains("26 people") && second.raw.contains("26 now, 12 in the mail before"), "{}", second.raw);
    }
}

both! {
    fn a_hold_that_is_decided_before_its_mail_is_sent_is_not_reported(app) {
        let office = Office::of(app);
        let ids: Vec<String> = (10..30).map(|n| format!("u{n}")).collect();
        app.play(&ids.iter().map(|id| created(id)).collect::<Vec<_>>());
        app.play(&ids[..12].iter().map(|id| deleted(id, 9)).collect::<Vec<_>>());

        let by = holds::HoldDecision { name: "ada", ..Default::default() };
        holds::decide(app.database(), 1, holds::Verdict::Reject, by, app.clock.now()).unwrap();
        office.send(app);

        assert!(office.mails().iter().all(|mail| mail.header("Importance").is_none()));
    }
}

both! {
    fn a_last_holder_who_retains_a_role_is_reported_once(app) {
        let office = Office::of(app);
        let person = NoticePerson { tenant_id: "org_1".into(), user_id: "u1".into(), person_id: "p1".into() };
        let retained = LastHolder { name: Some("Ada".into()), role: "owner".into(), access: true, ..LastHolder::default() };
        let notice = Notice::LastHolderRetained { person, retained };
        enqueue(app, &[notice.clone(), notice]);
        later(app);

        office.send(app);

        let mails = office.mails();
        assert_eq!(subjects(&mails), ["Last owner not removed: Ada (org_1)"]);
        assert!(mails[0].raw.contains("org_1, inbox "), "{}", mails[0].raw);
    }
}

both! {
    fn a_kind_can_be_switched_off_for_all_and_for_one_tenant(app) {
        let office = Office::with(app, |config| {
            config.mail.kinds.insert("directory_connected", false);
            config.mail.kinds_of.insert("org_1".to_owned(), [("deprovisioned", false)].into());
        });
        let other = |state: &str, seconds| with(user("u2", state, seconds), json!({"organization_id": "org_2", "directory_id": "dir_2"}));
        app.play(&[
            event("d1", "dsync.activated", RECENT, directory("dir_1", "org_1", RECENT)),
            created("u1"),
            event("c2", "dsync.user.created", 1, other("active", 1)),
        ]);
        app.play(&[deleted("u1", 9), event("e2", "dsync.user.updated", 9, other("inactive", 9))]);
        later(app);

        office.send(app);

        assert_eq!(subjects(&office.mails()), ["Access removed: Given u2 (org_2)"]);
        assert_eq!(app.get("/readyz").json()["outbox"]["count"], 0, "what is switched off does not wait either");
    }
}

both! {
    fn a_rebuild_causes_no_notices(app) {
        let office = Office::of(app);
        beginning(app);
        map(app, GROUPS);
        app.play(&[joins("u1", named("g_admins", "Admins", 1), RECENT)]);
        app.play(&[event("d2", "dsync.activated", RECENT, directory("dir_2", "org_1", RECENT)), deleted("u2", RECENT)]);
        later(app);
        office.send(app);
        let sent = office.mails().len();
        assert!(sent >= 4, "{sent}");

        let rules = app.config.rules();
        rebuild(app.database(), Rebuild { rules: &rules, tenant: None, dry_run: false, by: "ada" }, app.clock.now()).unwrap();
        later(app);
        office.send(app);

        assert_eq!(office.mails().len(), sent);
    }
}
