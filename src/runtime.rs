//! Below everything: time, logs, metrics, wake-ups between threads, files for this user alone.

pub mod clock;
pub(crate) mod failpoint;
pub mod metrics;
pub(crate) mod private_files;
pub(crate) mod telemetry;
pub mod wake;
