//! rosterd keeps an application's users and roles tables equal to its customers' directories.
//!
//! An event travels down this list:
//!
//! | module | does |
//! |---|---|
//! | [`receive`] | HTTP: bounded bodies in, 200 or a problem document out |
//! | [`broker`] | the differences between brokers: signature, label, body → neutral facts; pure |
//! | [`inbox`] | the log: one committed row for each delivery, many deliveries for each commit |
//! | [`worker`] | threads that apply and notify; each repeats a step, which tests call directly |
//! | [`provision`] | writes and reads of directories by SCIM: documents, deliveries |
//! | [`apply`] | one serialized transaction for each batch: load, decide, write |
//! | [`decide`] | facts, versions, role mapping, users, roles, guard: every decision; pure |
//! | [`tables`] | SQL, one file for each table |
//! | [`feed`] | table `changes`: a record for each row of these tables that changes |
//! | [`endpoints`] | posts of these records to addresses of the application |
//! | [`audit`] | an entry for each change, in a hash chain for each tenant |
//! | [`outbox`] | notices that are not sent yet, and the mails that contain them |
//! | [`notify`] | recipients, templates, SMTP |
//!
//! Beside it:
//!
//! | module | does |
//! |---|---|
//! | [`operator`] | actions of operators: manual roles, mapping plans, holds, explain, erase, rebuild |
//! | [`retention`] | deletes old deliveries that nothing is derived from |
//! | [`sync`] | the broker's API: missed events, lists, comparison; each result enters the inbox |
//! | [`cli`] | one file for each verb |
//! | [`app`] | starts and stops the service |
//! | [`config`] | settings with their defaults |
//! | [`db`] | SQLite and PostgreSQL: connections, transactions, set-based statements, faults |
//! | [`runtime`] | time, logs, metrics, wake-ups between threads |
//! | [`scim`] | SCIM 2.0 as a protocol, without tables and HTTP; pure |
//! | [`simulate`] | a simulated broker, for trials and load tests |
//! | `text` | CSV, HTML, invisible characters |
//!
//! Three rules explain most of the code:
//!
//! - The inbox is a log. Table `facts` stores, for each entity, the version of its latest fact and the id of the delivery
//!   that contains it. All rows that an application reads are derived from the latest facts. So the order of arrival, a
//!   repetition and the batch size do not change the result. A removal that arrives first is a fact like any other.
//! - Changes are serialized: one transaction at a time over the whole database (an advisory lock on PostgreSQL, the write
//!   lock on SQLite). Reception does not wait for it; it only appends.
//! - A change that affects many people (a deleted directory, a renamed group, a new mapping) is one row in
//!   `recompute_jobs`. The applier carries it out in small steps.
//!
//! `docs/architecture.md` follows seven things through these modules; `docs/glossary.md` defines the words.

pub mod app;
pub mod apply;
pub mod audit;
pub mod broker;
pub mod cli;
pub mod config;
pub mod db;
pub mod decide;
pub mod endpoints;
pub mod feed;
pub mod inbox;
pub mod notify;
pub mod operator;
pub mod outbox;
pub mod provision;
mod receive;
pub mod retention;
pub mod runtime;
pub mod scim;
pub mod simulate;
pub mod sync;
pub mod tables;
mod text;
pub mod worker;
