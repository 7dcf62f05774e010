use std::{path::Path, time::Duration};

use super::*;
use crate::{
    config::MailUrl,
    outbox::{
        self,
        testing::{at, each_database, forget, hide_mails, is_notified, leave, leave_tenant, mail_of, show},
    },
};

#[path = "../../tests/it/smtp.rs"]
pub(super) mod smtp;

use smtp::{Behaviour, SmtpServer};

fn settings(url: Option<MailUrl>) -> config::MailSettings {
    config::MailSettings {
        url,
        from: "rosterd <rosterd@rosterd.example>".parse().unwrap(),
        product: String::new(),
        support: String::new(),
        reply_to: None,
        logo: String::new(),
        language: String::new(),
        decision_url: String::new(),
        of: [].into(),
        window_seconds: 60,
        most_per_hour: 0,
        max_named: 2,
        silent_days: 0,
        first_sync_hours: 6,
        report: None,
        report_of: [].into(),
        timeout_seconds: 1,
        fallback: vec!["all@rosterd.example".parse().unwrap()],
        recipients: [(
            "org_a".to_owned(),
            vec!["it@a.example".parse().unwrap(), "security@a.example".parse().unwrap()],
        )]
        .into(),
        recipient_roles: Vec::new(),
        recipient_roles_of: [].into(),
        kinds: [].into(),
        kinds_of: [].into(),
    }
}

fn by_smtp(server: &SmtpServer) -> Notifier {
    Notifier::new(&settings(Some(MailUrl::Smtp(server.url().into())))).unwrap()
}

/// Runs steps until there is no work at this time.
fn drain(notifier: &Notifier, database: &Database, seconds: i64) -> Metrics {
    let metrics = Metrics::default();
    for _ in 0..100 {
        if notifier.step(database, at(seconds), &metrics).unwrap() == NotifyStep::Idle {
            return metrics;
        }
    }
    panic!("there is always something to do");
}

fn counted(metrics: &Metrics, outcome: &'static str) -> u64 {
    metrics.mails.get_or_create(&metrics::Outcome { outcome }).get()
}

/// The outcomes of the attempts in 80 hours, with a look in each hour.
fn hourly_outcomes(notifier: &Notifier, database: &Database, names: [&'static str; 2]) -> Vec<&'static str> {
    let of_hour = |hour| {
        let metrics = drain(notifier, database, 60 + hour * 3_600);
        let count = |name: &'static str| std::iter::repeat_n(name, counted(&metrics, name) as usize);
        names.into_iter().flat_map(count).collect::<Vec<_>>()
    };
    (0..80_i64).flat_map(of_hour).collect()
}

fn waiting(database: &Database) -> i64 {
    database.read(|conn| outbox::waiting(conn).map_err(DbError::from)).unwrap().0
}

fn files(directory: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort_unstable();
    names
}

#[test]
fn each_tenants_administrators_get_one_mail_for_a_window_and_others_fall_back() {
    each_database(|database| {
        let (mailer, outgoing) = Mailer::memory();
        let notifier = Notifier::with(mailer, &settings(None));
        database.write(|conn| leave(conn, &["ada", "bob", "eve"], at(0))).unwrap();
        database.write(|conn| leave_tenant(conn, "org_b", &["zoe"], at(10))).unwrap();

        drain(&notifier, &database, 59);
        assert!(outgoing.lock().is_empty());
        let metrics = drain(&notifier, &database, 70);

        let to: Vec<Vec<String>> = outgoing
            .lock()
            .iter()
            .map(|letter| letter.to.iter().map(ToString::to_string).collect())
            .collect();
        assert_eq!(to, [vec!["it@a.example", "security@a.example"], vec!["all@rosterd.example"]]);
        assert_eq!((counted(&metrics, "sent"), waiting(&database)), (2, 0));
        let first = String::from_utf8(outgoing.lock()[0].bytes.clone()).unwrap();
        assert!(first.contains("Subject: Access removed: 3 people (org_a)\r\n"), "{first}");
        assert!(first.contains("1 more person is not named in this mail."), "{first}");
        assert!(first.contains("\r\nAuto-Submitted: auto-generated\r\n"), "{first}");
        assert!(first.contains("\r\nX-Rosterd-Tenant: org_a\r\n"), "{first}");
        assert!(first.contains("\r\nDate: Thu, 15 Jan 2026 12:01:10 +0000\r\n"), "{first}");
    });
}

#[test]
fn a_mail_whose_answer_was_lost_is_sent_again_under_the_same_message_id() {
    each_database(|database| {
        let server = SmtpServer::start().unwrap();
        server.next([Behaviour::DropAfterData]);
        let notifier = by_smtp(&server);
        database.write(|conn| leave(conn, &["ada"], at(0))).unwrap();

        let metrics = drain(&notifier, &database, 60);
        assert_eq!((counted(&metrics, "failed"), waiting(&database)), (1, 1));
        drain(&notifier, &database, 119);
        assert_eq!(server.received().len(), 2);
        let metrics = drain(&notifier, &database, 120);

        let received = server.received();
        assert_eq!((counted(&metrics, "sent"), waiting(&database), received.len()), (1, 0, 3));
        assert!(received[0].header("Message-ID").is_some_and(|id| id.starts_with("<rosterd.")));
        assert!(received.iter().all(|mail| mail.header("Message-ID") == received[0].header("Message-ID")));
        let notified: Vec<_> = received.iter().map(|mail| (mail.to.join(" "), mail.answered)).collect();
        let notified: Vec<_> = notified.iter().map(|(to, answered)| (to.as_str(), *answered)).collect();
        assert_eq!(notified, [("it@a.example", false), ("security@a.example", true), ("it@a.example", true)]);
        assert_eq!(received[1].from, "rosterd@rosterd.example");
    });
}

#[test]
fn a_mailbox_that_is_gone_does_not_keep_the_news_from_the_others() {
    each_database(|database| {
        let server = SmtpServer::start().unwrap();
        server.next([Behaviour::RefuseRecipient("security@"); 3]);
        let notifier = by_smtp(&server);
        database.write(|conn| leave(conn, &["ada"], at(0))).unwrap();

        let metrics = drain(&notifier, &database, 60);

        let to: Vec<Vec<String>> = server.received().into_iter().map(|mail| mail.to).collect();
        assert_eq!(to, [["it@a.example"]]);
        assert_eq!((counted(&metrics, "sent"), counted(&metrics, "recipient_refused")), (1, 1));
        assert_eq!(waiting(&database), 0);
    });
}

#[test]
fn the_next_attempt_goes_to_those_whom_the_server_has_not_taken_yet() {
    each_database(|database| {
        let server = SmtpServer::start().unwrap();
        server.next([Behaviour::DeferRecipient("security@"); 3]);
        database.write(|conn| leave(conn, &["ada"], at(0))).unwrap();

        let metrics = drain(&by_smtp(&server), &database, 60);
        assert_eq!((counted(&metrics, "failed"), waiting(&database)), (1, 1));
        assert!(is_notified(&database, "ada"), "somebody has it");
        // Another process reads the answers for the recipients from the database.
        drain(&by_smtp(&server), &database, 120);
        drain(&by_smtp(&server), &database, 3_600);

        let to: Vec<Vec<String>> = server.received().into_iter().map(|mail| mail.to).collect();
        assert_eq!(to, [["it@a.example"], ["security@a.example"]]);
        assert_eq!((server.connections(), waiting(&database)), (4, 0));
    });
}

#[test]
fn a_recipient_whom_the_server_never_takes_does_not_make_a_mail_that_others_have_a_dead_one() {
    each_database(|database| {
        let server = SmtpServer::start().unwrap();
        server.next([Behaviour::DeferRecipient("security@"); 30]);
        let notifier = by_smtp(&server);
        database.write(|conn| leave(conn, &["ada"], at(0))).unwrap();

        let outcomes = hourly_outcomes(&notifier, &database, ["sent", "dead"]);

        assert_eq!(outcomes, ["sent"]);
        assert_eq!(server.received().len(), 1);
        assert_eq!(waiting(&database), 0);
    });
}

#[test]
fn a_server_that_fails_is_asked_again_with_growing_pauses_until_the_mail_is_given_up_on_record() {
    each_database(|database| {
        let server = SmtpServer::start().unwrap();
        server.next([Behaviour::RefuseRecipient(""), Behaviour::TemporaryFail].repeat(50));
        let notifier = by_smtp(&server);
        database.write(|conn| leave_tenant(conn, "org_b", &["zoe"], at(0))).unwrap();

        let outcomes = hourly_outcomes(&notifier, &database, ["failed", "dead"]);

        let (last, before) = outcomes.split_last().unwrap();
        assert_eq!(before, ["failed"; 9]);
        assert_eq!(*last, "dead");
        assert_eq!(server.connections(), 10);
        assert_eq!(server.received().len(), 0);
        assert_eq!(waiting(&database), 0);
    });
}

#[test]
fn a_server_that_is_slow_or_away_costs_one_bounded_wait_and_holds_no_connection() {
    each_database(|database| {
        let server = SmtpServer::start().unwrap();
        server.next([Behaviour::Slow { pause: Duration::from_secs(5), drips: false }]);
        let notifier = by_smtp(&server);
        database.write(|conn| leave(conn, &["ada"], at(0))).unwrap();

        let metrics = std::thread::scope(|scope| {
            let sender = scope.spawn(|| drain(&notifier, &database, 60));
            while server.connections() == 0 {
                std::thread::yield_now();
            }
            // While the mail is being sent, the database accepts writes.
            database.write(|conn| leave(conn, &["bob"], at(61))).unwrap();
            assert!(!sender.is_finished());
            sender.join().unwrap()
        });

        assert_eq!((counted(&metrics, "failed"), waiting(&database)), (1, 2));
        drop(server);
        assert_eq!(counted(&drain(&notifier, &database, 120), "failed"), 1);
    });
}

#[test]
fn an_outage_of_the_database_while_the_mail_is_on_its_way_does_not_send_it_twice() {
    each_database(|database| {
        let server = SmtpServer::start().unwrap();
        server.next([Behaviour::Slow { pause: Duration::from_millis(50), drips: false }]);
        let notifier = by_smtp(&server);
        database.write(|conn| leave(conn, &["ada"], at(0))).unwrap();

        std::thread::scope(|scope| {
            let step = scope.spawn(|| notifier.step(&database, at(60), &Metrics::default()));
            while server.connections() == 0 {
                std::thread::yield_now();
            }
            database.write(|conn| hide_mails(conn, true)).unwrap();
            step.join().unwrap().unwrap_err();
        });
        database.write(|conn| hide_mails(conn, false)).unwrap();
        drain(&notifier, &database, 1_000);

        let to: Vec<Vec<String>> = server.received().into_iter().map(|mail| mail.to).collect();
        assert_eq!(
            (to.concat(), waiting(&database)),
            (vec!["it@a.example".into(), "security@a.example".into()], 0)
        );
    });
}

#[test]
fn a_person_who_returned_while_the_server_was_away_is_not_reported() {
    each_database(|database| {
        let server = SmtpServer::start().unwrap();
        server.next([Behaviour::TemporaryFail; 2]);
        let notifier = by_smtp(&server);
        database.write(|conn| leave(conn, &["ada"], at(0))).unwrap();

        drain(&notifier, &database, 60);
        database.write(|conn| show(conn, "ada", "person_ada", "active")).unwrap();
        let metrics = drain(&notifier, &database, 120);

        assert_eq!((counted(&metrics, "needless"), counted(&metrics, "sent")), (1, 0));
        assert_eq!((server.received().len(), waiting(&database)), (0, 0));
    });
}

#[test]
fn without_a_recipient_the_notice_waits_and_is_counted() {
    each_database(|database| {
        let (mailer, outgoing) = Mailer::memory();
        let nobody = config::MailSettings { fallback: Vec::new(), recipients: [].into(), ..settings(None) };
        database.write(|conn| leave(conn, &["ada"], at(0))).unwrap();

        let metrics = drain(&Notifier::with(mailer, &nobody), &database, 60);

        assert_eq!((counted(&metrics, "no_recipient"), counted(&metrics, "failed")), (1, 1));
        assert_eq!((outgoing.lock().len(), waiting(&database)), (0, 1));
    });
}

#[test]
fn without_a_way_notices_wait_in_the_outbox() {
    each_database(|database| {
        let notifier = Notifier::new(&settings(None)).unwrap();
        database.write(|conn| leave(conn, &["ada"], at(0))).unwrap();

        drain(&notifier, &database, 1_000_000);

        assert_eq!(waiting(&database), 1);
        assert_eq!(mail_of(&database, "ada"), None);
        assert!(notifier.check().is_err());
    });
}

#[test]
fn a_directory_gets_a_whole_file_for_each_mail_and_a_repeat_replaces_it() {
    each_database(|database| {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("mail");
        let notifier = Notifier::new(&settings(Some(MailUrl::Directory(path.clone())))).unwrap();
        database.write(|conn| leave(conn, &["ada"], at(0))).unwrap();

        notifier.check().unwrap();
        drain(&notifier, &database, 60);
        let first = files(&path);
        // As after a crash before the result was recorded.
        database.write(forget).unwrap();
        drain(&notifier, &database, 1_000);

        assert!(first[0].starts_with("rosterd.") && first[0].ends_with(".eml"), "{first:?}");
        assert_eq!((first.len(), files(&path)), (1, first));
    });
}

#[test]
fn a_directory_that_cannot_be_written_is_a_failure_that_says_what_to_do() {
    each_database(|database| {
        let file = tempfile::NamedTempFile::new().unwrap();
        let notifier = Notifier::new(&settings(Some(MailUrl::Directory(file.path().into())))).unwrap();
        database.write(|conn| leave(conn, &["ada"], at(0))).unwrap();

        let metrics = drain(&notifier, &database, 60);

        assert_eq!((counted(&metrics, "failed"), waiting(&database)), (1, 1));
        assert!(notifier.check().unwrap_err().to_string().contains("make it a directory of this user"));
    });
}

#[test]
fn a_check_connects_and_sends_nothing() {
    let server = SmtpServer::start().unwrap();

    by_smtp(&server).check().unwrap();
    let gone = Notifier::new(&settings(Some(MailUrl::Smtp("smtp://127.0.0.1:1".into())))).unwrap();

    assert_eq!((server.connections(), server.received().len()), (1, 0));
    server.next([Behaviour::RefuseCredentials]);
    let wrong = Notifier::new(&settings(Some(MailUrl::Smtp(server.url_with_password().into())))).unwrap();
    assert!(wrong.check().unwrap_err().to_string().contains("refuses the credentials"));
    let strange = SmtpServer::start_self_signed().unwrap();
    assert!(by_smtp(&strange).check().unwrap_err().to_string().contains("certificate is not trusted"));
    assert!(gone.check().is_err());
    assert!(Notifier::new(&settings(Some(MailUrl::Smtp("smtp://".into())))).is_err());
}
