//! The recipients of a mail. They are resolved when it is sent.

use diesel::{QueryDsl, RunQueryDsl};
use rosterd::{
    audit::kinds,
    db::{DbError, schema::mails},
    operator::{
        manual_roles::OperatorAt,
        recipients::{self, RecipientError},
    },
};
use serde_json::json;

use super::{Office, created, deleted, later};
use crate::{
    harness::{
        TestApp, both,
        broker::{event, user, with},
    },
    smtp::Behaviour,
};

fn admin(id: &str, state: &str, seconds: i64) -> serde_json::Value {
    let data =
        with(user(id, state, seconds), json!({"role": {"slug": "admin"}, "roles": [{"slug": "admin"}]}));
    event(&format!("a_{id}_{seconds}"), "dsync.user.updated", seconds, data)
}

fn acme(app: &TestApp) -> Office {
    Office::with(app, |config| {
        config.mail.recipients.insert("org_1".to_owned(), vec!["it@acme.example".parse().unwrap()]);
    })
}

both! {
    fn lesson_40_holders_of_a_role_are_notified_and_without_any_the_fallback_is(app) {
        let office = Office::with(app, |config| config.mail.recipient_roles = vec!["admin".to_owned()]);
        app.play(&[admin("u1", "active", 1), admin("u2", "active", 1), created("u3")]);

        for (n, leaver) in ["u3", "u1", "u2"].into_iter().enumerate() {
            app.play(&[deleted(leaver, 10 + n as i64)]);
            later(app);
            office.send(app);
        }

        let to: Vec<Vec<String>> = office.mails().into_iter().map(|mail| mail.to).collect();
        assert_eq!(to, [["u1@acme.example"], ["u2@acme.example"], ["u2@acme.example"], ["fallback@host.example"]]);
    }
}

both! {
    fn roles_can_be_chosen_for_one_tenant(app) {
        let office = Office::with(app, |config| {
            config.mail.recipient_roles_of.insert("org_1".to_owned(), vec!["admin".to_owned()]);
        });
        let other = |state: &str, seconds| {
            let mut event = admin("u8", state, seconds);
            event["data"] = with(event["data"].clone(), json!({"organization_id": "org_2", "directory_id": "dir_2"}));
            event
        };
        let third = with(user("u9", "active", 1), json!({"organization_id": "org_2", "directory_id": "dir_2"}));
        app.play(&[admin("u1", "active", 1), created("u2"), other("active", 1), event("c9", "dsync.user.created", 1, third.clone())]);
        app.play(&[deleted("u2", 9), event("d9", "dsync.user.deleted", 9, third)]);
        later(app);

        office.send(app);

        let mut to: Vec<Vec<String>> = office.mails().into_iter().map(|mail| mail.to).collect();
        to.sort();
        assert_eq!(to, [["fallback@host.example"], ["u1@acme.example"]]);
    }
}

both! {
    fn a_leaver_does_not_get_the_mail_about_themselves(app) {
        let office = Office::with(app, |config| {
            let recipients = ["U1@acme.example", "it@acme.example"].map(|address| address.parse().unwrap());
            config.mail.recipients.insert("org_1".to_owned(), recipients.to_vec());
        });
        app.play(&[created("u1")]);
        app.play(&[deleted("u1", 9)]);
        later(app);

        office.send(app);

        assert_eq!(office.mails()[0].to, ["it@acme.example"]);
    }
}

fn add(app: &TestApp, address: &str) -> Result<(String, bool), RecipientError> {
    recipients::add(app.database(), "org_1", address, OperatorAt { name: "ada", now: app.clock.now() })
}

fn remove(app: &TestApp, address: &str) -> Result<(), RecipientError> {
    let by = OperatorAt { name: "ada", now: app.clock.now() };
    recipients::remove(app.database(), &app.config.mail, "org_1", address, by)
}

both! {
    fn an_added_recipient_gets_the_next_mail_and_a_removed_one_no_more(app) {
        let office = acme(app);
        app.play(&["u1", "u2", "u3"].map(created));
        let told = |id: &str, seconds: i64| {
            app.play(&[deleted(id, seconds)]);
            later(app);
            office.send(app);
            let mut to: Vec<String> = office.mails().into_iter().flat_map(|mail| mail.to).collect();
            to.sort();
            to
        };
        assert_eq!(told("u1", 9), ["it@acme.example"]);

        assert_eq!(add(app, "Boss@Acme.example").unwrap(), ("Boss@Acme.example".to_owned(), true));
        assert_eq!(add(app, "boss@acme.example").unwrap(), ("boss@acme.example".to_owned(), false));
        // The settings have it already: one mail.
        assert!(add(app, "IT@acme.example").unwrap().1);
        assert_eq!(told("u2", 10), ["Boss@Acme.example", "it@acme.example", "it@acme.example"]);

        remove(app, "BOSS@acme.example").unwrap();
        assert!(matches!(remove(app, "boss@acme.example"), Err(RecipientError::Unknown { .. })));
        assert_eq!(told("u3", 11).len(), 4);
        assert!(matches!(add(app, "no address"), Err(RecipientError::Address(_))));

        let trail = crate::audit::trail(app, "org_1");
        let recorded: Vec<(&str, Option<&str>)> = trail
            .iter()
            .filter(|entry| entry.kind.starts_with("recipient."))
            .map(|entry| (entry.kind.as_str(), entry.personal.as_deref()))
            .collect();
        assert_eq!(recorded, [
            (kinds::RECIPIENT_ADDED, Some(r#"{"address":"Boss@Acme.example"}"#)),
            (kinds::RECIPIENT_ADDED, Some(r#"{"address":"IT@acme.example"}"#)),
            (kinds::RECIPIENT_REMOVED, Some(r#"{"address":"Boss@Acme.example"}"#)),
        ]);
        assert!(trail.iter().all(|entry| !entry.subject.contains('@') && !entry.change.contains('@')));
    }
}

both! {
    fn an_added_recipient_who_left_is_not_told_of_it_and_an_erasure_removes_the_address(app) {
        let office = acme(app);
        app.play(&["u1", "u2"].map(created));
        for address in ["U1@acme.example", "u2@acme.example"] {
            assert!(add(app, address).unwrap().1);
        }
        app.play(&[deleted("u1", 9)]);
        later(app);

        office.send(app);

        let mut to: Vec<String> = office.mails().into_iter().flat_map(|mail| mail.to).collect();
        to.sort();
        assert_eq!(to, ["it@acme.example", "u2@acme.example"]);
        let by = OperatorAt { name: "ada", now: app.clock.now() };
        rosterd::operator::erase::erase(app.database(), &app.config.rules(), "org_1", "u1", by).unwrap();
        let left = crate::harness::dump::everything(app.database()).to_lowercase();
        assert!(!left.contains("u1@acme.example") && left.contains("u2@acme.example"), "{left}");
        crate::audit::assert_verifies(app);
    }
}

both! {
    fn a_mail_that_none_of_the_tenants_recipients_takes_goes_to_the_fallback_at_once_and_on_record(app) {
        let office = acme(app);
        office.smtp.next([Behaviour::RefuseRecipient("it@")]);
        app.play(&[created("u1")]);
        app.play(&[deleted("u1", 9)]);
        later(app);

        office.send(app);

        let received = office.mails();
        assert_eq!((received.len(), &received[0].to), (1, &vec!["fallback@host.example".to_owned()]));
        let columns = (mails::state, mails::refused, mails::fell_back, mails::refusal);
        let (state, refused, fell_back, why): (String, i32, bool, Option<String>) =
            app.database().read::<_, DbError>(|conn| Ok(mails::table.select(columns).first(conn)?)).unwrap();
        assert_eq!((state.as_str(), refused, fell_back), ("sent", 1, true));
        let why = why.unwrap();
        assert!(why.contains("550") && !why.contains('@'), "{why}");
    }
}

fn admin_at(id: &str, email: &str) -> serde_json::Value {
    let data = json!({"email": email, "role": {"slug": "admin"}, "roles": [{"slug": "admin"}]});
    event(&format!("a_{id}"), "dsync.user.updated", 1, with(user(id, "active", 1), data))
}

both! {
    fn an_address_that_the_server_cannot_take_keeps_the_mail_from_nobody_else(app) {
        let office = Office::with(app, |config| {
            config.mail.recipients.insert("org_1".to_owned(), vec!["it@acme.example".parse().unwrap()]);
            config.mail.recipient_roles = vec!["admin".to_owned()];
        });
        office.smtp.next([Behaviour::AsciiOnly; 9]);
        let long = format!("a@{}example", "long.".repeat(60));
        let addresses = [
            ("u1", "jörg@x.example"),
            ("u2", "ada@bücher.example"),
            ("u3", "\"ann smith\"@acme.example"),
            ("u4", "ada@[127.0.0.1]"),
            ("u5", "\"a\r\nDATA\"@x.example"),
            ("u6", &long),
        ];
        app.play(&addresses.map(|(id, email)| admin_at(id, email)));
        app.play(&[created("u9")]);
        app.play(&[deleted("u9", 9)]);
        later(app);

        office.send(app);

        let mails = office.mails();
        let mut to: Vec<&str> = mails.iter().flat_map(|mail| &mail.to).map(String::as_str).collect();
        to.sort_unstable();
        assert_eq!(to, ["\"ann smith\"@acme.example", "ada@[127.0.0.1]", "ada@xn--bcher-kva.example", "it@acme.example"]);
        assert!(mails.iter().all(|mail| mail.raw.is_ascii() && mail.raw == mails[0].raw));
        assert_eq!(app.get("/readyz").json()["outbox"]["count"], 0);
    }
}

both! {
    fn a_retry_goes_only_to_those_whom_the_server_did_not_take(app) {
        let office = Office::with(app, |config| {
            let recipients = ["it@acme.example", "busy@acme.example"].map(|address| address.parse().unwrap());
            config.mail.recipients.insert("org_1".to_owned(), recipients.to_vec());
        });
        office.smtp.next([Behaviour::DeferRecipient("busy@"); 3]);
        app.play(&[created("u1")]);
        app.play(&[deleted("u1", 9)]);
        for _ in 0..4 {
            app.clock.advance_seconds(3_600);
            office.send(app);
        }

        let to: Vec<Vec<String>> = office.mails().into_iter().map(|mail| mail.to).collect();
        assert_eq!(to, [["it@acme.example"], ["busy@acme.example"]]);
    }
}

both! {
    fn a_tenant_whose_only_address_the_server_cannot_use_is_notified_through_the_fallback(app) {
        let office = Office::with(app, |config| config.mail.recipient_roles = vec!["admin".to_owned()]);
        office.smtp.next([Behaviour::AsciiOnly; 9]);
        app.play(&[admin_at("u1", "jörg@x.example"), created("u9")]);
        app.play(&[deleted("u9", 9)]);
        later(app);

        office.send(app);

        let to: Vec<Vec<String>> = office.mails().into_iter().map(|mail| mail.to).collect();
        assert_eq!(to, [["fallback@host.example"]]);
    }
}

both! {
    fn many_recipients_are_folded_in_the_header_and_get_a_mail_each(app) {
        let office = Office::with(app, |config| {
            let address = |n: usize| format!("{}{n:02}@acme.example", "x".repeat(50)).parse().unwrap();
            config.mail.recipients.insert("org_1".to_owned(), (0..45).map(address).collect());
        });
        app.play(&[created("u1")]);
        app.play(&[deleted("u1", 9)]);
        later(app);

        office.send(app);

        let mails = office.mails();
        assert!(mails.len() == 45 && mails.iter().all(|mail| mail.to.len() == 1));
        let (head, _) = mails[0].raw.split_once("\r\n\r\n").unwrap();
        assert!(head.lines().all(|line| line.len() <= 78), "{head}");
        assert_eq!(head.matches("@acme.example").count(), 45);
    }
}

both! {
    fn an_absent_server_is_no_refusal_and_no_fallback_is_used(app) {
        let office = acme(app);
        office.smtp.next([Behaviour::TemporaryFail, Behaviour::DropInData]);
        app.play(&[created("u1")]);
        app.play(&[deleted("u1", 9)]);
        for _ in 0..3 {
            app.clock.advance_seconds(3_600);
            office.send(app);
        }

        let to: Vec<Vec<String>> = office.mails().into_iter().map(|mail| mail.to).collect();
        assert_eq!((to, office.smtp.connections()), (vec![vec!["it@acme.example".to_owned()]], 3));
    }
}
