//! rosterd keeps an application's users and roles tables equal to its customers' directories.
//!
//! An event travels down this list:
//!
//! | module | does |
//! |---|---|
//! | [`receive`] | HTTP: bounded bytes in, 200 or a problem out |
//! | [`broker`] | the edge where brokers differ: signature, label, body → neutral facts; pure |
//! | [`inbox`] | the log: one committed row for each delivery, many deliveries for each commit |
//! | [`worker`] | threads that apply and notify, each over a step that tests call themselves |
//! | [`apply`] | one serialized transaction for each batch: load, decide, write |
//! | [`decide`] | facts, versions, role mapping, users, roles, guard: every decision; pure |
//! | [`tables`] | SQL, one file for each table |
//! | [`audit`] | an entry for each change, in a hash chain for each tenant |
//! | [`outbox`] | notices that wait, and the mails made of them |
//! | [`notify`] | recipients, templates, SMTP |
//!
//! Beside it:
//!
//! | module | does |
//! |---|---|
//! | [`operator`] | what operators do: manual roles, mapping plans, holds, explain, erase, rebuild |
//! | [`retention`] | deletes old deliveries that nothing is derived from |
//! | [`sync`] | the broker's API: missed events, lists, comparison; what it reads enters the inbox |
//! | [`cli`] | one file for each verb |
//! | [`app`] | puts a service together |
//! | [`config`] | settings with their defaults |
//! | [`db`] | SQLite and PostgreSQL: connections, transactions, set-based statements, faults |
//! | [`runtime`] | time, logs, metrics, wake-ups between threads |
//! | [`simulate`] | an invented broker, for trials and load |
//! | `text` | CSV, HTML, characters that nobody can see |
//!
//! Three rules to know before reading on:
//!
//! - The inbox is a log. Table `facts` holds, for each entity, the version of its latest fact and the delivery with its
//!   content. Everything that an application reads is derived from the latest facts. So no order of arrival, no repetition
//!   and no batch size changes the result, and a removal that arrives first is a row like any other.
//! - Changes are serialized: one transaction at a time over the whole database (an advisory lock on PostgreSQL, the write
//!   lock on SQLite). Reception does not wait for it; it only appends.
//! - A change that affects many people (a directory deleted, a group renamed, another mapping) is one row in
//!   `recompute_jobs`, done in small steps.
//!
//! `docs/architecture.md` follows five things through these modules; `docs/glossary.md` defines the words.

pub mod app;
pub mod apply;
pub mod audit;
pub mod broker;
pub mod cli;
pub mod config;
pub mod db;
pub mod decide;
pub mod inbox;
pub mod notify;
pub mod operator;
pub mod outbox;
mod receive;
pub mod retention;
pub mod runtime;
pub mod simulate;
pub mod sync;
pub mod tables;
mod text;
pub mod worker;
