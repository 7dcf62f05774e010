//! How long to wait after a failure: growing, and spread by the number of the record. The file is pure.

/// The pause before attempt `attempts` + 1, in milliseconds. It doubles with each attempt, up to `longest`, and is shortened by
/// up to a fifth, so that records that failed together do not come together again.
pub(super) fn millis(first: i64, longest: i64, attempts: i64, seed: i64) -> i64 {
    let doubled = first.saturating_mul(1_i64 << attempts.saturating_sub(1).clamp(0, 40)).min(longest);
    let share = i64::try_from(mixed(seed ^ attempts.rotate_left(32)) % 200).unwrap_or_default();
    doubled - doubled / 1_000 * share
}

/// The finalizer of splitmix64: each bit of the number changes about half of the bits of the result.
fn mixed(seed: i64) -> u64 {
    let mut mixed = (seed as u64).wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_are_bounded_and_differ_between_records() {
        for seed in [0, 1, -7, i64::MAX] {
            let pauses: Vec<i64> =
                (1..100).map(|attempts| millis(5_000, 3_600_000, attempts, seed)).collect();
            assert!(pauses.windows(2).take(9).all(|pair| pair[0] < pair[1]), "{pauses:?}");
            assert!(pauses.iter().all(|pause| (4_000..=3_600_000).contains(pause)), "{pauses:?}");
            assert!(pauses[98] >= 2_880_000, "{pauses:?}");
        }
        let first: std::collections::BTreeSet<i64> =
            (0..100).map(|seed| millis(5_000, 60_000, 1, seed)).collect();
        assert!(first.len() > 50, "{first:?}");
    }
}
