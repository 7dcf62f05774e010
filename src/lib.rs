//! rosterd keeps an application's users and roles tables equal to what its customers' directories say.
//!
//! Data flows one way, and the modules are its stages:
//!
//! ```text
//! POST /webhooks/{source}
//!   ▶ http      bounded bytes
//!   ▶ broker    the edge where brokers differ: signature → label; later: body → neutral facts      pure
//!   ▶ inbox     one committed row a delivery, many deliveries a commit → 200
//!   ▶ apply     one write transaction a batch:
//!       decide    fold facts into standing words, derive what the host sees                         pure
//!       tables    the rows, set-based
//!       audit     what changed, because of what, in each tenant's chain
//!       outbox    who is to be told
//!   ▶ notify    bundle, render (pure), send
//! ```
//!
//! At least once in, exactly once applied, at least once out with a stable Message-ID. `worker` runs apply and notify
//! beside the receiver; `app` puts a service together; `cli` holds the verbs; `simulate` is a broker for trials.
//!
//! Three things to know before reading on:
//!
//! - The inbox is a log. `facts` holds, for each entity, the version of its newest word and the delivery that says it;
//!   everything a host reads is derived from there. So no order of arrival, no repetition and no batch size changes
//!   the outcome, and a removal that comes first is a row like any other.
//! - Whoever changes the directory takes turns: one transaction at a time over the whole database (an advisory lock on
//!   PostgreSQL, the write lock on SQLite). Receivers do not queue there; they only append.
//! - A change around many people (a directory deleted, a group renamed, another mapping) is one row in `refreshes`,
//!   worked off in small steps.
//!
//! Roles: `mapping` is the document and what it means (pure), `decide::roles` grants by it, `plan` shows beforehand what
//! another one would change, `explain` says afterwards why, and `by_hand` is what operators give apart from it.
//!
//! Mass changes: `decide::guard` tells them from ordinary ones (pure), `apply::guard` holds them, `holds` decides.
//!
//! Every change is an entry in `audit`; `erase` takes a leaver's name out of all of it and leaves the proof.

pub mod app;
pub mod apply;
pub mod audit;
pub mod broker;
pub mod by_hand;
pub mod cli;
pub mod clock;
pub mod config;
pub mod db;
pub mod decide;
pub mod erase;
pub mod explain;
pub mod fact;
mod failpoint;
pub mod holds;
mod http;
pub mod inbox;
pub mod mapping;
pub mod metrics;
pub mod notify;
mod number;
pub mod outbox;
pub mod plan;
mod private;
pub mod rebuild;
pub mod retention;
pub mod simulate;
mod spreadsheet;
pub mod tables;
mod telemetry;
mod text;
pub mod wake;
pub mod worker;
