//! Impossible times: ahead of their own event, or of the clock.

use rosterd::{
    db::DbError,
    inbox::{dead_letters, listing},
    tables::host_tables::{GROUP_MEMBERS, USERS},
};
use serde_json::{Value, json};

use crate::harness::{
    TestApp, both,
    broker::{at, event, group, membership, user, with},
};

fn status(app: &TestApp) -> Vec<String> {
    app.brief(USERS, &["status"])
}

/// An event of `seconds` about a change at `changed`.
fn update(id: &str, state: &str, seconds: i64, changed: i64) -> Value {
    event(
        id,
        "dsync.user.updated",
        seconds,
        with(user("u1", state, seconds), json!({"updated_at": at(changed)})),
    )
}

both! {
    fn a_time_ahead_of_its_own_event_wins_over_nothing_that_comes_later(app) {
        let events = [update("e1", "active", 10, 3_600), update("e2", "inactive", 20, 20), event("e3", "dsync.user.deleted", 30, user("u1", "active", 30))];
        app.play(&events[..2]);
        assert_eq!(status(app), ["inactive"]);
        app.play(&events[2..]);
        assert_eq!(status(app), ["inactive"]);
        app.assert_rebuilds();
    }
}

both! {
    fn the_order_of_arrival_makes_no_difference_to_that(app) {
        app.play(&[update("e2", "inactive", 20, 20)]);
        app.play(&[update("e1", "active", 10, 3_600)]);
        assert_eq!(status(app), ["inactive"]);
    }
}

both! {
    fn an_event_more_than_a_day_ahead_of_its_reception_becomes_a_dead_letter_and_is_reported(app) {
        let pair = || membership(user("u1", "active", 1), group("g1", 1));
        let mut ahead = event("e1", "dsync.group.user_added", 5, pair());
        ahead["created_at"] = json!("2999-01-01T00:00:00Z");
        app.play(&[event("e0", "dsync.group.user_added", 1, pair()), ahead, event("e2", "dsync.group.user_removed", 9, pair())]);

        assert_eq!(app.brief(GROUP_MEMBERS, &["user_id"]), [""; 0]);
        let states: Vec<String> = app.inbox().into_iter().map(|(_, state)| state).collect();
        assert_eq!(states, ["applied", "dead", "applied"]);
        assert_eq!(app.noticed("delivery_given_up").len(), 1);
        app.assert_rebuilds();
    }
}

both! {
    fn a_removal_that_loses_to_a_fact_not_sent_later_is_counted_in_either_order(app) {
        app.play(&[update("e1", "active", 10, 10)]);
        app.play(&[update("e2", "inactive", 20, 5)]);
        assert_eq!((status(app), app.applier.metrics.removals_overruled.get()), (vec!["active".to_owned()], 1));

        let other = |id: &str, state: &str, seconds, changed| event(id, "dsync.user.updated", seconds, with(user("u2", state, seconds), json!({"updated_at": at(changed)})));
        app.play(&[other("f2", "inactive", 20, 5)]);
        app.play(&[other("f1", "active", 10, 10)]);
        assert_eq!((status(app), app.applier.metrics.removals_overruled.get()), (vec!["active".to_owned(); 2], 2));
    }
}

both! {
    fn a_retry_applies_an_event_of_the_future_when_its_time_has_come(app) {
        // The service's clock is 151 days after the beginning of the events.
        let (soon, late) = (152 * 86_400, 152 * 86_400 + 60);
        app.play(&[update("e1", "active", soon, 5), update("e2", "inactive", late, late)]);
        let letters = || app.database().read::<_, DbError>(|conn| Ok(listing::list(conn, Some(listing::DeliveryState::Dead), 10)?)).unwrap();
        let letter = letters().pop().unwrap();
        assert_eq!((status(app), letter.event.as_str(), letter.reason.as_deref()), (vec!["active".to_owned()], "e2", Some("time_ahead")));
        let retry = || {
            let retried = app.database().write_serialized::<_, DbError>(|conn| Ok(dead_letters::retry(conn, letter.id)?));
            assert!(retried.unwrap());
            app.drain();
        };

        retry();
        assert_eq!((status(app), letters().len()), (vec!["active".to_owned()], 1), "its time has not come");
        app.clock.advance_seconds(60);
        retry();
        assert_eq!((status(app), letters().len()), (vec!["inactive".to_owned()], 0));
    }
}

both! {
    fn rows_have_the_brokers_times_of_creation_and_of_the_last_change(app) {
        use rosterd::{runtime::clock::Timestamp, tables::host_tables::{DIRECTORIES, GROUPS, TENANTS}};
        app.play(&[
            event("o1", "organization.created", 5, crate::harness::broker::organization("org_1", 3)),
            event("d1", "dsync.activated", 5, crate::harness::broker::directory("dir_1", "org_1", 3)),
            event("g1", "dsync.group.created", 5, crate::harness::broker::group("g1", 3)),
        ]);
        for table in [TENANTS, DIRECTORIES, GROUPS] {
            let rows = app.rows(table);
            let times = |name: &str| rows.iter().map(|row| Timestamp::parse(row[name].as_str().unwrap())).collect::<Vec<_>>();
            assert_eq!(times("created_at"), [Timestamp::parse(&at(0))], "{table:?}");
            assert_eq!(times("updated_at"), [Timestamp::parse(&at(3))], "{table:?}");
        }
    }
}
