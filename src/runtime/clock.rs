//! Times: UTC in whole microseconds, the precision that both databases store.
//!
//! Pure code takes a [`Timestamp`] as an argument. Only code with I/O reads a [`Clock`].

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use chrono::{DateTime, NaiveDateTime, SecondsFormat, Utc};
use serde::Serialize;

/// Microseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Timestamp(i64);

/// The years 1 to 9999, which RFC 3339 can express and both databases can store.
const EARLIEST: i64 = -62_135_596_800_000_000;
const LATEST: i64 = 253_402_300_799_999_999;

impl Timestamp {
    /// A value outside the years 1 to 9999 becomes the nearest time within, so that each time can be stored.
    pub const fn from_micros(micros: i64) -> Self {
        if micros < EARLIEST {
            Self(EARLIEST)
        } else if micros > LATEST {
            Self(LATEST)
        } else {
            Self(micros)
        }
    }

    /// The same from milliseconds.
    pub const fn from_millis(millis: i64) -> Self {
        Self::from_micros(millis.saturating_mul(1_000))
    }

    /// Microseconds since 1970.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Milliseconds since 1970, rounded down.
    pub const fn millis(self) -> i64 {
        self.0.div_euclid(1_000)
    }

    /// Whole minutes since 1970.
    pub const fn minute(self) -> i64 {
        self.0.div_euclid(60_000_000)
    }

    /// This time and `seconds`, within the years 1 to 9999.
    pub const fn plus_seconds(self, seconds: i64) -> Self {
        Self::from_micros(self.0.saturating_add(seconds.saturating_mul(1_000_000)))
    }

    /// Whole seconds from `earlier` to this time, rounded down; negative when `earlier` is later.
    pub const fn seconds_since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0).div_euclid(1_000_000)
    }

    /// Reads RFC 3339, and the form without a zone in some samples of the broker (docs/broker-workos.md 1.1), as UTC.
    /// Digits beyond microseconds are dropped.
    pub fn parse(text: &str) -> Option<Self> {
        // A time of a broker is never longer. The bound keeps parsing cheap.
        if text.len() > 40 {
            return None;
        }
        let utc = DateTime::parse_from_rfc3339(text).map(|t| t.to_utc()).ok().or_else(|| {
            ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f"]
                .iter()
                .find_map(|form| NaiveDateTime::parse_from_str(text, form).ok())
                .map(|naive| naive.and_utc())
        })?;
        let micros = utc.timestamp_micros();
        (EARLIEST..=LATEST).contains(&micros).then_some(Self(micros))
    }

    /// As a `chrono` time.
    pub fn to_utc(self) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(self.0).unwrap_or_default()
    }
}

/// `2026-01-15T12:00:00.000000Z`: the text sorts like the time, and SQLite's date functions read it.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_utc().to_rfc3339_opts(SecondsFormat::Micros, true))
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The source of the current time.
#[derive(Clone, Debug, Default)]
pub enum Clock {
    /// The system's clock.
    #[default]
    System,
    /// A clock for tests, which moves only by [`Clock::advance_seconds`]; microseconds.
    Fixed(Arc<AtomicI64>),
}

impl Clock {
    /// A clock that stands at this time.
    pub fn fixed(at: Timestamp) -> Self {
        Self::Fixed(Arc::new(AtomicI64::new(at.micros())))
    }

    /// The current time.
    pub fn now(&self) -> Timestamp {
        match self {
            Self::System => Timestamp::from_micros(Utc::now().timestamp_micros()),
            Self::Fixed(micros) => Timestamp::from_micros(micros.load(Ordering::SeqCst)),
        }
    }

    /// Whether it moves only when a test moves it.
    pub fn is_fixed(&self) -> bool {
        matches!(self, Self::Fixed(_))
    }

    /// Advances a fixed clock. Has no effect on the system's clock.
    pub fn advance_seconds(&self, seconds: i64) {
        if let Self::Fixed(micros) = self {
            micros.fetch_add(seconds.saturating_mul(1_000_000), Ordering::SeqCst);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_a_brokers_time_are_read_as_utc() {
        let expected = Timestamp::from_millis(1_682_715_931_093);

        assert_eq!(Timestamp::parse("2023-04-28T21:05:31.093Z"), Some(expected));
        assert_eq!(Timestamp::parse("2023-04-28T23:05:31.093+02:00"), Some(expected));
        assert_eq!(Timestamp::parse("2023-04-28 21:05:31.093"), Some(expected));
        assert_eq!(Timestamp::parse("2023-04-28T21:05:31.093"), Some(expected));
    }

    #[test]
    fn a_text_that_is_no_time_is_refused_and_not_guessed() {
        for text in ["", "yesterday", "1682715931", "2023-13-01T00:00:00Z", &"9".repeat(10_000)] {
            assert_eq!(Timestamp::parse(text), None, "{text:.20}");
        }
    }

    #[test]
    fn a_time_is_written_with_six_digits_and_read_back_equal() {
        let time = Timestamp::from_micros(1_768_478_400_000_001);

        assert_eq!(time.to_string(), "2026-01-15T12:00:00.000001Z");
        assert_eq!(Timestamp::parse(&time.to_string()), Some(time));
    }

    #[test]
    fn times_past_the_calendar_are_moved_to_its_ends() {
        assert_eq!(Timestamp::from_micros(i64::MAX).to_string(), "9999-12-31T23:59:59.999999Z");
        assert_eq!(Timestamp::from_millis(i64::MIN).to_string(), "0001-01-01T00:00:00.000000Z");
    }
}
