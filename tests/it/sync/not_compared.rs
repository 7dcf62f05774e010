//! The operator is notified of a directory that was not compared for long, once, and once when it is over.

use rosterd::sync::{not_compared, runs};

use super::{
    api::TestApi,
    reconciled::{both_know, reconcile},
};
use crate::{
    harness::{
        TestApp, both,
        broker::{directory, event, with},
    },
    notices::Office,
};
use serde_json::json;

/// The numbers of directories whose state has changed since the last look.
#[derive(Debug, PartialEq, Eq)]
struct Changed {
    late: usize,
    compared_again: usize,
}

const UNCHANGED: Changed = Changed { late: 0, compared_again: 0 };

fn looked(app: &TestApp) -> Changed {
    let changes = not_compared::look(app.database(), 48, app.clock.now()).unwrap();
    Changed { late: changes.late.len(), compared_again: changes.over.len() }
}

/// Automatic comparisons begin.
fn begin(app: &TestApp) {
    assert_eq!(runs::begin(app.database(), app.clock.now(), 21_600, false).unwrap(), None);
}

both! {
    fn a_directory_that_was_not_compared_for_long_is_reported_once_and_once_when_it_is_compared_again(app) {
        let (api, office) = (TestApi::start(), Office::of(app));
        both_know(app, &api, 2);
        begin(app);
        reconcile(app, &api);
        assert_eq!(looked(app), UNCHANGED);
        // It is not active any more: no comparison is complete.
        api.broker(|broker| broker.happen("dsync.activated", with(directory("dir_1", "org_1", 1), json!({"state": "invalid_credentials"}))));
        app.clock.advance_seconds(47 * 3_600);
        assert!(!reconcile(app, &api)[0].complete);
        assert_eq!(looked(app), UNCHANGED);
        app.clock.advance_seconds(2 * 3_600);

        assert_eq!(looked(app), Changed { late: 1, compared_again: 0 });
        assert_eq!(looked(app), UNCHANGED);
        office.send(app);
        app.clock.advance_seconds(61);
        office.send(app);
        api.broker(|broker| {
            broker.happen("dsync.activated", directory("dir_1", "org_1", 1));
            broker.tick(60);
        });
        assert!(reconcile(app, &api)[0].complete);
        assert_eq!(looked(app), Changed { late: 0, compared_again: 1 });
        assert_eq!(looked(app), UNCHANGED);
        app.clock.advance_seconds(61);
        office.send(app);

        let mails: Vec<_> = office.mails().into_iter().filter(|mail| mail.header("Subject").unwrap().contains("ompared")).collect();
        let [late, over] = mails.as_slice() else { panic!("{mails:?}") };
        assert_eq!((late.header("Subject"), over.header("Subject")), (Some("Not compared for 48 hours: 1 directory"), Some("Compared again: 1 directory")));
        assert_eq!(late.to, ["fallback@host.example"]);
        assert!(late.raw.contains("dir_1") && late.raw.contains("invalid_credentials"), "{}", late.raw);
    }
}

both! {
    fn a_directory_that_was_never_compared_counts_from_the_first_start_and_a_deleted_one_does_not_count(app) {
        let api = TestApi::start();
        both_know(app, &api, 1);
        assert_eq!(looked(app), UNCHANGED, "there are no automatic comparisons");
        begin(app);
        app.clock.advance_seconds(49 * 3_600);
        assert_eq!(looked(app), Changed { late: 1, compared_again: 0 });

        app.play(&[event("gone", "dsync.deleted", 2_000, directory("dir_1", "org_1", 1))]);

        assert_eq!(looked(app), UNCHANGED);
        assert_eq!(app.noticed("not_compared").len(), 1);
    }
}

both! {
    fn readyz_shows_the_oldest_comparison_of_the_directories_that_are_there(app) {
        let api = TestApi::start();
        both_know(app, &api, 1);
        reconcile(app, &api);
        app.clock.advance_seconds(500);
        let oldest = |app: &TestApp| app.get("/readyz").json()["sync"]["compared_oldest_seconds"].as_i64();
        assert_eq!(oldest(app), Some(500));

        app.play(&[event("gone", "dsync.deleted", 2_000, directory("dir_1", "org_1", 1))]);

        assert_eq!(oldest(app), None);
    }
}
