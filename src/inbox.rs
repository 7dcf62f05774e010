//! The inbox: each delivery as it was received, stored before it is acknowledged.
//!
//! A delivery is acknowledged only after its transaction has committed (promise 1). The event's key makes a repetition a
//! duplicate (promise 2). Queue and dead letters are small tables that refer to the log, so a body is written once. Recent
//! deliveries are also in memory ([`memory_queue`]); a crash loses only these copies.

#![warn(missing_docs)]

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
pub mod waiters;

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
    /// The signed bytes.
    pub body: Bytes,
    /// When it was received, by this machine's clock.
    pub received_at: Timestamp,
}

impl Delivery {
    /// Labels a verified body.
    pub fn new(source: Source, body: Bytes, received_at: Timestamp) -> Self {
        Self { label: source.label(&body), source, body, received_at }
    }
}

/// The result for a delivery. Both mean that its event is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored {
    /// It was stored under this id.
    Accepted {
        /// Its number in the log.
        inbox_id: i64,
    },
    /// Its event was stored before.
    Duplicate,
}
