//! The database's own limit for this job: one connection, set-based, no HTTP, no promises beyond the commit.

use std::{io::Write, process::Command};

use serde::Deserialize;

use crate::{Options, Outcome, events::Stream, store::Store};

#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Limit {
    pub append_per_s: f64,
    pub fold_per_s: f64,
    pub both_per_s: f64,
}

pub fn measure(options: &Options, stream: &Stream) -> Outcome<Limit> {
    let store = Store::postgres(options)?;
    store.execute(include_str!("../peers/schema.sql"))?;
    let mut file = tempfile::NamedTempFile::new_in(env!("CARGO_TARGET_TMPDIR"))?;
    for event in &stream.events {
        file.write_all(&event.body)?;
        file.write_all(b"\n")?;
    }
    file.flush()?;
    let output = Command::new(options.peers.join("rust/release/bare"))
        .arg(file.path())
        .env("DATABASE_URL", store.url())
        .output()?;
    if !output.status.success() {
        return Err(format!("bare: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    let active = store.number("SELECT count(*) AS number FROM public.users WHERE state = 'active'")?;
    crate::throughput::hold(active, stream, "bare")?;
    Ok(serde_json::from_slice(&output.stdout)?)
}
