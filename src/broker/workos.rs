//! WorkOS Directory Sync: signature, envelope, events and API (facts and sources: docs/broker-workos.md).

#![warn(missing_docs)]

pub mod api;
pub mod envelope;
pub mod event;
pub mod json;
mod lenient_json;
mod membership;
pub mod person_mentions;
pub mod redact;
mod role_slugs;
pub mod signature;
pub mod user;
mod user_fields;
