//! The lowest layer: time, logs, metrics, wake-ups between threads, private files.

pub mod clock;
pub(crate) mod failpoint;
pub mod gauges;
pub mod metrics;
pub mod metrics_text;
pub(crate) mod private_files;
mod process;
pub mod shared;
pub(crate) mod telemetry;
pub mod wake;
