//! Runs a property over many cases. A failure is reported in a form that can be repeated.
//!
//! ROSTERD_TEST_CASES sets the number of cases, ROSTERD_TEST_SEED repeats a run.

use std::fmt::Debug;

use proptest::{
    strategy::Strategy,
    test_runner::{Config, RngSeed, TestCaseError, TestError, TestRunner},
};

pub type Outcome = Result<(), TestCaseError>;

fn setting<T: std::str::FromStr>(name: &str) -> Option<T> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().ok().unwrap_or_else(|| panic!("{name} must be a number")))
}

/// The input of a property.
pub trait Trial: Clone + Debug {
    /// The text that a developer needs to look at it.
    fn describe(&self) -> String;

    /// The inputs that remain when one part is left out, for each part.
    fn smaller(&self) -> Vec<Self> {
        Vec::new()
    }
}

pub fn holds<T: Trial>(cases: u32, trials: impl Strategy<Value = T>, property: impl Fn(&T) -> Outcome) {
    let random = || std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), 0);
    let seed = setting("ROSTERD_TEST_SEED").unwrap_or_else(random);
    let config = Config {
        cases: setting("ROSTERD_TEST_CASES").unwrap_or(cases),
        rng_seed: RngSeed::Fixed(seed),
        // Nothing is written into the tree: the seed and the events below are sufficient.
        failure_persistence: None,
        max_shrink_iters: 4_000,
        ..Config::default()
    };
    match TestRunner::new(config).run(&trials, |trial| property(&trial)) {
        Ok(()) => {}
        Err(TestError::Fail(reason, trial)) => {
            let (reason, trial) = smallest((reason.to_string(), trial), property);
            panic!("{reason}\n{}\nROSTERD_TEST_SEED={seed} repeats this", trial.describe())
        }
        Err(TestError::Abort(reason)) => panic!("given up: {reason}"),
    }
}

/// proptest tries to leave out each part once. A part that was needed then may be needless now.
fn smallest<T: Trial>(mut failing: (String, T), property: impl Fn(&T) -> Outcome) -> (String, T) {
    let fails = |trial: T| Some((property(&trial).err()?.to_string(), trial));
    while let Some(smaller) = failing.1.smaller().into_iter().find_map(fails) {
        failing = smaller;
    }
    failing
}

pub fn failed(error: impl ToString) -> TestCaseError {
    TestCaseError::fail(error.to_string())
}
