//! Endpoints: addresses of the application, to which rosterd posts each record of the change feed as a signed webhook
//! (docs/webhooks.md).
//!
//! A webhook is not stored: its body is made from the record each time. [`course`] decides which records go next. An
//! endpoint has a position, up to which all records are settled. A record that fails is stored in `endpoint_waiting`
//! together with the later records of its lane, so it does not stop the records of other people.

pub mod address;
pub mod answer;
pub mod attempts;
pub mod circuit;
pub mod course;
mod lane;
pub mod message;
mod pause;
pub mod secret;
pub mod sign;
pub mod stored;
pub mod waiting;

/// The limits of each endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndpointLimits {
    /// Requests at the same time.
    pub in_flight: usize,
    /// Failures in a row after which the endpoint pauses.
    pub failures_until_pause: u32,
    /// Rows of `endpoint_waiting`, above which no further records are read.
    pub most_waiting: usize,
    /// Seconds for which a record waits while others succeed.
    pub give_up_seconds: i64,
    /// Seconds of one request.
    pub timeout_seconds: u64,
}
