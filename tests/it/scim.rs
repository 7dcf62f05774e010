//! SCIM on the real port, on both databases: the requests that identity providers send, as their documents and logs show
//! them (docs/scim.md names the sources).

mod client;
mod commands;
mod common;
#[cfg(feature = "failpoints")]
mod deaths;
mod entra;
mod guarded;
mod okta;
mod others;
mod protocol;
mod tenant;

use rosterd::config::Config;

use client::Client;

/// Opens the listener.
fn on(config: &mut Config) {
    config.scim.listen = Some("127.0.0.1:0".parse().unwrap());
}
