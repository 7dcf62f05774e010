//! Asking the broker: missed events, and lists to compare with (docs/sync.md).
//!
//! ```text
//! client     questions → answers, within the limits of the API
//! catch_up   events that no webhook brought → inbox
//! lists      pages of a list, to their end or to what broke them off
//! compare    one directory: its lists against the latest facts → differences
//! losses     the differences that take access away, weighed as one batch before they enter the inbox
//! reconcile  all directories, and the record of each comparison
//! ```

pub mod backfill;
pub mod catch_up;
pub mod client;
pub mod compare;
mod lists;
mod losses;
mod members;
pub mod missed;
mod pace;
pub mod reconcile;
pub mod report;
mod retry;
