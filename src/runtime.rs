//! The lowest layer: time, logs, metrics, wake-ups between threads, private files.

pub mod clock;
pub(crate) mod failpoint;
pub mod metrics;
pub(crate) mod private_files;
pub mod shared;
pub(crate) mod telemetry;
pub mod wake;
