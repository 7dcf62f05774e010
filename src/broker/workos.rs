//! WorkOS Directory Sync: its signature, its envelope, its events (facts and sources: docs/broker-workos.md).

pub mod api;
pub mod envelope;
pub mod event;
pub mod json;
mod lenient_json;
mod membership;
pub mod redact;
pub mod signature;
mod slugs;
mod snapshot;
pub mod user;
