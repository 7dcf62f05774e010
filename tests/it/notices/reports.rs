//! The report of access: its recipients, its time, and its contents.

use rosterd::config::{Config, period::Every};
use serde_json::json;

use super::{Office, created, deleted, later};
use crate::{
    harness::{
        TestApp, both,
        broker::{event, organization, user, with},
    },
    roles::{self, GROUPS, beginning, joins, named},
    smtp::Received,
};

const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;

/// Moves the clock to Monday, 2026-06-01, 06:00.
const TO_SIX: i64 = 6 * HOUR;

fn weekly(config: &mut Config) {
    config.mail.report = Some(Every::Week);
}

/// Sends after a number of seconds, and returns all reports so far.
fn after(app: &TestApp, office: &Office, seconds: i64) -> Vec<Received> {
    app.clock.advance_seconds(seconds);
    office.send(app);
    later(app);
    office.send(app);
    office.mails().into_iter().filter(is_report).collect()
}

fn is_report(mail: &Received) -> bool {
    mail.header("Subject").is_some_and(|subject| subject.starts_with("Access report"))
}

/// The attachment with this name, in either of the two forms of a mail (RFC 2045).
pub(crate) fn attached(mail: &Received, file_name: &str) -> String {
    let (_, part) = mail.raw.split_once(&format!("filename=\"{file_name}\"")).unwrap();
    let (head, rest) = part.split_once("\r\n\r\n").unwrap();
    let body = rest.split("\r\n--").next().unwrap();
    let bytes = match head.contains("base64") {
        true => openssl::base64::decode_block(&body.replace("\r\n", "")).unwrap(),
        false => quoted_printable(&body.replace("=\r\n", "")),
    };
    String::from_utf8(bytes).unwrap()
}

fn quoted_printable(text: &str) -> Vec<u8> {
    let mut pieces = text.split('=');
    let mut bytes = pieces.next().unwrap().as_bytes().to_vec();
    for piece in pieces {
        let (code, rest) = piece.split_at(2);
        bytes.push(u8::from_str_radix(code, 16).unwrap());
        bytes.extend(rest.bytes());
    }
    bytes
}

both! {
    fn nobody_gets_a_report_until_it_is_switched_on(app) {
        let office = Office::of(app);
        app.play(&[created("u1")]);
        office.send(app);

        assert_eq!(after(app, &office, 40 * DAY), []);
        assert_eq!(app.noticed("access_report"), Vec::<String>::new());
    }
}

both! {
    fn a_week_that_is_over_is_one_mail_with_figures_leavers_and_both_lists(app) {
        let office = Office::with(app, weekly);
        beginning(app);
        app.play(&[joins("u1", named("g_admins", "Admins", 1), 5)]);
        roles::apply(app, GROUPS);
        assert_eq!(after(app, &office, 0), [], "nothing of the past");
        app.play(&[deleted("u2", 9)]);

        assert_eq!(after(app, &office, TO_SIX - 122), [], "the week is not over");
        app.play(&[event("late", "dsync.user.created", 10, user("u9", "active", 10))]);
        let reports = after(app, &office, 61);

        let [mail] = reports.as_slice() else { panic!("{} reports", reports.len()) };
        assert_eq!(mail.header("Subject"), Some("Access report: 3 people have access, 1 lost it (Org org_1)"));
        for part in [
            "3 people have access; 1 lost it in this period",
            "2026-05-25 to 2026-06-01",
            "these people together have 3 roles",
            "Privileged   1 person has privileged roles",
            "u2@acme.example",
            "Lost roles   editor, member",
            "org_1, report 2026-05-25 to 2026-06-01.",
            "Content-Type: text/csv; charset=utf-8",
        ] {
            assert!(mail.raw.replace("=\r\n", "").contains(part), "{part} in\n{}", mail.raw);
        }
        let csv = attached(mail, "access-report.csv");
        let records: Vec<&str> = csv.lines().map(|line| line.split(',').next().unwrap()).collect();
        assert_eq!(records, ["\u{feff}\"record\"", "\"holds\"", "\"holds\"", "\"holds\"", "\"left\""], "{csv}");
        assert!(csv.contains("\"holds\",\"admin\",") && csv.contains("rule admins: group Admins (g_admins)"), "{csv}");
        let page = attached(mail, "access-report.html");
        assert!(page.contains("3 people have access, with 3 role assignments. 1 departure is on record."), "{page}");
        assert!(page.contains("From 2026-05-25 06:00 until 2026-06-01 06:00.") && page.trim_end().ends_with("</html>"), "{page}");
    }
}

both! {
    fn a_week_is_reported_once_by_any_number_of_processes(app) {
        let offices = [Office::with(app, weekly), Office::with(app, weekly)];
        app.play(&[created("u1"), event("c2", "dsync.user.created", 1, with(user("u2", "active", 1), json!({"organization_id": "org_2", "directory_id": "dir_2"})))]);
        let at_once = |seconds| {
            app.clock.advance_seconds(seconds);
            let app: &TestApp = app;
            let (database, now, metrics) = (app.database(), app.clock.now(), &app.applier.metrics);
            std::thread::scope(|scope| {
                for office in &offices {
                    scope.spawn(move || office.notifier.step(database, now, metrics).unwrap());
                }
            });
        };
        at_once(0);
        at_once(TO_SIX);
        for office in &offices {
            after(app, office, 61);
        }
        assert_eq!(app.noticed("access_report").len(), 2, "one for each tenant");

        let mut counts = Vec::new();
        for _ in 0..8 {
            let sent = offices.iter().map(|office| after(app, office, DAY / 2).len());
            counts.push(sent.sum::<usize>());
        }

        // Until Sunday, and after the next Monday.
        assert_eq!(counts, [2, 2, 2, 2, 2, 2, 4, 4]);
    }
}

both! {
    fn the_first_report_after_switching_on_comes_when_the_next_period_begins(app) {
        app.play(&[created("u1")]);
        after(app, &Office::of(app), 9 * DAY);
        let office = Office::with(app, weekly);

        assert_eq!(after(app, &office, HOUR), []);
        assert_eq!(after(app, &office, 4 * DAY), [], "until Sunday");
        let reports = after(app, &office, DAY + 6 * HOUR);

        assert_eq!(reports.len(), 1);
        assert!(reports[0].raw.contains("2026-06-08 to 2026-06-15"), "{}", reports[0].raw);
    }
}

both! {
    fn after_missed_periods_one_mail_reports_the_newest_completed_one(app) {
        app.play(&[created("u1")]);
        after(app, &Office::with(app, weekly), 0);

        let office = Office::with(app, weekly);
        let reports = after(app, &office, 24 * DAY);

        assert_eq!(reports.len(), 1);
        assert!(reports[0].raw.contains("2026-06-15 to 2026-06-22"), "{}", reports[0].raw);
        assert_eq!(after(app, &office, DAY).len(), 1);
    }
}

both! {
    fn one_tenant_can_have_another_period_than_all_others(app) {
        let office = Office::with(app, |config| {
            config.mail.report = Some(Every::Week);
            config.mail.report_of.insert("org_2".to_owned(), Some(Every::Month));
            config.mail.report_of.insert("org_3".to_owned(), None);
        });
        let elsewhere = |n: i64| {
            let data = with(user(&format!("u{n}"), "active", 1), json!({"organization_id": format!("org_{n}"), "directory_id": format!("dir_{n}")}));
            event(&format!("c{n}"), "dsync.user.created", 1, data)
        };
        app.play(&[elsewhere(1), elsewhere(2), elsewhere(3)]);
        after(app, &office, 7 * HOUR);

        // Five Mondays and a 1st.
        let mut reports = Vec::new();
        for _ in 0..30 {
            reports = after(app, &office, DAY);
        }

        let of = |tenant: &str| reports.iter().filter(|mail| mail.header("X-Rosterd-Tenant") == Some(tenant)).count();
        assert_eq!((of("org_1"), of("org_2"), of("org_3")), (4, 1, 0), "{}", app.clock.now());
    }
}

both! {
    fn a_tenant_for_which_the_kind_is_switched_off_gets_none(app) {
        let office = Office::with(app, |config| {
            weekly(config);
            config.mail.kinds_of.insert("org_1".to_owned(), [("access_report", false)].into());
        });
        app.play(&[created("u1")]);
        office.send(app);

        assert_eq!(after(app, &office, 9 * DAY), []);
    }
}

both! {
    fn a_report_that_waits_for_its_mail_is_not_sent_when_nobody_wants_it_any_more_or_the_tenant_is_gone(app) {
        let first = Office::with(app, weekly);
        let elsewhere = with(user("u2", "active", 1), json!({"organization_id": "org_2", "directory_id": "dir_2"}));
        app.play(&[
            event("o1", "organization.created", 0, organization("org_1", 0)),
            created("u1"),
            event("c2", "dsync.user.created", 1, elsewhere),
        ]);
        first.send(app);
        app.clock.advance_seconds(TO_SIX);
        first.send(app);
        assert_eq!(app.noticed("access_report").len(), 2);

        app.play(&[event("o9", "organization.deleted", 9, organization("org_1", 0))]);
        let office = Office::with(app, |config| {
            config.mail.kinds_of.insert("org_2".to_owned(), [("access_report", false)].into());
        });

        assert_eq!(after(app, &office, 61), []);
        assert_eq!(app.get("/readyz").json()["outbox"]["count"], 0, "it does not wait either");
    }
}

both! {
    fn a_report_switched_off_and_on_again_omits_the_time_between(app) {
        app.play(&[created("u1")]);
        after(app, &Office::with(app, weekly), 0);
        after(app, &Office::of(app), 8 * DAY);
        let office = Office::with(app, weekly);

        assert_eq!(after(app, &office, 3 * DAY), []);
        assert_eq!(after(app, &office, 5 * DAY).len(), 1);
    }
}
