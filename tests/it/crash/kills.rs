//! SIGKILL at random moments, under load.

use super::{
    on_both,
    trial::{Trial, kills},
};
use crate::harness::{Backend, TestDatabase};
use rand::RngExt;

/// Events for each kill, so that each kill meets work.
const EVENTS: usize = 120;

on_both! {
    fn a_process_killed_at_random_loses_nothing_acknowledged_and_repeats_nothing(backend) {
        let store = TestDatabase::create(backend);
        let mut trial = Trial::new(&store.url(), EVENTS * kills());
        let mut served = trial.serve();

        for kill in 1..=kills() {
            trial.deliver_part(kill, kills());
            trial.kill(served);
            if trial.dice.random_ratio(1, 3) {
                trial.start_in_vain();
            }
            served = trial.serve();
            trial.observe();
        }

        trial.end(vec![served]);
    }
}

fn several_processes_share_a_database(processes: usize) {
    let store = TestDatabase::create(Backend::Postgres);
    let mut trial = Trial::new(&store.url(), EVENTS * kills());
    let mut served: Vec<_> = (0..processes).map(|_| trial.serve()).collect();

    for kill in 1..=kills() {
        trial.deliver_part(kill, kills());
        // At least one process continues, with the work of the killed ones.
        for _ in 0..trial.dice.random_range(1..processes) {
            let victim = trial.dice.random_range(0..served.len());
            trial.kill(served.swap_remove(victim));
        }
        trial.observe();
        while served.len() < processes {
            served.push(trial.serve());
        }
    }

    trial.end(served);
}

#[test]
#[cfg_attr(feature = "sqlite-only", ignore = "PostgreSQL is left out")]
fn one_of_two_processes_on_one_database_continues_when_the_other_is_killed() {
    several_processes_share_a_database(2);
}

#[test]
#[cfg_attr(feature = "sqlite-only", ignore = "PostgreSQL is left out")]
fn the_rest_of_four_processes_on_one_database_continues_when_some_are_killed() {
    several_processes_share_a_database(4);
}
