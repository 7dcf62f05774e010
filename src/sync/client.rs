//! Sends requests to the broker's API, one after the other, within its limits. Retries a request when a retry may help.

use std::{
    sync::atomic::{AtomicI64, AtomicU64, Ordering},
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use rand::RngExt;
use reqwest::{StatusCode, Url, header};
use tokio::runtime::Runtime;

use super::{
    rate_limit::Pace,
    retry::{self, Failure},
};
use crate::{
    broker::{
        NotUnderstood, Secret,
        api::{Page, Question},
    },
    runtime::clock::Timestamp,
    text::error_causes::with_causes,
};

/// A page of a hundred users with large attributes is a few megabytes.
const LARGEST_ANSWER: usize = 32 << 20;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const TIMEOUT: Duration = Duration::from_secs(30);

/// The broker's limit of requests about users of one directory.
pub const OF_DIRECTORY_PER_SECOND: u32 = 4;

#[derive(Clone, Debug)]
pub struct Settings {
    pub url: String,
    pub key: Secret,
    pub per_second: u32,
    /// `None` when the API has no such limit, for example in trials.
    pub of_directory_per_second: Option<u32>,
}

/// Why there is no answer. Each kind has another remedy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApiError {
    #[error("{0} is not the URL of an API; look at {settings}", settings = crate::broker::Source::API_SETTINGS)]
    Address(String),
    #[error("the API refuses the key (401); it must be a secret key of this environment: look at {settings}", settings = crate::broker::Source::API_SETTINGS)]
    Key,
    #[error("the API does not answer: {0}")]
    Unreachable(String),
    #[error("the API still refuses requests because they are too many (429); try again later")]
    Limited,
    #[error("the API answers {status}: {detail}")]
    Refused { status: u16, detail: String },
    #[error("the API's answer cannot be read: {0}")]
    Unreadable(String),
    #[error("the API's answer has no Date header, so its order among the events is unknown")]
    NoDate,
    #[error("the service is stopping")]
    Stopping,
}

impl ApiError {
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Refused { status, .. } => Some(*status),
            _ => None,
        }
    }
}

impl From<NotUnderstood> for ApiError {
    fn from(error: NotUnderstood) -> Self {
        Self::Unreadable(error.to_string())
    }
}

pub struct Client {
    url: Url,
    key: Secret,
    http: reqwest::Client,
    runtime: Runtime,
    pace: Mutex<Pace>,
    /// The broker's clock, from the last answer.
    now: AtomicI64,
    requests: AtomicU64,
    stopping: Box<dyn Fn() -> bool + Send + Sync>,
}

impl Client {
    /// `stopping` ends every wait.
    pub fn new(
        settings: &Settings,
        stopping: impl Fn() -> bool + Send + Sync + 'static,
    ) -> Result<Self, ApiError> {
        let address = || ApiError::Address(settings.url.clone());
        let mut url = Url::parse(&settings.url).map_err(|_error| address())?;
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
            return Err(address());
        }
        if !url.path().ends_with('/') {
            url.set_path(&format!("{}/", url.path()));
        }
        let unreachable = |error: &dyn std::fmt::Display| ApiError::Unreachable(error.to_string());
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TIMEOUT)
            // The key must not be sent to another host.
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("rosterd/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| unreachable(&error))?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| unreachable(&error))?;
        Ok(Self {
            url,
            key: settings.key.clone(),
            http,
            runtime,
            pace: Mutex::new(Pace::new(settings.per_second, settings.of_directory_per_second)),
            now: AtomicI64::new(0),
            requests: AtomicU64::new(0),
            stopping: Box::new(stopping),
        })
    }

    /// The broker's clock, from the last answer. Never ahead of the clock in the next answer.
    pub fn broker_now(&self) -> Option<Timestamp> {
        Some(self.now.load(Ordering::SeqCst)).filter(|now| *now > 0).map(Timestamp::from_micros)
    }

    /// The number of requests so far.
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::SeqCst)
    }

    /// Reads one object, and not a list.
    pub fn object(&self, question: &Question) -> Result<String, ApiError> {
        let body = self.ask(question)?;
        String::from_utf8(body).map_err(|error| ApiError::Unreadable(error.to_string()))
    }

    pub fn page(&self, question: &Question) -> Result<Page, ApiError> {
        Ok(Page::read(&self.ask(question)?)?)
    }

    fn ask(&self, question: &Question) -> Result<Vec<u8>, ApiError> {
        for attempt in 1.. {
            let place = self.pace.lock().place(question.limited_for.as_deref(), Instant::now());
            self.wait(place.saturating_duration_since(Instant::now()))?;
            self.requests.fetch_add(1, Ordering::SeqCst);
            let (failure, error) = match self.runtime.block_on(self.attempt(question)) {
                Ok(body) => return Ok(body),
                Err(Attempt::Final(error)) => return Err(error),
                Err(Attempt::Again(failure, error)) => (failure, error),
            };
            let chance = rand::rng().random_range(0.0..1.0);
            let Some(pause) = retry::pause(&failure, attempt, self.broker_now(), chance) else {
                return Err(error);
            };
            if attempt == 1 && pause >= Duration::from_secs(5) {
                tracing::warn!(path = %question.path, pause_seconds = pause.as_secs(), %error, "the request to the API is sent again later");
            }
            self.wait(pause)?;
        }
        Err(ApiError::Limited)
    }

    /// Waits in short steps, so that a stop is noticed.
    fn wait(&self, length: Duration) -> Result<(), ApiError> {
        let until = Instant::now() + length;
        loop {
            if (self.stopping)() {
                return Err(ApiError::Stopping);
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            std::thread::sleep(left.min(Duration::from_millis(100)));
        }
    }

    async fn attempt(&self, question: &Question) -> Result<Vec<u8>, Attempt> {
        let broken = |error: reqwest::Error| {
            // The URL of a request contains no secret, but it is long.
            let error = ApiError::Unreachable(with_causes(&error.without_url()));
            Attempt::Again(Failure::Broken, error)
        };
        let mut url = self
            .url
            .join(&question.path)
            .map_err(|error| Attempt::Final(ApiError::Address(error.to_string())))?;
        url.query_pairs_mut().extend_pairs(&question.query);
        let key = self.key.expose().to_owned();
        let mut response = self.http.get(url).bearer_auth(key).send().await.map_err(broken)?;
        let status = response.status();
        let text = |name: header::HeaderName| {
            response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
        };
        let (date, after) = (text(header::DATE), text(header::RETRY_AFTER));
        let date = date.as_deref().and_then(retry::date);
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(broken)? {
            body.extend_from_slice(&chunk);
            if body.len() > LARGEST_ANSWER {
                let large = format!("the answer is larger than {LARGEST_ANSWER} bytes");
                return Err(Attempt::Final(ApiError::Unreadable(large)));
            }
        }
        if let Some(date) = date {
            self.now.store(date.micros(), Ordering::SeqCst);
        }
        let refused = || ApiError::Refused {
            status: status.as_u16(),
            detail: String::from_utf8_lossy(&body).chars().filter(|c| !c.is_control()).take(200).collect(),
        };
        match status {
            StatusCode::OK if date.is_none() => Err(Attempt::Final(ApiError::NoDate)),
            StatusCode::OK => Ok(body),
            StatusCode::UNAUTHORIZED => Err(Attempt::Final(ApiError::Key)),
            StatusCode::TOO_MANY_REQUESTS => Err(Attempt::Again(Failure::Limited(after), ApiError::Limited)),
            status if status.is_server_error() || status == StatusCode::REQUEST_TIMEOUT => {
                Err(Attempt::Again(Failure::Broken, refused()))
            }
            _ => Err(Attempt::Final(refused())),
        }
    }
}

enum Attempt {
    Again(Failure, ApiError),
    Final(ApiError),
}
