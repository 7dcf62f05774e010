//! The change feed: table `changes`, with a record for each row of the application's tables that appears, changes or
//! disappears.
//!
//! The records of a serialized transaction are written by its last statements (`Draft`). Functions that write rows name
//! them first ([`watch::begin`]); at the end the rows are compared with what they were. So a record cannot differ from
//! the tables, whatever changed the row, and a row that ends as it began has no record. All records, in order, give the
//! tables (docs/changes.md).
//!
//! `seq` comes from a counter row that the transaction locks last: no gap, and nobody sees a record before all earlier ones.

mod cause;
mod change;
pub mod consumers;
mod draft;
pub mod erase;
pub mod head;
pub mod read;
pub mod retention;
pub mod watch;
mod write;

pub use cause::{Cause, CauseOf};
pub use change::{RowDifference, kinds};
pub use draft::{at, caused, named, otherwise};
