//! Crashes at chosen points: `failpoint::reach` in src.

use std::{
    os::unix::process::ExitStatusExt,
    process::ExitStatus,
    time::{Duration, Instant},
};

use rand::RngExt;
use rosterd::simulate::Event;

use super::{
    notices::message_id,
    on_both,
    trial::{Trial, kills},
};
use crate::harness::{
    TestDatabase,
    broker::{event, user},
    process::{Served, eventually},
};

/// In the order of the data's path. The last point is reached when a directory is deleted, which is the end of the
/// load.
const POINTS: [&str; 9] =
    ["appended", "stored", "folded", "noticed", "applied", "bundled", "claimed", "notified", "recomputed"];

/// Enough events for each point to find people, and some leavers.
const EVENTS: usize = 1_000;

/// Delivers more and more until the process has died.
fn die(trial: &mut Trial, doomed: Result<Served, ExitStatus>, point: &str) {
    let status = match doomed {
        Err(status) => status,
        Ok(mut served) => {
            let mut moved = Instant::now();
            while !served.has_ended() {
                let load = &trial.load;
                if load.done() == load.allowed() && load.allowed() < load.len() {
                    load.allow(load.allowed() + 10);
                    moved = Instant::now();
                }
                assert!(moved.elapsed() < Duration::from_secs(20), "{point} was never reached");
                std::thread::sleep(Duration::from_millis(5));
            }
            trial.bury(served)
        }
    };
    assert_eq!(status.signal(), Some(6), "{point}: {status}");
}

on_both! {
    fn a_process_that_dies_at_any_point_loses_nothing_acknowledged_and_repeats_nothing(backend) {
        let store = TestDatabase::create(backend);
        let rounds = kills().div_ceil(6);
        let mut trial = Trial::new(&store.url(), EVENTS * rounds);

        for round in 1..=rounds {
            for point in POINTS {
                if point == "recomputed" && round < rounds {
                    continue;
                }
                // The second crash is the first one in a process that has worked before.
                let nth = if point == "recomputed" { 1 } else { trial.dice.random_range(1..=2) };
                let doomed = trial.serve_doomed(&format!("{point}:{nth}"));
                die(&mut trial, doomed, point);
                let restarted = trial.serve();
                trial.observe();
                trial.kill(restarted);
            }
        }

        let last = trial.serve();
        trial.end(vec![last]);
    }
}

/// A person who has been created and is about to leave.
fn a_leaver(url: &str) -> Trial {
    let event = |id: &str, kind: &str, state: &str, seconds| {
        let body = event(id, kind, seconds, user("u1", state, seconds));
        Event { id: id.to_owned(), kind: "", body: body.to_string().into_bytes() }
    };
    let events = vec![
        event("e1", "dsync.user.created", "active", 1),
        event("e2", "dsync.user.updated", "inactive", 2),
    ];
    let mut trial = Trial::with(url, events);
    let served = trial.serve();
    trial.load.allow(1);
    eventually("the person active", || {
        trial.observe();
        trial.has_seen_somebody_active()
    });
    trial.stop(served);
    trial
}

on_both! {
    fn a_leaver_is_reported_wherever_the_process_dies_and_twice_only_if_it_died_before_the_record(backend) {
        for point in ["noticed", "applied", "bundled", "claimed", "notified"] {
            let store = TestDatabase::create(backend);
            let mut trial = a_leaver(&store.url());

            let doomed = trial.serve_doomed(point);
            die(&mut trial, doomed, point);
            let before = trial.smtp.received().len();
            trial.end_leases();
            let again = trial.serve();
            let received = trial.end(vec![again]);

            // Each recipient has an envelope of their own.
            let to = ["it@host.example", "security@host.example"];
            let copies = if point == "notified" { 2 } else { 1 };
            assert_eq!((before, received.len()), ((copies - 1) * to.len(), copies * to.len()), "{point}");
            for address in to {
                let own: Vec<_> = received.iter().filter(|copy| copy.to == [address]).collect();
                assert_eq!(own.len(), copies, "{address} at {point}");
                assert!(own.iter().all(|copy| message_id(copy) == message_id(&received[0])));
            }
        }
    }
}
