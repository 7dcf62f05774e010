//! The limits of the API, and how few requests a comparison needs.

use std::time::Instant;

use rosterd::sync::client::{Client, OF_DIRECTORY_PER_SECOND, Settings};

use super::{
    api::TestApi,
    reconciled::{reconcile, reconcile_by, world},
};
use crate::harness::{Backend, TestApp};

#[test]
fn a_comparison_makes_no_more_requests_than_pages_and_three() {
    let (app, api) = (TestApp::start(Backend::Sqlite, |_| {}), TestApi::start());
    api.emit(&world(230));
    reconcile(&app, &api);
    // Pages of directories, organizations and groups; three of people, three of members; the clock first, the directory
    // again at the end.
    assert_eq!(api.broker(|broker| broker.requests), 1 + 1 + 1 + 3 + 3 + 2);
}

#[test]
fn with_the_limit_of_the_broker_a_comparison_takes_no_longer_than_the_limit_asks_for() {
    let (app, api) = (TestApp::start(Backend::Sqlite, |_| {}), TestApi::start());
    api.emit(&world(500));
    api.broker(|broker| broker.faults.limits_rate = true);
    let settings = Settings { of_directory_per_second: Some(OF_DIRECTORY_PER_SECOND), ..api.settings() };

    let begun = Instant::now();
    reconcile_by(&app, &Client::new(&settings, || false).unwrap(), false).unwrap();

    // Five pages of people and five of members: nine pauses of a quarter of a second, and some time for the rest.
    let bound = 9.0 / 4.0;
    let took = begun.elapsed().as_secs_f64();
    assert!(took >= bound && took <= bound * 1.1 + 1.5, "{took} s");
    assert_eq!(api.broker(|broker| broker.requests), 1 + 1 + 1 + 5 + 5 + 2, "none was refused");
}

#[test]
fn requests_that_are_refused_as_too_many_are_made_again() {
    let (app, api) = (TestApp::start(Backend::Sqlite, |_| {}), TestApi::start());
    api.emit(&world(3));
    for retry_after in [None, Some("0"), Some("1"), Some("Thu, 01 Jan 2026 00:00:14 GMT")] {
        api.broker(|broker| {
            broker.faults.retry_after = retry_after.map(str::to_owned);
            broker.faults.fails = vec![("directory_users".to_owned(), 429, 2)];
            broker.tick(1);
        });
        let reports = reconcile(&app, &api);
        assert!(reports[0].complete, "{retry_after:?}: {:?}", reports[0].reason);
    }
}

#[test]
fn an_answer_without_a_date_is_not_used() {
    let (app, api) = (TestApp::start(Backend::Sqlite, |_| {}), TestApi::start());
    api.emit(&world(3));
    api.broker(|broker| broker.faults.fails = vec![("directories".to_owned(), 500, 1)]);
    assert!(reconcile_by(&app, &api.client(), true).is_ok(), "a server error is tried again");
    let wrong = Settings { key: rosterd::broker::Secret::new("sk_other").unwrap(), ..api.settings() };
    let refused = reconcile_by(&app, &Client::new(&wrong, || false).unwrap(), false).unwrap_err();
    assert!(refused.to_string().contains("refuses the key"), "{refused}");
}
