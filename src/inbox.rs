//! The inbox: every delivery as it came, kept before it is acknowledged.
//!
//! A delivery is acknowledged only after the transaction that holds it has committed (promise 1); its key makes a
//! repetition a duplicate (promise 2). What is still to be applied stands in the queue, what was set aside among the
//! dead letters; both are small tables beside the log, so that a body is written once and never copied. What this process
//! has just kept stays in memory until it is applied ([`memory_queue`]), as a copy of which nothing is promised.

pub mod arrivals;
pub mod bytes_in_flight;
mod commits;
pub mod dead_letters;
pub mod erase;
pub mod expired;
pub mod group_commit;
pub mod insert;
pub mod listing;
pub mod memory_queue;
pub mod queue;
pub mod seen_ids;
pub mod storing;

use actix_web::web::Bytes;

use crate::{
    broker::{Label, Source},
    runtime::clock::Timestamp,
};

/// A verified delivery on its way into the log. The body is shared, never copied.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// The broker that sent it.
    pub source: Source,
    /// Id, type and disposition, read from the body.
    pub label: Label,
    /// The bytes as they were signed.
    pub body: Bytes,
    /// The time of this server's clock.
    pub received_at: Timestamp,
}

impl Delivery {
    /// Labels a verified body.
    pub fn new(source: Source, body: Bytes, received_at: Timestamp) -> Self {
        Self { label: source.label(&body), source, body, received_at }
    }
}

/// What became of a delivery; both mean that it is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored {
    /// It was stored under this id.
    Accepted { inbox_id: i64 },
    /// Its event was stored before.
    Duplicate,
}
