//! Who is notified that a person lost access: from an event to a mail, both over the network.

mod delivery;
mod kinds;
mod lists;
mod look;
mod recipients;
pub(crate) mod reports;
mod waiting;

pub(crate) use kinds::RECENT;

use std::time::Duration;

use rosterd::{
    config::Config,
    notify::{Notifier, NotifyStep},
    tables::host_tables::USERS,
};
use serde_json::{Value, json};

use crate::{
    harness::{
        TestApp, both,
        broker::{directory, event, user, with},
    },
    smtp::{Behaviour, Received, SmtpServer},
};

/// A service whose mail server is `smtp`.
pub(crate) struct Office {
    smtp: SmtpServer,
    notifier: Notifier,
}

impl Office {
    pub(crate) fn of(app: &TestApp) -> Self {
        Self::with(app, |_config| {})
    }

    pub(crate) fn with(app: &TestApp, adjust: impl FnOnce(&mut Config)) -> Self {
        let smtp = SmtpServer::start().unwrap();
        let mut config = app.config.clone();
        config.mail.url = Some(rosterd::config::MailUrl::Smtp(smtp.url().into()));
        config.mail.timeout_seconds = 2;
        adjust(&mut config);
        let notifier = Notifier::new(&config.mail).unwrap();
        Self { smtp, notifier }
    }

    /// Sends mails until there are none to send now.
    pub(crate) fn send(&self, app: &TestApp) {
        let metrics = &app.applier.metrics;
        while self.notifier.step(app.database(), app.clock.now(), metrics).unwrap() == NotifyStep::Worked {}
    }

    pub(crate) fn mails(&self) -> Vec<Received> {
        self.smtp.received()
    }
}

fn created(id: &str) -> Value {
    event(&format!("c_{id}"), "dsync.user.created", 1, user(id, "active", 1))
}

fn deleted(id: &str, seconds: i64) -> Value {
    event(&format!("d_{id}"), "dsync.user.deleted", seconds, user(id, "active", 1))
}

/// Waits until the window in which leavers are gathered is over.
fn later(app: &TestApp) {
    app.clock.advance_seconds(61);
}

both! {
    fn a_leaver_is_reported_once_in_text_and_html_to_the_tenants_recipients(app) {
        let office = Office::with(app, |config| {
            config.mail.recipients.insert("org_1".to_owned(), vec!["it@acme.example".parse().unwrap()]);
        });
        app.play(&[created("u1")]);
        app.play(&[deleted("u1", 9)]);

        office.send(app);
        assert_eq!(office.mails(), [], "the window is still open");
        later(app);
        office.send(app);
        later(app);
        office.send(app);

        let mails = office.mails();
        assert_eq!(mails.len(), 1);
        assert_eq!(mails[0].to, ["it@acme.example"]);
        for part in ["text/plain", "text/html", "Given u1", "u1@acme.example", "2026-01-01", "Auto-Submitted: auto-generated"] {
            assert!(mails[0].raw.contains(part), "{part} in\n{}", mails[0].raw);
        }
        assert!(mails[0].header("Message-ID").unwrap().ends_with("@host.example>"));
    }
}

both! {
    fn both_removal_modes_of_the_broker_are_reported_alike(app) {
        let office = Office::of(app);
        app.play(&[created("u1"), created("u2")]);
        app.play(&[event("e9", "dsync.user.updated", 9, user("u1", "inactive", 9)), deleted("u2", 9)]);
        later(app);

        office.send(app);

        let mails = office.mails();
        // Several leavers of a short window are one mail. It goes to the fallback when the tenant has no recipients.
        assert_eq!((mails.len(), &mails[0].to), (1, &vec!["fallback@host.example".to_owned()]));
        assert!(mails[0].raw.contains("Given u1") && mails[0].raw.contains("Given u2"));
    }
}

both! {
    fn tenants_do_not_share_a_mail(app) {
        let office = Office::of(app);
        let other = |state: &str, seconds| with(user("u2", state, seconds), json!({"organization_id": "org_2", "directory_id": "dir_2"}));
        app.play(&[created("u1"), event("c2", "dsync.user.created", 1, other("active", 1))]);
        app.play(&[deleted("u1", 9), event("e2", "dsync.user.updated", 9, other("inactive", 9))]);
        later(app);

        office.send(app);

        let mails = office.mails();
        assert_eq!(mails.len(), 2);
        // Lesson 38: no text of one tenant names people of another.
        assert!(mails.iter().all(|mail| mail.raw.contains("Given u1") != mail.raw.contains("Given u2")));
    }
}

both! {
    fn a_person_who_is_active_again_before_the_mail_is_sent_is_not_reported(app) {
        let office = Office::of(app);
        app.play(&[created("u1")]);
        app.play(&[event("e9", "dsync.user.updated", 9, user("u1", "inactive", 9))]);
        app.play(&[event("e10", "dsync.user.updated", 10, user("u1", "active", 10))]);
        later(app);

        office.send(app);

        assert_eq!(office.mails(), []);
    }
}

both! {
    fn a_returner_is_not_reported_even_if_the_directorys_own_event_came_after_both(app) {
        let office = Office::of(app);
        app.play(&[created("u1")]);
        app.play(&[event("e9", "dsync.user.updated", 9, user("u1", "inactive", 9))]);
        app.play(&[event("e10", "dsync.user.updated", 10, user("u1", "active", 10))]);
        // Now the kind of provider is known, and so is the person.
        app.play(&[event("d1", "dsync.activated", 0, directory("dir_1", "org_1", 0))]);
        later(app);

        office.send(app);

        assert_eq!(office.mails(), []);
    }
}

both! {
    fn lesson_36_a_directory_made_again_announces_neither_leaver_nor_newcomer(app) {
        let office = Office::of(app);
        app.play(&[event("d1", "dsync.activated", 0, directory("dir_1", "org_1", 0)), created("u1")]);
        app.play(&[event("x1", "dsync.deleted", 20, directory("dir_1", "org_1", 0))]);
        let again = with(user("u1_again", "active", 30), json!({"directory_id": "dir_2", "idp_id": "idp_u1"}));
        app.play(&[
            event("d2", "dsync.activated", 30, directory("dir_2", "org_1", 30)),
            event("c2", "dsync.user.created", 31, again),
        ]);
        later(app);

        office.send(app);

        assert_eq!(app.brief(USERS, &["id", "status"]), ["u1 inactive", "u1_again active"]);
        assert_eq!(office.mails(), []);
    }
}

both! {
    fn lesson_37_a_return_with_a_new_id_is_the_same_person_who_has_not_left(app) {
        let office = Office::of(app);
        app.play(&[created("u1")]);
        app.play(&[
            deleted("u1", 9),
            event("c2", "dsync.user.created", 10, with(user("u1_new", "active", 10), json!({"idp_id": "idp_u1"}))),
        ]);
        later(app);
        office.send(app);
        assert_eq!(office.mails(), []);

        app.play(&[event("d2", "dsync.user.deleted", 20, with(user("u1_new", "active", 10), json!({"idp_id": "idp_u1"})))]);
        later(app);
        office.send(app);
        assert_eq!(office.mails().len(), 1, "now the person has left");
    }
}

both! {
    fn lesson_7_a_deleted_directory_is_one_mail(app, |config| config.guard.on = false) {
        let office = Office::of(app);
        let people: Vec<Value> = (0..60).map(|n| created(&format!("u{n}"))).collect();
        app.play(&people);
        app.play(&[event("x1", "dsync.deleted", 20, directory("dir_1", "org_1", 0))]);
        later(app);

        office.send(app);

        assert_eq!((app.notices().len(), office.mails().len()), (60, 1));
    }
}

both! {
    fn a_mail_taken_without_an_answer_is_sent_again_with_the_same_message_id(app) {
        let office = Office::of(app);
        office.smtp.next([Behaviour::DropAfterData]);
        app.play(&[created("u1")]);
        app.play(&[deleted("u1", 9)]);
        later(app);
        office.send(app);
        app.clock.advance_seconds(3_600);

        office.send(app);

        let mails = office.mails();
        assert_eq!(mails.len(), 2);
        assert_eq!(mails[0].header("Message-ID"), mails[1].header("Message-ID"));
        assert_eq!((mails[0].answered, mails[1].answered), (false, true));
    }
}

both! {
    fn promise_5_a_mail_server_that_refuses_or_sleeps_delays_mail_and_no_leaver(app) {
        let office = Office::of(app);
        office.smtp.next([Behaviour::TemporaryFail, Behaviour::Slow { pause: Duration::from_millis(100), drips: false }]);
        app.play(&[created("u1"), created("u2")]);
        app.play(&[deleted("u1", 9)]);
        later(app);
        office.send(app);
        assert_eq!(office.mails(), []);

        app.play(&[deleted("u2", 10)]);

        assert_eq!(app.brief(USERS, &["id", "status"]), ["u1 inactive", "u2 inactive"]);
        assert!(app.get("/readyz").json()["outbox"]["count"].as_i64() > Some(0));
        app.clock.advance_seconds(3_600);
        office.send(app);
        assert_eq!(office.mails().len(), 2);
        assert_eq!(app.get("/readyz").json()["outbox"]["count"], 0);
    }
}

both! {
    fn names_from_a_directory_cannot_add_headers_or_markup(app) {
        let office = Office::of(app);
        let hostile = json!({"name": "<script>alert(1)</script>\r\nBcc: all@victim.example", "email": "a@x.example"});
        app.play(&[event("c1", "dsync.user.created", 1, with(user("u1", "active", 1), hostile.clone()))]);
        app.play(&[event("d1", "dsync.user.deleted", 9, with(user("u1", "active", 1), hostile))]);
        later(app);

        office.send(app);

        let mails = office.mails();
        assert_eq!(mails[0].to, ["fallback@host.example"]);
        let html = mails[0].raw.split("text/html").nth(1).unwrap();
        assert!(!html.contains("<script") && html.contains("&#60;script"), "{html}");
        assert!(!mails[0].raw.lines().any(|line| line.starts_with("Bcc:")));
    }
}

both! {
    fn a_refused_recipient_does_not_stop_the_mail_to_the_others(app) {
        let office = Office::with(app, |config| {
            let recipients = ["gone@acme.example", "it@acme.example"].map(|address| address.parse().unwrap());
            config.mail.recipients.insert("org_1".to_owned(), recipients.to_vec());
        });
        office.smtp.next([Behaviour::RefuseRecipient("gone@"); 3]);
        app.play(&[created("u1")]);
        app.play(&[deleted("u1", 9)]);
        later(app);

        office.send(app);

        assert!(office.smtp.connections() >= 2);
        let mails = office.mails();
        assert_eq!((mails.len(), &mails[0].to), (1, &vec!["it@acme.example".to_owned()]));
    }
}

both! {
    fn a_former_bearer_of_an_active_id_is_reported_by_their_own_name(app) {
        let named = |state, seconds, name: &str| {
            let address = format!("{name}@acme.example");
            with(user("jsmith", state, seconds), json!({"idp_id": name, "email": address, "first_name": name, "last_name": "Smith"}))
        };
        let office = Office::of(app);
        app.play(&[event("c1", "dsync.user.created", 1, named("active", 1, "john"))]);
        // John is deleted, and the id goes to Jane within one window. Later it goes from her to Joan at once.
        app.play(&[event("d1", "dsync.user.deleted", 9, named("active", 1, "john"))]);
        app.play(&[event("c2", "dsync.user.created", 10, named("active", 10, "jane"))]);
        later(app);
        office.send(app);
        app.play(&[event("u3", "dsync.user.updated", 20, named("active", 20, "joan"))]);
        later(app);
        office.send(app);

        let mails = office.mails();
        assert_eq!(mails.len(), 2, "{mails:?}");
        for (mail, name) in mails.iter().zip(["john", "jane"]) {
            assert!(mail.raw.contains(&format!("{name}@acme.example")) && !mail.raw.contains("joan"), "{}", mail.raw);
        }
        let receipts = app.database().read::<_, rosterd::db::DbError>(|conn| {
            Ok(rosterd::audit::leaver_receipt::receipts(conn, "org_1", None, None)?)
        });
        let receipts = receipts.unwrap();
        let emails: Vec<_> = receipts.iter().map(|receipt| receipt.email.as_deref()).collect();
        assert_eq!(emails, [Some("john@acme.example"), Some("jane@acme.example")]);
    }
}
