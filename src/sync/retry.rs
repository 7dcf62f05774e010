//! Decides whether and when a failed request is sent again. Pure: time and chance are arguments.

use std::time::Duration;

use chrono::DateTime;

use crate::runtime::clock::Timestamp;

/// A longer `Retry-After` is shortened to this.
pub const LONGEST_PAUSE: Duration = Duration::from_secs(60);
const FIRST_PAUSE: Duration = Duration::from_millis(250);

/// A rate limit is no failure, so it allows more attempts.
const MOST_LIMITED: u32 = 20;
const MOST_FAILURES: u32 = 5;

/// Why there is no usable answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Status 429, with the value of `Retry-After`.
    Limited(Option<String>),
    /// Status 5xx, a timeout, or a broken connection.
    Broken,
}

/// The pause before the next attempt, or `None` to stop. `attempt` counts from 1. `chance` is from 0 to 1.
pub fn pause(
    failure: &Failure,
    attempt: u32,
    broker_now: Option<Timestamp>,
    chance: f64,
) -> Option<Duration> {
    let most = match failure {
        Failure::Limited(_) => MOST_LIMITED,
        Failure::Broken => MOST_FAILURES,
    };
    if attempt >= most {
        return None;
    }
    let growing = FIRST_PAUSE.saturating_mul(1 << attempt.saturating_sub(1).min(8));
    let asked = match failure {
        Failure::Limited(Some(text)) => asked(text, broker_now),
        _ => None,
    };
    // Never shorter than the broker asks for. Chance spreads the clients, so that they do not return at the same
    // moment.
    let pause = asked.unwrap_or(growing).max(growing).min(LONGEST_PAUSE);
    Some(pause.mul_f64(1.0 + chance.clamp(0.0, 1.0) / 4.0).min(LONGEST_PAUSE))
}

/// Parses seconds, or a date by the broker's clock.
fn asked(text: &str, broker_now: Option<Timestamp>) -> Option<Duration> {
    let text = text.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let seconds = date(text)?.seconds_since(broker_now?);
    Some(Duration::from_secs(u64::try_from(seconds).unwrap_or_default()))
}

/// Parses a date in the format of HTTP headers.
pub fn date(text: &str) -> Option<Timestamp> {
    let date = DateTime::parse_from_rfc2822(text.trim()).ok()?;
    Some(Timestamp::from_micros(date.timestamp_micros()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "Fri, 27 Nov 2026 16:00:00 GMT";

    fn seconds(after: Option<&str>, attempt: u32) -> Option<f64> {
        let failure = Failure::Limited(after.map(str::to_owned));
        pause(&failure, attempt, date(NOW), 0.0).map(|pause| pause.as_secs_f64())
    }

    #[test]
    fn retry_after_is_followed_as_seconds_or_as_a_date_but_never_longer_than_a_minute() {
        assert_eq!(seconds(Some("7"), 1), Some(7.0));
        assert_eq!(seconds(Some("Fri, 27 Nov 2026 16:00:09 GMT"), 1), Some(9.0));
        assert_eq!(seconds(Some("3600"), 1), Some(60.0));
        assert_eq!(seconds(Some("18446744073709551615"), 1), Some(60.0));
        assert_eq!(seconds(Some("Fri, 27 Nov 2026 17:00:00 GMT"), 1), Some(60.0));
    }

    #[test]
    fn nothing_usable_or_zero_is_a_growing_pause() {
        for none in [None, Some("0"), Some("soon"), Some("-5"), Some("Fri, 27 Nov 2026 15:00:00 GMT")] {
            assert_eq!((seconds(none, 1), seconds(none, 3)), (Some(0.25), Some(1.0)), "{none:?}");
        }
        assert_eq!(seconds(None, 19), Some(60.0));
    }

    #[test]
    fn attempts_end_and_chance_only_lengthens() {
        assert_eq!(seconds(Some("1"), MOST_LIMITED), None);
        assert_eq!(pause(&Failure::Broken, MOST_FAILURES, None, 0.0), None);
        assert_eq!(pause(&Failure::Broken, 1, None, 1.0), Some(FIRST_PAUSE.mul_f64(1.25)));
    }
}
