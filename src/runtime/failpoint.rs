//! Fail points: named instants at which a test lets this process die. They are compiled in with the feature
//! `failpoints`, which only tests switch on; in every other build [`reach`] is nothing.
//!
//! ROSTERD_FAIL_AT is `name`, or `name:N` for the N-th time that it is reached. The process then ends as SIGKILL ends
//! it: at once, by a signal, with nothing unwound, flushed, rolled back or answered.

#[cfg(not(feature = "failpoints"))]
#[inline(always)]
pub(crate) fn reach(_name: &str) {}

#[cfg(feature = "failpoints")]
pub(crate) fn reach(name: &str) {
    use std::sync::{
        LazyLock,
        atomic::{AtomicU64, Ordering},
    };

    static FAIL_AT: LazyLock<Option<(String, AtomicU64)>> = LazyLock::new(|| {
        let text = std::env::var("ROSTERD_FAIL_AT").ok()?;
        let (name, nth) = text.split_once(':').unwrap_or((&text, "1"));
        Some((name.to_owned(), AtomicU64::new(nth.parse().ok()?)))
    });
    if let Some((_, left)) = FAIL_AT.as_ref().filter(|(chosen, _)| chosen == name)
        && left.fetch_sub(1, Ordering::SeqCst) == 1
    {
        // Not `kill -KILL` in a child: the other threads would go on until it has started.
        std::process::abort();
    }
}
