//! When a failed mail is tried again, and when it is given up; pure.
//!
//! All failures have the same pauses. A permanent refusal (5xx) is usually a wrong password, a missing right to relay or a
//! full mailbox, which somebody corrects within days. So it is not given up earlier than an unreachable server.

/// Seconds to wait after the first failed attempt, the second, and so on. The sum is 70 hours: longer than a weekend.
const PAUSES: [i64; 9] =
    [60, 5 * 60, 15 * 60, 3_600, 3 * 3_600, 6 * 3_600, 12 * 3_600, 24 * 3_600, 24 * 3_600];

/// What happens after a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryDecision {
    /// Another attempt after this pause.
    Again { after_seconds: i64 },
    /// No further attempt.
    GiveUp,
}

/// The decision after the failure of this attempt. The first attempt is 1.
pub fn after(attempt: u16) -> RetryDecision {
    PAUSES
        .get(usize::from(attempt.saturating_sub(1)))
        .map_or(RetryDecision::GiveUp, |&after_seconds| RetryDecision::Again { after_seconds })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_end_after_about_three_days() {
        let pauses: Vec<i64> = (1..)
            .map_while(|attempt| match after(attempt) {
                RetryDecision::Again { after_seconds } => Some(after_seconds),
                RetryDecision::GiveUp => None,
            })
            .collect();

        assert!(pauses.is_sorted());
        assert_eq!((pauses.len(), pauses.first()), (9, Some(&60)));
        assert_eq!(pauses.iter().sum::<i64>() / 3_600, 70);
        assert_eq!(after(10), RetryDecision::GiveUp);
        assert_eq!(after(u16::MAX), RetryDecision::GiveUp);
    }
}
