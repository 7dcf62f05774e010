//! Decides when the next request may be made: a rate for the key, and one for each directory. Pure: time is an
//! argument.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

/// The spacing is a little longer than the limit requires, because the travel time of requests varies. A refused
/// request costs a second, so a comparison with less slack was slower.
const SLACK: f64 = 1.06;

pub struct Pace {
    spacing: Duration,
    of_directory: Option<Duration>,
    next: Option<Instant>,
    next_of: HashMap<String, Instant>,
}

fn spacing(per_second: u32) -> Duration {
    Duration::from_secs_f64(SLACK / f64::from(per_second.max(1)))
}

impl Pace {
    pub fn new(per_second: u32, of_directory: Option<u32>) -> Self {
        Self {
            spacing: spacing(per_second).mul_f64(1.0 / SLACK),
            of_directory: of_directory.map(spacing),
            next: None,
            next_of: HashMap::new(),
        }
    }

    /// Reserves the next time for a request, and returns it.
    pub fn place(&mut self, directory_id: Option<&str>, now: Instant) -> Instant {
        let mut at = self.next.map_or(now, |next| next.max(now));
        if let (Some(id), Some(spacing)) = (directory_id, self.of_directory) {
            at = self.next_of.get(id).map_or(at, |next| at.max(*next));
            self.next_of.retain(|_, next| *next > now);
            self.next_of.insert(id.to_owned(), at + spacing);
        }
        // A request that waits for its directory leaves the key's next time to others.
        self.next = Some(self.next.map_or(now, |next| next.max(now)) + self.spacing);
        at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_gets_four_a_second_and_does_not_hold_up_others() {
        let (mut pace, now) = (Pace::new(100, Some(4)), Instant::now());
        let of = |pace: &mut Pace, id| pace.place(Some(id), now).duration_since(now).as_millis();
        let first: Vec<u128> = (0..5).map(|_| of(&mut pace, "a")).collect();
        assert_eq!(first.first(), Some(&0));
        assert!(first.last().is_some_and(|last| (1_000..1_100).contains(last)), "{first:?}");
        assert_eq!(of(&mut pace, "b"), 50);
    }
}
