//! One attempt to deliver an event: signs it with the current time, posts it and reads the answer.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use reqwest::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use reqwest::{Client, StatusCode, Url};

use super::SimulateError;
use super::event::Event;
use super::sign::{SIGNATURE_HEADER, Signer};
use crate::text::error_causes::with_causes;

/// How long a broker waits for an answer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The receiver and one pool of connections that remain open.
pub(super) struct Endpoint {
    pub url: Url,
    signer: Signer,
    client: Client,
}

/// The outcome of an attempt.
pub(super) enum Attempt {
    Accepted,
    Duplicate,
    Refused {
        status: StatusCode,
        detail: String,
    },
    /// The receiver is busy or does not answer. It may have given a pause.
    Again {
        reason: String,
        pause: Option<Duration>,
    },
}

impl Endpoint {
    pub(super) fn new(url: Url, secret: &str, connections: u16) -> Result<Self, SimulateError> {
        let client = Client::builder()
            .no_proxy()
            .timeout(TIMEOUT)
            .pool_max_idle_per_host(usize::from(connections))
            .user_agent(concat!("rosterd-simulate/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(SimulateError::Client)?;
        Ok(Self { url, signer: Signer::new(secret), client })
    }

    pub(super) async fn attempt(&self, event: &Event) -> Attempt {
        match self.post(event).await {
            Ok(attempt) => attempt,
            Err(error) => Attempt::Again { reason: with_causes(&error), pause: None },
        }
    }

    async fn post(&self, event: &Event) -> Result<Attempt, reqwest::Error> {
        let response = self
            .client
            .post(self.url.clone())
            .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
            .header(SIGNATURE_HEADER, self.signer.header(now_unix_ms(), &event.body))
            .body(event.body.clone())
            .send()
            .await?;
        let status = response.status();
        let pause = retry_after(&response);
        // The body is always read to its end, because only then the connection is free for the next delivery.
        let body = response.bytes().await?;
        if status.is_success() {
            return Ok(if says_duplicate(&body) { Attempt::Duplicate } else { Attempt::Accepted });
        }
        let detail: String = String::from_utf8_lossy(&body).chars().take(300).collect();
        Ok(match status {
            StatusCode::SERVICE_UNAVAILABLE => Attempt::Again { reason: format!("{status} {detail}"), pause },
            _ => Attempt::Refused { status, detail },
        })
    }
}

pub(super) fn now_unix_ms() -> i64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX)
}

fn retry_after(response: &reqwest::Response) -> Option<Duration> {
    response.headers().get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}

/// Searches for the word and does not parse, because it runs thousands of times a second on the machine of the
/// measured server.
fn says_duplicate(body: &[u8]) -> bool {
    const WORD: &[u8] = b"\"duplicate\"";
    body.windows(WORD.len()).any(|part| part == WORD)
}
