//! When the number of people in a hold is announced, by mail and in the audit trail. Pure.
//!
//! People of one mass change arrive one after another. The first announcement waits until nobody joins the hold any more,
//! but not for long. Each further one reports that the number has doubled.

use crate::runtime::clock::Timestamp;

/// A hold is calm if nobody has joined it for this long.
pub const CALM_SECONDS: i64 = 30;
/// An announcement waits no longer than this, also if people still join.
pub const LONGEST_SECONDS: i64 = 120;

/// The announcements of one hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Announcement {
    /// The number of people at the last announcement; 0 before the first.
    pub people: i64,
    /// The time of the next announcement, if one is due.
    pub due_at: Option<Timestamp>,
    /// The time since which people have joined for the next announcement.
    pub growing_since: Option<Timestamp>,
}

impl Announcement {
    /// Whether this number of people is news.
    pub fn is_news(&self, people: i64) -> bool {
        people > 0 && people >= self.people.saturating_mul(2)
    }

    /// Somebody has joined, and this number of people waits for a decision now.
    pub fn joined(self, people: i64, now: Timestamp) -> Self {
        if !self.is_news(people) {
            return self;
        }
        let since = self.growing_since.unwrap_or(now);
        let due = now.plus_seconds(CALM_SECONDS).min(since.plus_seconds(LONGEST_SECONDS));
        Self { due_at: Some(due), growing_since: Some(since), ..self }
    }

    /// The announcement was made for this number of people.
    pub fn made(self, people: i64) -> Self {
        Self { people, due_at: None, growing_since: None }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop_assert, prop_assert_eq, proptest};

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(1_780_272_000_000).plus_seconds(seconds)
    }

    #[test]
    fn it_waits_until_nobody_joins_and_no_longer_than_two_minutes() {
        let mut one = Announcement::default().joined(1, at(0));
        assert_eq!(one.due_at, Some(at(30)));
        for n in 1..6 {
            one = one.joined(1 + n, at(25 * n));
        }
        assert_eq!(one.due_at, Some(at(120)));
    }

    #[test]
    fn after_the_first_only_a_doubled_number_is_news() {
        let one = Announcement::default().joined(20, at(0)).made(20);
        assert_eq!(one.joined(39, at(60)), one);
        assert_eq!(one.joined(40, at(60)).due_at, Some(at(90)));
        assert!(!Announcement::default().is_news(0));
    }

    proptest! {
        #[test]
        fn an_announcement_is_due_after_a_calm_time_and_never_late(steps in proptest::collection::vec((1..9_i64, 0..50_i64), 1..40)) {
            let (mut one, mut people, mut now, mut began) = (Announcement::default(), 0, 0, None);
            for (more, pause) in steps {
                now += pause;
                if one.due_at.is_some_and(|due| due <= at(now)) {
                    one = one.made(people);
                    began = None;
                }
                people += more;
                let before = one;
                one = one.joined(people, at(now));
                match one.is_news(people) {
                    true => {
                        let began = *began.get_or_insert(now);
                        let due = one.due_at.unwrap();
                        prop_assert!(due <= at(began + LONGEST_SECONDS) && due <= at(now + CALM_SECONDS));
                        prop_assert!(due == at(began + LONGEST_SECONDS) || due == at(now + CALM_SECONDS));
                    }
                    false => prop_assert_eq!(one, before),
                }
            }
        }
    }
}
