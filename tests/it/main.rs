//! The service from outside: its real HTTP port, both databases, SMTP over the network, the real binary.
//!
//! Every test that touches a database runs on SQLite and on PostgreSQL (`both!`); `tests/run` provides the latter.

// Under `cfg(test)` clippy knows that a harness may unwrap.
#[cfg(test)]
mod harness;

#[cfg(test)]
mod architecture;
#[cfg(test)]
mod audit;
#[cfg(test)]
mod bad_input;
#[cfg(test)]
mod binary;
#[cfg(test)]
mod blame;
#[cfg(test)]
mod convergence;
#[cfg(test)]
mod corpus;
#[cfg(test)]
mod crash;
#[cfg(test)]
mod directory_moves;
#[cfg(test)]
mod documents;
#[cfg(test)]
mod duplicates;
#[cfg(test)]
mod endpoints;
#[cfg(test)]
mod feed;
#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod handed_over;
#[cfg(test)]
mod holds;
#[cfg(test)]
mod http;
#[cfg(test)]
mod lifecycles;
#[cfg(test)]
mod moved;
#[cfg(test)]
mod named;
#[cfg(test)]
mod notices;
#[cfg(test)]
mod outage;
#[cfg(test)]
mod poison;
#[cfg(test)]
mod pooler;
#[cfg(test)]
mod prefetch;
#[cfg(test)]
mod readers;
#[cfg(test)]
mod rebuild;
#[cfg(test)]
mod refused;
#[cfg(test)]
mod roles;
#[cfg(test)]
mod same_idp_id;
#[cfg(test)]
mod schema;
#[cfg(test)]
mod scim;
#[cfg(test)]
mod server;
#[cfg(test)]
mod sign_in;
#[cfg(test)]
mod signature;
#[cfg(test)]
mod silent;
#[cfg(test)]
mod smtp;
#[cfg(test)]
mod sync;
#[cfg(test)]
mod times;
#[cfg(test)]
mod unreadable;
