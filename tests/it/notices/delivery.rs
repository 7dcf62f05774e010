//! The number and size of mails, and the operator's commands for them.

use serde_json::{Value, json};

use super::{Office, created, deleted, later};
use crate::{
    harness::{
        Backend, TestApp, both,
        broker::{event, user, with},
        process::{output, rosterd, stdout},
    },
    smtp::{Behaviour, SmtpServer},
};

both! {
    fn lesson_39_above_its_rate_a_tenant_waits_and_gets_one_mail_of_all(app) {
        let office = Office::with(app, |config| config.mail.most_per_hour = 2);
        let people: Vec<Value> = (0..6).map(|n| created(&format!("u{n}"))).collect();
        app.play(&people);

        for n in 0..6 {
            app.play(&[deleted(&format!("u{n}"), 10 + n)]);
            later(app);
            office.send(app);
        }
        assert_eq!(office.mails().len(), 2);
        app.clock.advance_seconds(3_600);
        office.send(app);

        let mails = office.mails();
        assert_eq!(mails.len(), 3);
        assert_eq!(mails[2].header("Subject"), Some("Access removed: 4 people (org_1)"));
    }
}

both! {
    fn a_flood_is_one_mail_with_counts_and_a_list_of_all(app) {
        let office = Office::with(app, |config| config.mail.max_named = 2);
        let people: Vec<Value> = (0..5).map(|n| created(&format!("u{n}"))).collect();
        app.play(&people);
        let gone: Vec<Value> = (0..5).map(|n| deleted(&format!("u{n}"), 10 + n)).collect();
        app.play(&gone);
        later(app);

        office.send(app);

        let mails = office.mails();
        assert_eq!(mails.len(), 1);
        for part in ["3 more people are not named in this mail.", "filename=\"people.csv\"", "text/csv"] {
            assert!(mails[0].raw.contains(part), "{part} in\n{}", mails[0].raw);
        }
    }
}

both! {
    fn notices_that_wait_for_their_window_are_listed_before_they_have_a_mail(app) {
        let office = Office::of(app);
        app.play(&[created("u1"), created("u2")]);
        app.play(&[deleted("u1", 9), deleted("u2", 9)]);
        office.send(app);
        let listed = |arguments: &[&str]| -> Vec<Value> {
            let mut command = rosterd();
            command.args(["notices", "list", "--format", "json"]).args(arguments).env("DATABASE_URL", app.store.url());
            serde_json::from_str(&stdout(&output(&mut command))).unwrap()
        };

        let rows = listed(&["--tenant", "org_1"]);
        assert_eq!(rows.len(), 1, "{rows:?}");
        for (key, value) in [
            ("id", Value::Null),
            ("about", "leavers".into()),
            ("state", "gathering".into()),
            ("notices", 2.into()),
            ("created_at", "2026-06-01T00:00:00.000000Z".into()),
            ("due_at", "2026-06-01T00:01:00.000000Z".into()),
        ] {
            assert_eq!(rows[0][key], value, "{rows:?}");
        }
        assert_eq!((listed(&["--state", "gathering"]).len(), listed(&["--state", "waiting"]).len()), (1, 0));

        later(app);
        office.send(app);
        let rows = listed(&[]);
        assert_eq!((rows.len(), &rows[0]["state"], &rows[0]["notices"]), (1, &"sent".into(), &2.into()));
    }
}

both! {
    fn a_mail_that_was_given_up_is_listed_and_can_be_sent_again(app) {
        let office = Office::of(app);
        office.smtp.next([Behaviour::TemporaryFail; 10]);
        app.play(&[created("u1")]);
        app.play(&[deleted("u1", 9)]);
        for _ in 0..80 {
            app.clock.advance_seconds(3_600);
            office.send(app);
        }
        assert_eq!(office.mails(), []);
        let notices = |arguments: &[&str]| {
            let mut command = rosterd();
            command.arg("notices").args(arguments).env("DATABASE_URL", app.store.url());
            stdout(&output(&mut command))
        };

        let listed: Value = serde_json::from_str(&notices(&["list", "--state", "dead", "--format", "json"])).unwrap();
        let id = listed[0]["id"].to_string();
        assert_eq!((listed.as_array().unwrap().len(), &listed[0]["about"]), (1, &json!("leavers")));
        let shown = notices(&["show", &id]);
        assert!(shown.contains("451") && shown.contains("deprovisioned") && shown.contains("u1"), "{shown}");
        notices(&["retry", &id]);
        // The command uses this machine's clock.
        app.clock.advance_seconds(100 * 365 * 86_400);
        office.send(app);

        assert_eq!(office.mails().len(), 1);
        assert_eq!(notices(&["list", "--tenant", "org_1", "--state", "dead"]).lines().count(), 1, "only the head");
    }
}

#[test]
fn every_kind_is_previewed_in_every_form_without_a_database() {
    for &kind in rosterd::outbox::NoticeKind::ALL {
        for (form, begins) in [("text", "Subject: "), ("html", "<!DOCTYPE html>"), ("eml", "Message-ID: ")] {
            let mut command = rosterd();
            command.args(["notices", "preview", kind.name(), "--format", form]);
            command.env("DATABASE_URL", "postgres://nobody@127.0.0.1:1/none");
            let shown = stdout(&output(&mut command));
            assert!(shown.starts_with(begins), "{} as {form}:\n{shown}", kind.name());
        }
    }
    let unknown = output(rosterd().args(["notices", "preview", "lottery"]));
    assert_eq!(unknown.status.code(), Some(64));
}

/// The finding of `doctor` about mail.
fn examined(url: &str) -> (String, String) {
    let home = tempfile::tempdir().unwrap();
    let mut command = rosterd();
    command.args(["doctor", "--format", "json"]).env("SMTP_URL", url).env("WORKOS_WEBHOOK_SECRET", "x");
    command.env("DATABASE_URL", format!("sqlite://{}/rosterd.db", home.path().display()));
    let findings: Vec<Value> = serde_json::from_slice(&output(&mut command).stdout).unwrap();
    let mail = findings.iter().find(|finding| finding["check"] == "mail").unwrap();
    let text = |name: &str| mail[name].as_str().unwrap().to_owned();
    (text("verdict"), text("says"))
}

#[test]
fn doctor_says_that_credentials_are_refused_and_repeats_none() {
    let server = SmtpServer::start().unwrap();
    server.next([Behaviour::RefuseCredentials]);

    let (verdict, message) = examined(&server.url_with_password());

    assert_eq!(verdict, "fail");
    assert!(message.contains("refuses the credentials") && message.contains("SMTP_URL"), "{message}");
    assert!(!message.contains("secret-word") && !message.contains("customer.example"), "{message}");
    let (verdict, message) = examined(&server.url_with_password());
    assert_eq!(verdict, "fail", "accepted, but nobody would get a mail");
    assert!(message.contains("nobody would get a mail: set MAIL_FALLBACK"), "{message}");
}

#[test]
fn doctor_says_that_a_certificate_is_not_trusted() {
    let server = SmtpServer::start_self_signed().unwrap();

    let (verdict, message) = examined(&server.url());

    assert_eq!(verdict, "fail");
    assert!(message.contains("certificate is not trusted") && message.contains("SMTP_URL"), "{message}");
}

#[test]
fn a_mail_does_not_leave_to_a_server_with_a_bad_certificate() {
    let app = TestApp::start(Backend::Sqlite, |_config| {});
    let server = SmtpServer::start_self_signed().unwrap();
    let office = Office::with(&app, |config| {
        config.mail.url = Some(rosterd::config::MailUrl::Smtp(server.url().into()));
    });
    app.play(&[created("u1")]);
    app.play(&[event("e9", "dsync.user.updated", 9, with(user("u1", "inactive", 9), json!({})))]);
    later(&app);

    office.send(&app);

    assert_eq!((server.received(), app.get("/readyz").json()["outbox"]["count"].clone()), (vec![], json!(1)));
}
