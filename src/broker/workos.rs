//! WorkOS Directory Sync: its signature, its envelope, its events (facts and sources: broker.md).

pub mod envelope;
pub mod event;
pub mod json;
pub mod signature;
pub mod user;
