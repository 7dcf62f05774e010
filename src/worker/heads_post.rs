//! Posts the heads of the audit trail as JSON to an address.

use std::{io, time::Duration};

use reqwest::header::CONTENT_TYPE;
use tokio::runtime::Runtime;

use crate::text::error_causes::with_causes;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const TIMEOUT: Duration = Duration::from_secs(30);

/// An address that takes heads.
pub(super) struct HeadsPost {
    address: String,
    http: reqwest::Client,
    runtime: Runtime,
}

impl HeadsPost {
    pub(super) fn new(address: &str) -> io::Result<Self> {
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TIMEOUT)
            // The address may contain a secret, which must not be sent to another host.
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("rosterd/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(io::Error::other)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Self { address: address.to_owned(), http, runtime })
    }

    /// Succeeds with any status of 2xx. The error does not contain the address.
    pub(super) fn send(&self, heads: String) -> Result<(), String> {
        let request = self.http.post(&self.address).header(CONTENT_TYPE, "application/json").body(heads);
        // Within the runtime, because the time limit begins with `send`.
        match self.runtime.block_on(async { request.send().await }) {
            Ok(answer) if answer.status().is_success() => Ok(()),
            Ok(answer) => Err(format!("the address for the heads answers {}", answer.status())),
            Err(error) => Err(format!(
                "the address for the heads does not answer: {}",
                with_causes(&error.without_url())
            )),
        }
    }
}
