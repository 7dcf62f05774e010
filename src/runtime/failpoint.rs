//! Fail points: named places at which a test ends this process. They exist only with the feature `failpoints`, which only
//! tests use; in other builds [`reach`] does nothing.
//!
//! ROSTERD_FAIL_AT is `name`, or `name:N` for the N-th time that the place is reached. The process then ends as after
//! SIGKILL: at once, by a signal, without unwinding, flushing, rollback or answer.

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
        // Not `kill -KILL` in a child process: other threads would continue until the child has started.
        std::process::abort();
    }
}
