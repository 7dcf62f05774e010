//! The loops behind the receiver: apply and refresh, and notify. Each is a thread over a `step` that tests call
//! themselves.

pub mod wake;

pub use wake::Wake;
