//! Logs: text on a terminal, JSON otherwise, on standard error.
//!
//! The most frequent fields: `event.id`, `event.kind`, `inbox.id`, `mail.id`, `tenant.id`, `problem`, `reason`,
//! `deliveries`, `leavers`, `attempt`, `duration_ms`, `error`. A log never contains a body, an address, a name, a secret or
//! a signature. At level debug (`RUST_LOG=rosterd=debug`), each event can be followed by its `event.id`. A fault that needs
//! an operator is logged once, at level error. A fault of each delivery (for example, a full disk) is counted and logged
//! at intervals ([`Sparse`]).

use std::{
    collections::HashMap,
    io::IsTerminal,
    sync::OnceLock,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use tracing_subscriber::{EnvFilter, Registry, fmt, layer::SubscriberExt, reload, util::SubscriberInitExt};

/// The filter in force, which can be replaced.
static FILTER: OnceLock<reload::Handle<EnvFilter, Registry>> = OnceLock::new();

/// Whether a text is a filter of logs.
pub fn is_filter(text: &str) -> bool {
    EnvFilter::try_new(text).is_ok()
}

/// Replaces the filter. False if the text is no filter, or if nothing is logged.
pub fn set_filter(text: &str) -> bool {
    let Ok(filter) = EnvFilter::try_new(text) else { return false };
    FILTER.get().is_some_and(|handle| handle.reload(filter).is_ok())
}

/// Starts logging by the filter `default`, which `RUST_LOG` replaces.
pub fn start(default: &str) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    let (filter, handle) = reload::Layer::new(filter);
    let registry = tracing_subscriber::registry().with(filter);
    let terminal = std::io::stderr().is_terminal();
    let outcome = if terminal {
        registry.with(fmt::layer().with_writer(std::io::stderr).with_target(false)).try_init()
    } else {
        registry.with(fmt::layer().json().flatten_event(true).with_writer(std::io::stderr)).try_init()
    };
    // After a second start, as in tests, the first subscriber remains.
    if outcome.is_ok() {
        drop(FILTER.set(handle));
    }
}

/// The interval between two lines of one kind, so that the log of a full disk does not fill it further.
const PAUSE: Duration = Duration::from_secs(5);

/// Allows one log line of a kind in each interval, and counts in between.
#[derive(Debug, Default)]
pub struct Sparse {
    kinds: Mutex<HashMap<&'static str, (Instant, u64)>>,
}

impl Sparse {
    /// Adds `count`. Returns the total since the last line of this kind, or `None` when no line is to be logged now.
    pub fn due(&self, kind: &'static str, count: u64, now: Instant) -> Option<u64> {
        let mut kinds = self.kinds.lock();
        let Some((last, waiting)) = kinds.get_mut(kind) else {
            kinds.insert(kind, (now, 0));
            return Some(count);
        };
        *waiting += count;
        if now.duration_since(*last) < PAUSE {
            return None;
        }
        *last = now;
        Some(std::mem::take(waiting))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_a_line_of_each_kind_in_a_while_and_none_goes_uncounted() {
        let (sparse, begun) = (Sparse::default(), Instant::now());
        let after = |tenths: u64| begun + PAUSE * tenths as u32 / 10;

        assert_eq!(sparse.due("refused", 1, begun), Some(1));
        assert_eq!(sparse.due("refused", 7, after(1)), None);
        assert_eq!(sparse.due("late", 2, after(1)), Some(2));
        assert_eq!(sparse.due("refused", 1, after(9)), None);
        assert_eq!(sparse.due("refused", 1, after(10)), Some(9));
        assert_eq!(sparse.due("refused", 4, after(20)), Some(4));
    }
}
