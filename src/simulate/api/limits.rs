//! The rate limit of `/directory_users`: four requests in a second for each directory.

use std::{
    collections::{HashMap, VecDeque},
    time::{Duration, Instant},
};

const MOST: usize = 4;

#[derive(Default)]
pub(super) struct Rate {
    lately: HashMap<String, VecDeque<Instant>>,
}

impl Rate {
    /// Whether one more request for this directory is within the limit. A rejected one does not count.
    pub(super) fn allows(&mut self, directory_id: &str, now: Instant) -> bool {
        let lately = self.lately.entry(directory_id.to_owned()).or_default();
        while lately.front().is_some_and(|then| now.duration_since(*then) >= Duration::from_secs(1)) {
            lately.pop_front();
        }
        let allows = lately.len() < MOST;
        if allows {
            lately.push_back(now);
        }
        allows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fifth_request_within_a_second_is_refused_for_its_directory_only() {
        let (mut rate, now) = (Rate::default(), Instant::now());
        let at = |ms| now + Duration::from_millis(ms);
        assert!((0..4).all(|n| rate.allows("a", at(n))));
        assert!(!rate.allows("a", at(999)));
        assert!(rate.allows("b", at(999)));
        assert!(rate.allows("a", at(1_000)));
    }
}
