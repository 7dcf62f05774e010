//! PostgreSQL dies or does not answer.

use std::time::Duration;

use rand::RngExt;

use super::trial::{Trial, kills};
use crate::harness::{Backend, TestDatabase, database::execute, server::Server};

const EVENTS: usize = 150;

#[test]
fn a_database_server_that_is_killed_again_and_again_loses_nothing_acknowledged() {
    let Some(mut server) = Server::start() else { return };
    let deaths = kills().div_ceil(2);
    let mut trial = Trial::new(&server.url(), EVENTS * deaths);
    let mut served = trial.serve();

    for death in 1..=deaths {
        trial.deliver_part(death, deaths);
        if death % 2 == 1 {
            server.kill();
        } else {
            server.stop_at_once();
        }
        trial.count_death();
        // Sometimes all processes die at once, as in a power failure.
        let both = trial.dice.random_ratio(1, 3);
        if both {
            trial.kill(served);
            server.restart();
            served = trial.serve();
        } else {
            std::thread::sleep(Duration::from_millis(trial.dice.random_range(0..400)));
            server.restart();
        }
        trial.observe();
    }

    trial.end(vec![served]);
}

#[test]
#[cfg_attr(feature = "sqlite-only", ignore = "PostgreSQL is left out")]
fn connections_that_are_cut_again_and_again_lose_nothing_and_repeat_nothing() {
    let store = TestDatabase::create(Backend::Postgres);
    let mut trial = Trial::new(&store.url(), EVENTS * kills());
    let served = trial.serve();
    let cuts = kills() * 3;

    for cut in 1..=cuts {
        trial.deliver_part(cut, cuts);
        execute(
            &store.url(),
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
             WHERE datname = current_database() AND pid <> pg_backend_pid()",
        );
        trial.count_death();
    }
    trial.observe();

    trial.end(vec![served]);
}
