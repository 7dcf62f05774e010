//! A mail that does not name all people has a list of all of them as a file.

use super::{
    Office, created, deleted,
    kinds::{RECENT, map},
    later,
    reports::attached,
};
use crate::{
    harness::{
        both,
        broker::{directory, event},
    },
    roles::{GROUPS, joins, named},
    smtp::Received,
};

fn about<'a>(mails: &'a [Received], subject: &str) -> &'a Received {
    let found =
        mails.iter().find(|mail| mail.header("Subject").is_some_and(|text| text.starts_with(subject)));
    found.unwrap_or_else(|| {
        panic!("{subject} in {:?}", mails.iter().map(|mail| mail.header("Subject")).collect::<Vec<_>>())
    })
}

/// The ids in the attached file, and the sentence about it.
fn listed(mail: &Received) -> Vec<String> {
    let csv = attached(mail, "people.csv");
    let text = mail.raw.replace("=\r\n", "");
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.contains("The attached file people.csv lists all of them."), "{text}");
    let rows = csv.lines().skip(1).map(|row| row.split("\",\"").nth(2).unwrap().to_owned());
    rows.collect()
}

both! {
    fn a_hold_with_many_people_has_all_of_them_in_a_file(app) {
        let office = Office::with(app, |config| config.mail.max_named = 2);
        let ids: Vec<String> = (10..30).map(|n| format!("u{n}")).collect();
        app.play(&ids.iter().map(|id| created(id)).collect::<Vec<_>>());
        app.play(&ids[..12].iter().map(|id| deleted(id, 9)).collect::<Vec<_>>());
        app.clock.advance_seconds(120);
        app.drain();
        office.send(app);

        let mails = office.mails();
        let mail = about(&mails, "Please decide: 12 people");
        assert!(mail.raw.contains("10 more people are not named in this mail."), "{}", mail.raw);
        assert_eq!(listed(mail), ids[..12]);
    }
}

both! {
    fn a_first_synchronization_and_a_mapping_with_many_people_have_all_of_them_in_a_file(app) {
        let office = Office::with(app, |config| config.mail.max_named = 2);
        let admins = |seconds| (1..=5).map(|n| joins(&format!("u{n}"), named("g_admins", "Admins", 1), seconds)).collect::<Vec<_>>();
        map(app, GROUPS);
        app.play(&[event("d1", "dsync.activated", RECENT - 600, directory("dir_1", "org_1", RECENT - 600))]);
        app.play(&admins(RECENT - 500));
        app.clock.advance_seconds(7 * 3_600);
        office.send(app);
        later(app);
        office.send(app);
        let ids = ["u1", "u2", "u3", "u4", "u5"];
        assert_eq!(listed(about(&office.mails(), "Directory synchronized")), ids);

        map(app, &GROUPS.replace("Admins", "Nobody"));
        later(app);
        office.send(app);
        let mails = office.mails();
        let mail = about(&mails, "Role rules changed: 5 people");
        assert_eq!(listed(mail), ids);
        assert!(attached(mail, "people.csv").contains("\"admin\",\"role rules 2\""), "{}", mail.raw);
    }
}
