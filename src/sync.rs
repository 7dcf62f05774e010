//! Reads the broker's API: missed events, and lists to compare with the tables (docs/sync.md).
//!
//! ```text
//! client      requests and answers, within the limits of the API
//! catch_up    events that no webhook delivered → inbox
//! lists       the pages of a list, to the end or to the first failure
//! compare     one directory: its lists and the latest facts → differences
//! absent      objects that complete lists lack in two readings
//! losses      differences that take access away; the guard weighs them together before they enter the inbox
//! difference  one listed object and the latest fact about it
//! reconcile   all directories (subjects), their owners first, and the record of each comparison
//! schedule    which directories are due (pure), and runs: one process at a time
//! not_compared, missed, silence   notices: not compared for long, no webhooks, no events for days
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
mod rate_limit;
pub mod reconcile;
mod record;
pub mod report;
mod retry;
pub mod runs;
pub mod schedule;
pub mod silence;
mod subjects;
