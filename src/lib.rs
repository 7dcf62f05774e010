//! rosterd keeps an application's users and roles tables equal to what its customers' directories say.

pub mod app;
pub mod apply;
pub mod broker;
pub mod cli;
pub mod clock;
pub mod config;
pub mod db;
pub mod decide;
pub mod fact;
mod http;
pub mod inbox;
pub mod metrics;
pub mod notify;
pub mod outbox;
pub mod simulate;
pub mod tables;
mod telemetry;
pub mod worker;
