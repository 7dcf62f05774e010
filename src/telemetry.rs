//! Logs: text on a terminal, JSON otherwise, on standard error.
//!
//! Fields are dotted and few: `event.id`, `event.kind`, `inbox.id`, `mail.id`, `tenant.id`, `problem`, `reason`,
//! `deliveries`, `leavers`, `attempt`, `duration_ms`, `error`. Never a body, an address, a name, a secret or a
//! signature. One event is followed by `event.id` at level debug (`RUST_LOG=rosterd=debug`); what needs a person is
//! logged once, at error.

use std::io::IsTerminal;

use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt, util::SubscriberInitExt};

pub fn start(default: &str) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    let registry = tracing_subscriber::registry().with(filter);
    let terminal = std::io::stderr().is_terminal();
    let outcome = if terminal {
        registry.with(fmt::layer().with_writer(std::io::stderr).with_target(false)).try_init()
    } else {
        registry.with(fmt::layer().json().flatten_event(true).with_writer(std::io::stderr)).try_init()
    };
    // A second start, as in tests, keeps the first subscriber.
    drop(outcome);
}
