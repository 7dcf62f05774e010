//! The periods of reports: weeks from Monday, months from the 1st, both from 06:00 UTC; pure.

use chrono::{Datelike, Days, NaiveTime};
use strum::VariantArray;

use crate::runtime::clock::Timestamp;

/// Night in America and morning in Europe: most events of the previous day have arrived.
const BEGINS_AT_SECONDS: i64 = 6 * 3_600;

/// The length of a report period.
#[derive(Clone, Copy, Debug, PartialEq, Eq, VariantArray)]
pub enum Every {
    /// From Monday.
    Week,
    /// From the 1st.
    Month,
}

impl Every {
    /// The beginning of the period that contains `at`.
    pub fn beginning(self, at: Timestamp) -> Timestamp {
        let day = at.plus_seconds(-BEGINS_AT_SECONDS).to_utc().date_naive();
        let since_first = match self {
            Self::Week => day.weekday().num_days_from_monday(),
            Self::Month => day.day0(),
        };
        let first = day.checked_sub_days(Days::new(since_first.into())).unwrap_or(day);
        let midnight = first.and_time(NaiveTime::MIN).and_utc().timestamp_micros();
        Timestamp::from_micros(midnight).plus_seconds(BEGINS_AT_SECONDS)
    }

    /// The beginning of the previous period.
    pub fn before(self, beginning: Timestamp) -> Timestamp {
        self.beginning(beginning.plus_seconds(-1))
    }
}

/// Whether a week or a month begins after `earlier` and not after `later`.
pub fn begins_between(earlier: Timestamp, later: Timestamp) -> bool {
    Every::VARIANTS.iter().any(|every| every.beginning(earlier) < every.beginning(later))
}

#[cfg(test)]
mod tests {
    use chrono::{Timelike, Weekday};
    use proptest::prelude::{prop_assert, prop_assert_eq, proptest};

    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    fn beginning(every: Every, text: &str) -> String {
        every.beginning(at(text)).to_string()
    }

    #[test]
    fn a_week_begins_on_monday_at_six_and_not_before() {
        for (time, begins) in [
            ("2026-06-01T05:59:59.999999Z", "2026-05-25T06:00:00.000000Z"),
            ("2026-06-01T06:00:00Z", "2026-06-01T06:00:00.000000Z"),
            ("2026-06-07T23:00:00Z", "2026-06-01T06:00:00.000000Z"),
            ("2024-03-01T00:00:00Z", "2024-02-26T06:00:00.000000Z"),
        ] {
            assert_eq!(beginning(Every::Week, time), begins, "{time}");
        }
    }

    #[test]
    fn a_month_begins_on_the_first_at_six_and_not_before() {
        for (time, begins) in [
            ("2026-06-01T05:59:59.999999Z", "2026-05-01T06:00:00.000000Z"),
            ("2026-06-01T06:00:00Z", "2026-06-01T06:00:00.000000Z"),
            ("2024-02-29T12:00:00Z", "2024-02-01T06:00:00.000000Z"),
            ("2026-01-01T01:00:00Z", "2025-12-01T06:00:00.000000Z"),
        ] {
            assert_eq!(beginning(Every::Month, time), begins, "{time}");
        }
    }

    proptest! {
        /// Over six centuries, each time is in exactly one period.
        #[test]
        fn periods_follow_each_other_without_gap_on_the_right_day_at_six(
            micros in -9_000_000_000_000_000_i64..9_000_000_000_000_000,
            later in 0..60_000_000_000_000_i64,
        ) {
            let now = Timestamp::from_micros(micros);
            for &every in Every::VARIANTS {
                let begin = every.beginning(now);
                let before = every.before(begin);
                prop_assert!(before < begin && begin <= now);
                // The last instant of the previous period, and the first of this one.
                prop_assert_eq!(every.beginning(Timestamp::from_micros(begin.micros() - 1)), before);
                prop_assert_eq!(every.beginning(begin), begin);
                prop_assert_eq!(every.beginning(before), before);
                let then = Timestamp::from_micros(micros + later);
                prop_assert!(every.beginning(then) >= begin);
                let utc = begin.to_utc();
                prop_assert_eq!((utc.hour(), utc.minute(), utc.second(), utc.nanosecond()), (6, 0, 0, 0));
                let days = begin.seconds_since(before) / 86_400;
                let right = match every {
                    Every::Week => utc.weekday() == Weekday::Mon && days == 7,
                    Every::Month => utc.day() == 1 && (28..=31).contains(&days),
                };
                prop_assert!(right, "{every:?}: {before:?}, {begin:?}");
                prop_assert!(begins_between(before, now));
            }
        }
    }
}
