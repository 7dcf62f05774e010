//! rosterd keeps an application's users and roles tables equal to what its customers' directories say.

pub mod apply;
pub mod broker;
pub mod clock;
pub mod config;
pub mod db;
pub mod decide;
pub mod fact;
pub mod inbox;
pub mod metrics;
pub mod outbox;
pub mod tables;
pub mod worker;
