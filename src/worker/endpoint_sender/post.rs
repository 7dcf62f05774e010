//! One request to an endpoint.

use std::{
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use reqwest::{
    Client, Response,
    header::{CONTENT_TYPE, RETRY_AFTER},
};

use super::resolver::PublicOnly;
use crate::{
    endpoints::{
        address::{self, private_host},
        answer::{self, Outcome},
    },
    text::error_causes::with_causes,
};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Bytes of an answer that are read, so that the connection can be used again. The rest of a longer answer is not read.
const MOST_OF_ANSWER: usize = 16 * 1_024;

/// A webhook with its signature.
#[derive(Clone, Debug)]
pub struct Signed {
    /// The header webhook-id.
    pub id: String,
    /// The header webhook-timestamp, in seconds since 1970.
    pub seconds: i64,
    /// The header webhook-signature.
    pub signature: String,
    /// The body.
    pub body: String,
}

/// The result of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    /// Its meaning.
    pub outcome: Outcome,
    /// The status, or why there is none. It has no part of the URL.
    pub text: String,
    /// The time until the end of the answer.
    pub duration: Duration,
}

/// Posts webhooks. Connections are used again.
#[derive(Clone)]
pub struct Poster {
    public: Client,
    private: Client,
}

impl Poster {
    /// `timeout` is the time limit of one request.
    pub fn new(timeout: Duration) -> io::Result<Self> {
        let builder = || {
            Client::builder()
                .connect_timeout(CONNECT_TIMEOUT)
                .timeout(timeout)
                // A redirection could lead to a private address, and a proxy would resolve names itself.
                .redirect(reqwest::redirect::Policy::none())
                .no_proxy()
                .user_agent(concat!("rosterd/", env!("CARGO_PKG_VERSION")))
        };
        let public = builder().dns_resolver(Arc::new(PublicOnly)).build().map_err(io::Error::other)?;
        let private = builder().build().map_err(io::Error::other)?;
        Ok(Self { public, private })
    }

    /// Posts, and reads the answer.
    pub async fn post(&self, url: &str, allow_private: bool, signed: Signed) -> Answered {
        let begun = Instant::now();
        let (outcome, text) = match self.send(url, allow_private, signed).await {
            Ok(answer) => read(answer).await,
            Err(text) => (Outcome::Failed { retry_after: None }, text),
        };
        Answered { outcome, text, duration: begun.elapsed() }
    }

    async fn send(&self, url: &str, allow_private: bool, signed: Signed) -> Result<Response, String> {
        // The row may have been written by another version.
        let url = address::read(url, allow_private)?;
        if !allow_private && let Some(reason) = private_host(&url) {
            return Err(reason);
        }
        let client = if allow_private { &self.private } else { &self.public };
        let request = client
            .post(url)
            .header(CONTENT_TYPE, "application/json")
            .header("webhook-id", signed.id)
            .header("webhook-timestamp", signed.seconds)
            .header("webhook-signature", signed.signature)
            .body(signed.body);
        request.send().await.map_err(|error| with_causes(&error.without_url()))
    }
}

async fn read(mut answer: Response) -> (Outcome, String) {
    let status = answer.status().as_u16();
    let asked = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let mut read = 0;
    // The status counts, however the rest of the answer ends.
    while read < MOST_OF_ANSWER
        && let Ok(Some(part)) = answer.chunk().await
    {
        read += part.len();
    }
    (answer::meaning(status, asked.as_deref()), status.to_string())
}
