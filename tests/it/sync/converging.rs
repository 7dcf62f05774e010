//! Lists at random moments, interrupted or repeated, among webhooks that are lost, late, repeated and in any order. At
//! the end the tables are equal to the broker's state, and no later arrival of an older event changes them.

use std::collections::BTreeSet;

use rand::{RngExt, SeedableRng, rngs::StdRng, seq::SliceRandom};
use rosterd::{
    simulate::{DEFAULT_START, Event, Plan},
    sync::catch_up::poll,
    tables::host_tables::{GROUP_MEMBERS, GROUPS, USER_ROLES, USERS},
};

use super::{api::TestApi, reconciled::reconcile};
use crate::harness::{Backend, TestApp};

/// The people with access, their groups and their roles.
fn shown(app: &TestApp) -> [BTreeSet<String>; 4] {
    let users = app.brief(USERS, &["status", "tenant_id", "id", "email", "updated_at"]);
    [
        users.into_iter().filter(|row| row.starts_with("active")).collect(),
        app.brief(GROUPS, &["tenant_id", "id", "name"]).into_iter().collect(),
        app.brief(GROUP_MEMBERS, &["tenant_id", "group_id", "user_id"]).into_iter().collect(),
        app.brief(USER_ROLES, &["tenant_id", "user_id", "role_slug"]).into_iter().collect(),
    ]
}

fn start(backend: Backend) -> TestApp {
    TestApp::start(backend, |config| {
        config.guard.on = false;
        config.apply.batch_deliveries = 17;
    })
}

fn deliver(app: &TestApp, event: &Event) {
    assert_eq!(app.send(event.body.clone()).status, 200);
}

fn history(backend: Backend, seed: u64) {
    let mut dice = StdRng::seed_from_u64(seed);
    let plan = Plan { tenants: 2, users: 14, events: 230, seed, start: DEFAULT_START };
    let events: Vec<Event> = plan.events().collect();
    let expected = {
        let reference = start(backend);
        events.iter().for_each(|event| deliver(&reference, event));
        reference.drain();
        shown(&reference)
    };

    let (app, api) = (start(backend), TestApi::start());
    let mut late: Vec<&Event> = Vec::new();
    for event in &events {
        api.broker(|broker| broker.emit(event));
        match dice.random_range(0..10) {
            0..3 => {}
            3..6 => late.push(event),
            _ => deliver(&app, event),
        }
        if dice.random_ratio(1, 3) && !late.is_empty() {
            let event = late[dice.random_range(0..late.len())];
            deliver(&app, event);
        }
        match dice.random_range(0..60) {
            0 => drop(reconcile(&app, &api)),
            1 => {
                api.broker(|broker| broker.faults.cut_after = Some(3));
                reconcile(&app, &api);
                api.broker(|broker| broker.faults.cut_after = None);
            }
            2 => {
                let path = ["directory_users", "directory_groups"][dice.random_range(0..2)];
                api.broker(|broker| broker.faults.fails = vec![(path.to_owned(), 403, 1)]);
                reconcile(&app, &api);
                api.broker(|broker| broker.faults.fails.clear());
            }
            3 => drop(poll(app.database(), &api.client(), app.clock.now()).unwrap()),
            4..8 => app.drain(),
            _ => {}
        }
    }
    api.broker(|broker| broker.tick(2));
    reconcile(&app, &api);
    assert_eq!(shown(&app), expected, "seed {seed}: after the last comparison");

    // Some of the late events arrive, in any order, and the others never do. Nobody loses access by that, and the next
    // comparison corrects what no list had to contradict.
    let mut some: Vec<&Event> = events.iter().filter(|_| dice.random_ratio(1, 3)).collect();
    some.shuffle(&mut dice);
    some.iter().for_each(|event| deliver(&app, event));
    app.drain();
    let active = |shown: &[BTreeSet<String>; 4]| shown[0].clone();
    assert_eq!(active(&shown(&app)), active(&expected), "seed {seed}: after some of what was late");
    api.broker(|broker| broker.tick(2));
    reconcile(&app, &api);
    assert_eq!(shown(&app), expected, "seed {seed}: after the comparison that follows");

    let mut again: Vec<&Event> = events.iter().collect();
    again.shuffle(&mut dice);
    again.iter().for_each(|event| deliver(&app, event));
    app.drain();
    assert_eq!(shown(&app), expected, "seed {seed}: after all that was late");
    app.assert_rebuilds();
}

#[test]
fn histories_with_lists_at_random_moments_end_as_the_broker_says_on_sqlite() {
    (0..12).for_each(|seed| history(Backend::Sqlite, seed));
}

#[test]
#[cfg_attr(feature = "sqlite-only", ignore = "PostgreSQL is left out")]
fn histories_with_lists_at_random_moments_end_as_the_broker_says_on_postgres() {
    (100..106).for_each(|seed| history(Backend::Postgres, seed));
}
