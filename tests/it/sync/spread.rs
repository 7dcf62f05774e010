//! Automatic comparisons: each directory at its own time, by one process.

use std::collections::BTreeSet;

use rosterd::{
    runtime::clock::Timestamp,
    sync::{reconcile::Which, runs},
};

use super::{
    api::TestApi,
    backfilled::{imported_as, world},
};
use crate::harness::{TestApp, both};

const HOUR: i64 = 3_600;

fn begun(app: &TestApp, now: Timestamp) -> Option<Which> {
    runs::begin(app.database(), now, 6 * HOUR, false).unwrap().map(Which::Due)
}

both! {
    fn each_directory_is_compared_once_in_six_hours_and_not_all_at_once(app) {
        let api = TestApi::start();
        api.emit(&world(20, 1));
        api.broker(|broker| broker.tick(1_000));
        imported_as(app, &api.client(), Which::All).unwrap();
        assert_eq!(begun(app, app.clock.now()), None, "the first look only remembers the time");

        let (mut compared, mut most) = (Vec::new(), 0);
        for _ in 0..360 {
            app.clock.advance_seconds(60);
            if let Some(which) = begun(app, app.clock.now()) {
                let reports = imported_as(app, &api.client(), which).unwrap();
                runs::end(app.database(), app.clock.now()).unwrap();
                most = most.max(reports.len());
                compared.extend(reports.into_iter().map(|report| report.directory_id));
            }
        }

        let each: BTreeSet<&String> = compared.iter().collect();
        assert_eq!((compared.len(), each.len()), (20, 20), "{compared:?}");
        assert!(most < 6, "{most} at once");
    }
}

both! {
    fn a_run_that_is_under_way_is_left_to_its_process_and_goes_on_after_a_crash(app) {
        let api = TestApi::start();
        api.emit(&world(3, 1));
        api.broker(|broker| broker.tick(1_000));
        imported_as(app, &api.client(), Which::All).unwrap();
        assert_eq!(begun(app, app.clock.now()), None);
        app.clock.advance_seconds(7 * HOUR);
        let now = app.clock.now();

        assert!(begun(app, now).is_some());
        // Another process looks as well.
        assert_eq!(begun(app, now.plus_seconds(60)), None);
        // The process crashes, starts again, and continues the run.
        let again = runs::begin(app.database(), now.plus_seconds(90), 6 * HOUR, true).unwrap();
        let reports = imported_as(app, &api.client(), Which::Due(again.unwrap())).unwrap();
        runs::end(app.database(), now.plus_seconds(95)).unwrap();

        assert_eq!(reports.len(), 3);
        assert_eq!(begun(app, now.plus_seconds(100)), None, "nothing is due");
    }
}

both! {
    fn a_directory_that_nobody_knows_is_found_within_an_interval(app) {
        let api = TestApi::start();
        assert_eq!(begun(app, app.clock.now()), None);
        api.emit(&world(1, 2));
        api.broker(|broker| broker.tick(1_000));
        app.clock.advance_seconds(6 * HOUR);
        let which = begun(app, app.clock.now()).unwrap();

        let reports = imported_as(app, &api.client(), which).unwrap();

        assert_eq!(reports.iter().map(|report| report.people).collect::<Vec<_>>(), [2]);
    }
}
