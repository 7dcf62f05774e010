//! Receipts and reviews.

use rosterd::{
    audit::{
        leaver_receipt::receipts,
        report::{ReportQuery, report},
    },
    config::MailUrl,
    db::DbError,
    notify::{Notifier, NotifyStep},
};
use serde_json::json;

use crate::{
    audit::page_of,
    harness::{
        both,
        broker::{event, user, with},
    },
};

both! {
    fn lesson_43_a_leaver_has_a_receipt_from_the_directorys_event_to_the_mail(app) {
        app.play(&[event("e1", "dsync.user.created", 1, user("u1", "active", 1)), event("e2", "dsync.user.created", 1, with(user("u2", "active", 1), json!({"first_name": "<b>Bo"})))]);
        // The directory's event, in the broker's time, is five months older than the test's clock.
        app.deliver(&event("e3", "dsync.user.deleted", 4, user("u1", "active", 1)));
        app.clock.advance_seconds(120);
        app.drain();
        app.clock.advance_seconds(300);
        let mails = tempfile::tempdir().unwrap();
        let mut mail = app.config.mail.clone();
        mail.url = Some(MailUrl::Directory(mails.path().to_owned()));
        let notifier = Notifier::new(&mail).unwrap();
        while notifier.step(app.database(), app.clock.now(), &app.applier.metrics).unwrap() == NotifyStep::Worked {}

        let found = app.database().read::<_, DbError>(|conn| Ok(receipts(conn, "org_1", None, None)?)).unwrap();

        let [receipt] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!((receipt.user_id.as_str(), receipt.because.as_str(), receipt.roles_lost.as_slice()), ("u1", "event e3", ["member".to_owned()].as_slice()));
        assert_eq!(receipt.email.as_deref(), Some("u1@acme.example"));
        assert_eq!(receipt.stated_at.as_deref(), Some("2026-01-01T00:00:04.000000Z"));
        assert_eq!((receipt.minutes_received_to_applied, receipt.minutes_applied_to_notified), (Some(2), Some(5)));
        assert_eq!(receipt.mail.as_deref(), Some("sent"));
        assert!(receipt.message_id.is_some() && receipt.notified_at.is_some());

        let all = ReportQuery { tenant_id: "org_1", since: None, until: None, most: None };
        let report = app.database().snapshot(|conn| report(conn, all, app.clock.now())).unwrap();
        assert_eq!(report.holds.len(), 1);
        assert_eq!((report.holds[0].role.as_deref(), report.holds[0].because.as_deref()), (Some("member"), Some("broker role")));
        assert_eq!(report.left[0].email.as_deref(), Some("u1@acme.example"));
        let page = page_of(&report);
        assert!(page.contains("&#60;b&#62;Bo") && !page.contains("<b>Bo"));
    }
}
