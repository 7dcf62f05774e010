//! Asking the broker: missed events, and lists to compare with (docs/sync.md).
//!
//! ```text
//! client     questions → answers, within the limits of the API
//! catch_up   events that no webhook brought → inbox
//! lists      pages of a list, to their end or to what broke them off
//! compare    one directory: its lists against the latest facts → differences
//! absent     what complete lists do not hold, read twice
//! losses     the differences that take access away, weighed as one batch before they enter the inbox
//! difference one listed object against the latest fact about it
//! reconcile  all directories (subjects), their owners first, and the record of each comparison
//! schedule   which directories are due (pure), and runs: one process at a time
//! not_compared, missed, silence   notices: not compared for long, no webhooks, no word for days
//! ```

mod absent;
pub mod backfill;
pub mod catch_up;
pub mod client;
pub mod compare;
pub mod difference;
mod lists;
mod losses;
mod members;
pub mod missed;
pub mod not_compared;
mod owners;
mod pace;
pub mod reconcile;
mod record;
pub mod report;
mod retry;
pub mod runs;
pub mod schedule;
pub mod silence;
mod subjects;
