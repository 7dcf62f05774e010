//! Whether webhooks arrive, as the API's events show it.

use rosterd::{
    db::DbError,
    runtime::clock::Timestamp,
    sync::{catch_up::poll, missed},
};

use super::{api::TestApi, reconciled::world};
use crate::harness::{TestApp, both};

fn known(app: &TestApp) -> missed::Known {
    app.database().read::<_, DbError>(|conn| Ok(missed::known(conn)?)).unwrap()
}

fn settled(app: &TestApp, last: Option<Timestamp>, seconds: i64) -> missed::Settled {
    missed::settle(app.database(), last, app.clock.now().plus_seconds(seconds)).unwrap()
}

both! {
    fn absent_webhooks_are_reported_once_and_once_when_they_return(app) {
        let api = TestApi::start();
        let world = world(2);
        app.play(&world[..1]);
        api.emit(&world);
        let now = app.clock.now();
        let last = Some(now.plus_seconds(-3_600));
        poll(app.database(), &api.client(), now).unwrap();

        // They may still arrive.
        assert_eq!(settled(app, last, 599), missed::Settled::default());
        let away = settled(app, last, 601);
        assert_eq!((away.missed, away.went_away), (6, last));
        assert_eq!(settled(app, last, 700), missed::Settled::default());
        assert_eq!(known(app), missed::Known { total: 6, away_since: last });
        let ready = app.get("/readyz").json();
        assert_eq!((ready["sync"]["events_missed"].as_i64(), ready["sync"]["webhooks_away_seconds"].as_i64()), (Some(6), Some(3_600)));

        let back = settled(app, Some(now.plus_seconds(800)), 800);

        assert!(back.is_back);
        assert_eq!(known(app), missed::Known { total: 6, away_since: None });
        assert_eq!(app.noticed("webhooks_away").len(), 2);
    }
}

both! {
    fn single_events_that_are_missed_are_counted_and_no_alarm(app) {
        let api = TestApi::start();
        let world = world(1);
        app.play(&world[..4]);
        api.emit(&world);
        let now = app.clock.now();
        poll(app.database(), &api.client(), now).unwrap();

        let settled = settled(app, Some(now.plus_seconds(300)), 601);

        assert_eq!((settled.missed, settled.went_away), (1, None));
        assert_eq!(app.noticed("webhooks_away").len(), 0);
    }
}
