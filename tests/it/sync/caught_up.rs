//! Events that no webhook delivered.

use rosterd::{
    db::DbError,
    inbox::{dead_letters, listing},
    sync::catch_up::{Polled, poll},
    tables::{event_cursors, host_tables::USERS, polled_events},
};
use serde_json::{Value, json};

use super::api::TestApi;
use crate::harness::{
    TestApp, both,
    broker::{directory, event, user},
};

/// A directory with a number of people, one event each minute.
fn life(people: i64) -> Vec<Value> {
    let mut events = vec![event("event_0", "dsync.activated", 0, directory("dir_1", "org_1", 0))];
    events.extend((1..=people).map(|n| {
        event(
            &format!("event_{n:04}"),
            "dsync.user.created",
            n * 60,
            user(&format!("u{n}"), "active", n * 60),
        )
    }));
    events
}

fn caught_up(app: &TestApp, api: &TestApi) -> Polled {
    let polled = poll(app.database(), &api.client(), app.clock.now()).unwrap();
    app.drain();
    polled
}

fn cursor(app: &TestApp) -> event_cursors::Cursor {
    let found = app.database().read::<_, DbError>(|conn| Ok(event_cursors::of(conn, "workos")?));
    found.unwrap().unwrap_or_default()
}

fn people(app: &TestApp) -> usize {
    app.rows(USERS).len()
}

fn dead(app: &TestApp) -> i64 {
    app.database().read::<_, DbError>(|conn| Ok(dead_letters::open(conn)?)).unwrap().0
}

fn stored(app: &TestApp) -> usize {
    app.database().read::<_, DbError>(|conn| Ok(listing::list(conn, None, 10_000)?)).unwrap().len()
}

both! {
    /// Lesson 14: a webhook is stored and moves no cursor, so no earlier event is skipped.
    fn lesson_14_a_webhook_never_moves_the_cursor_past_a_lost_event(app) {
        let api = TestApi::start();
        let mut life = life(3);
        app.deliver(&life[0]);
        api.emit(&life);
        caught_up(app, &api);
        let before = cursor(app);
        life.push(event("event_0004", "dsync.user.deleted", 240, user("u1", "active", 240)));
        life.push(event("event_0005", "dsync.user.created", 300, user("u5", "active", 300)));
        api.emit(&life[4..]);
        // The removal is lost on the way, and the next event arrives.
        app.play(&life[5..]);
        assert_eq!(cursor(app), before);

        let polled = caught_up(app, &api);

        assert_eq!(polled.new, 1);
        assert_eq!(app.brief(USERS, &["id", "status"]), ["u1 inactive", "u2 active", "u3 active", "u5 active"]);
    }
}

both! {
    fn an_event_is_applied_once_whichever_way_comes_first_and_however_often(app) {
        let api = TestApi::start();
        let life = life(250);
        app.play(&life[..2]);
        api.emit(&life);

        let polled = caught_up(app, &api);
        assert_eq!((polled.read, polled.new, polled.out_of_order), (251, 249, false));
        for event in &life {
            assert_eq!(app.send(event.to_string()).json()["status"], "duplicate");
        }
        app.drain();
        let again = caught_up(app, &api);

        assert_eq!((people(app), stored(app), again.new), (250, 251, 0));
        // Only events that may have been late are read again.
        assert!(again.read < 5, "{again:?}");
    }
}

both! {
    fn events_that_the_broker_holds_back_are_read_when_they_are_out(app) {
        let api = TestApi::start();
        let life = life(6);
        app.play(&life[..1]);
        api.broker(|broker| broker.faults.held_back_seconds = 50);
        api.emit(&life[..4]);
        caught_up(app, &api);
        assert_eq!(people(app), 2);
        api.emit(&life[4..6]);
        caught_up(app, &api);
        assert_eq!(people(app), 4);
        api.broker(|broker| broker.tick(60));
        caught_up(app, &api);
        assert_eq!(people(app), 5);
    }
}

both! {
    fn a_cursor_that_has_expired_is_replaced_by_a_time_before_it(app) {
        let api = TestApi::start();
        let life = life(20);
        app.play(&life[..1]);
        api.emit(&life[..10]);
        caught_up(app, &api);
        assert!(cursor(app).event.is_some());
        api.emit(&life[10..]);
        api.broker(|broker| broker.faults.cursors_expire = true);
        // Paging needs cursors, too. A single page is read completely.
        let polled = caught_up(app, &api);

        assert!(polled.expired);
        assert_eq!(people(app), 20);
    }
}

both! {
    /// The emulator does this. Nothing is skipped, and the order is reported.
    fn an_api_that_gives_the_newest_first_is_read_to_the_end_and_gets_no_cursor(app) {
        let api = TestApi::start();
        let life = life(230);
        app.play(&life[..1]);
        api.broker(|broker| broker.faults.newest_first = true);
        api.emit(&life[..2]);
        assert!(!caught_up(app, &api).expired);
        api.emit(&life[2..]);
        // An event of a type that is not requested.
        api.emit(&[event("other", "connection.activated", 9_000, json!({"object": "connection", "id": "conn_1"}))]);

        let polled = caught_up(app, &api);

        assert!(polled.out_of_order);
        assert_eq!((people(app), cursor(app).event), (230, None));
        assert_eq!(dead(app), 0);
        // Later events are not skipped either.
        let mut later = life.clone();
        later.push(event("event_0231", "dsync.user.created", 231 * 60, user("u231", "active", 231 * 60)));
        api.emit(&later[231..]);
        caught_up(app, &api);
        assert_eq!(people(app), 231);
    }
}

both! {
    fn pages_that_break_off_are_continued_where_they_ended(app) {
        let api = TestApi::start();
        let life = life(250);
        app.play(&life[..1]);
        api.emit(&life);
        api.broker(|broker| broker.tick(120));
        caught_up(app, &api);
        let before = cursor(app);
        api.broker(|broker| broker.faults.fails = vec![("events".to_owned(), 403, 1)]);
        assert!(poll(app.database(), &api.client(), app.clock.now()).is_err());
        assert_eq!(cursor(app), before);
        api.broker(|broker| broker.faults.fails = vec![("events".to_owned(), 503, 2)]);
        assert_eq!(caught_up(app, &api).new, 0);
        assert_eq!(people(app), 250);
    }
}

both! {
    fn a_webhook_that_comes_after_all_was_not_missed(app) {
        let api = TestApi::start();
        app.app.as_ref().unwrap().arrivals.want();
        let life = life(3);
        app.play(&life[..1]);
        api.emit(&life);
        caught_up(app, &api);
        assert_eq!(app.send(life[1].to_string()).json()["status"], "duplicate");

        let missed = app
            .database()
            .write::<_, DbError>(|conn| Ok(polled_events::take_missed(conn, app.clock.now())?))
            .unwrap();

        assert_eq!(missed.0, 2);
        assert!(app.app.as_ref().unwrap().arrivals.last().is_some());
    }
}
