//! Ends of rosterd and of the receiver at any time: nothing is lost, and each person's records stay in order.

use std::{net::TcpListener, time::Duration};

use super::{Receiver, add, endpoint, leaves, newest, person};
use crate::harness::{
    Backend, TestApp,
    process::{Served, eventually_within},
};

const PATIENCE: Duration = Duration::from_secs(90);

/// Requests end soon, so the lease of a dead process does, too. The records have the time of the test, which is long ago.
fn serve(app: &TestApp, fail_at: Option<&str>) -> Served {
    let file = std::env::temp_dir().join(format!("rosterd-endpoints-{}.toml", std::process::id()));
    std::fs::write(
        &file,
        "[endpoints]\ntimeout_seconds = 2\n[retention]\nchange_days = 0\nunconfirmed_change_days = 0\n",
    )
    .unwrap();
    Served::start(|command| {
        command.env("DATABASE_URL", app.store.url()).env("ROSTERD_CONFIG", &file);
        if let Some(fail_at) = fail_at {
            command.env("ROSTERD_FAIL_AT", fail_at);
        }
    })
}

fn people(app: &TestApp) {
    crate::feed::member(app);
    for n in 0..60 {
        person(app, &format!("p{n}"));
    }
    for n in 0..60 {
        leaves(app, &format!("p{n}"), 9);
    }
}

fn complete(app: &TestApp, receiver: &Receiver) -> bool {
    let mut numbers = receiver.numbers();
    numbers.sort_unstable();
    numbers.dedup();
    numbers.len() == usize::try_from(newest(app)).unwrap()
}

#[cfg(feature = "failpoints")]
#[test]
fn a_process_that_dies_loses_nothing() {
    for backend in Backend::offered() {
        let app = TestApp::start(backend, |_| {});
        people(&app);
        let receiver = Receiver::start();
        let (id, _) = add(&app, &receiver, &["--from", "1"]);
        let failed = std::sync::Mutex::new(std::collections::BTreeSet::new());
        receiver.answer(move |one| {
            std::thread::sleep(Duration::from_millis(20));
            // Some records fail at first.
            let fails = one.seq() % 17 == 3 && failed.lock().unwrap().insert(one.seq());
            if fails { (500, "") } else { (200, "") }
        });
        for fail_at in ["endpoints.answered:40", "endpoints.before_write:2"] {
            let mut served = serve(&app, Some(fail_at));
            eventually_within(PATIENCE, fail_at, || served.has_ended());
        }
        let _served = serve(&app, None);
        eventually_within(PATIENCE, "all records arrive", || complete(&app, &receiver));
        receiver.assert_ordered();
        eventually_within(PATIENCE, "the position is stored", || {
            endpoint(&app, &id).settled_seq == newest(&app)
        });
    }
}

#[test]
fn of_two_processes_one_posts_and_the_other_one_continues_when_it_is_killed() {
    if !Backend::offered().contains(&Backend::Postgres) {
        return;
    }
    let app = TestApp::start(Backend::Postgres, |_| {});
    people(&app);
    let receiver = Receiver::start();
    let (id, _) = add(&app, &receiver, &["--from", "1"]);
    receiver.answer(|_| {
        std::thread::sleep(Duration::from_millis(50));
        (200, "")
    });
    let (first, second) = (serve(&app, None), serve(&app, None));
    eventually_within(PATIENCE, "some records arrive", || receiver.taken().len() > 60);
    first.kill();
    eventually_within(PATIENCE, "all records arrive", || complete(&app, &receiver));
    receiver.assert_ordered();
    eventually_within(PATIENCE, "the position is stored", || endpoint(&app, &id).settled_seq == newest(&app));
    // Without the kill of the one that posts, each record arrives once.
    assert!(endpoint(&app, &id).fence <= 3);
    drop(second);
}

#[test]
fn a_receiver_that_is_away_for_a_while_misses_nothing() {
    for backend in Backend::offered() {
        let app = TestApp::start(backend, |_| {});
        people(&app);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let before = Receiver::on(listener);
        before.answer(|_| {
            std::thread::sleep(Duration::from_millis(30));
            (200, "")
        });
        let (id, _) = add(&app, &before, &["--from", "1"]);
        let _served = serve(&app, None);
        eventually_within(PATIENCE, "some records arrive", || before.taken().len() > 40);
        let first = before.numbers();
        drop(before);
        std::thread::sleep(Duration::from_secs(3));
        let after = Receiver::on(TcpListener::bind(address).unwrap());
        eventually_within(PATIENCE, "all records arrive", || {
            let mut all = [first.clone(), after.numbers()].concat();
            all.sort_unstable();
            all.dedup();
            all.len() == usize::try_from(newest(&app)).unwrap()
        });
        after.assert_ordered();
        eventually_within(PATIENCE, "the position is stored", || {
            endpoint(&app, &id).settled_seq == newest(&app)
        });
    }
}
