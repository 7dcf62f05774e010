//! A simulated broker for trials and load tests: seeded events of a few tenants' directories, signed and delivered
//! like WorkOS.
//!
//! Equal options give the same events byte by byte, so a second run consists of duplicates. Another seed, or another
//! number of tenants or users, gives other ids. [`Report::expected`] is the state of a correct receiver afterwards.

pub mod api;
mod attempt;
mod body;
#[cfg(test)]
mod consistency;
#[cfg(test)]
mod delivery;
mod directory;
mod directory_changes;
mod event;
mod event_data;
mod ids;
mod lost_webhooks;
mod names;
mod people;
mod plan;
mod report;
mod send;
mod sign;
#[cfg(test)]
mod strict_receiver;
mod wire;
mod world;

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};
use tokio::net::TcpStream;

pub use event::Event;
pub use plan::{DEFAULT_START, Plan};
pub use report::{Percentiles, Report};
pub use sign::{SIGNATURE_HEADER, signature_header};
pub use world::{Census, World};

/// The options of a simulation.
#[derive(Debug, Clone, clap::Args)]
pub struct Options {
    /// The receiver's webhook address
    #[arg(long, default_value = Options::URL)]
    pub url: String,
    /// The secret that signs; of several, separated by commas, the first
    #[arg(long, env = "WORKOS_WEBHOOK_SECRET", hide_env_values = true, value_parser = first_secret)]
    pub secret: SecretString,
    /// Organizations, each with one directory; with 3 or more, the last directory is deleted at the end
    #[arg(long, default_value_t = Options::TENANTS, value_parser = clap::value_parser!(u32).range(1..))]
    pub tenants: u32,
    /// People over all tenants
    #[arg(long, default_value_t = Options::USERS)]
    pub users: u32,
    /// Events over all tenants; a smaller number than the first sync needs gives the first sync only
    #[arg(long, default_value_t = Options::EVENTS)]
    pub events: u64,
    /// Equal seeds give equal events, byte by byte
    #[arg(long, default_value_t = Options::SEED)]
    pub seed: u64,
    /// Deliver in a random order (seeded; holds all events in memory)
    #[arg(long)]
    pub shuffle: bool,
    /// Deliver this percentage of the events a second time, later
    #[arg(long, value_name = "PERCENT", default_value_t = 0, value_parser = clap::value_parser!(u8).range(..=100))]
    pub duplicates: u8,
    /// Deliveries per second, at any speed of the receiver; 0 is as fast as it answers
    #[arg(long, default_value_t = 0)]
    pub rate: u32,
    /// Deliveries at the same time
    #[arg(long, default_value_t = Options::CONCURRENCY, value_parser = clap::value_parser!(u16).range(1..=4096))]
    pub concurrency: u16,
    /// Serve the API of the simulated broker at this address, such as 127.0.0.1:4100, until stopped
    #[arg(long, value_name = "ADDRESS")]
    pub api: Option<std::net::SocketAddr>,
    /// The key that the API accepts
    #[arg(long, env = "WORKOS_API_KEY", hide_env_values = true, default_value = Options::API_KEY)]
    pub api_key: String,
    /// Never send this percentage of the webhooks; with 100 nothing is delivered
    #[arg(long, value_name = "PERCENT", default_value_t = 0, value_parser = clap::value_parser!(u8).range(..=100))]
    pub lose: u8,
}

impl Options {
    const URL: &str = "http://127.0.0.1:8080/webhooks/workos";
    const TENANTS: u32 = 3;
    const USERS: u32 = 60;
    const EVENTS: u64 = 400;
    const SEED: u64 = 1;
    const CONCURRENCY: u16 = 64;
    pub const API_KEY: &str = "sk_simulated";

    /// The defaults of the command line.
    pub fn new(url: impl Into<String>, secret: &str) -> Self {
        let Ok(secret) = first_secret(secret);
        Self {
            url: url.into(),
            secret,
            tenants: Self::TENANTS,
            users: Self::USERS,
            events: Self::EVENTS,
            seed: Self::SEED,
            shuffle: false,
            duplicates: 0,
            rate: 0,
            concurrency: Self::CONCURRENCY,
            api: None,
            api_key: Self::API_KEY.to_owned(),
            lose: 0,
        }
    }

    pub fn plan(&self) -> Plan {
        let Self { tenants, users, events, seed, .. } = *self;
        Plan { tenants, users, events, seed, start: DEFAULT_START }
    }
}

/// The server may have several secrets, separated by commas. The first one signs.
fn first_secret(secrets: &str) -> Result<SecretString, Infallible> {
    Ok(secrets.split(',').next().unwrap_or_default().trim().into())
}

/// Why a simulation could not run, with the remedy.
#[derive(Debug, thiserror::Error)]
pub enum SimulateError {
    #[error("{url} is not an http address ({reason}): give --url like {}", Options::URL)]
    Url { url: String, reason: String },
    #[error("the secret is empty: give --secret or set WORKOS_WEBHOOK_SECRET to the server's")]
    EmptySecret,
    #[error("cannot connect to {url}: is `rosterd serve` running there? ({reason})")]
    Unreachable { url: String, reason: String },
    #[error("{url} refuses the signature: is --secret one of the server's WORKOS_WEBHOOK_SECRET? ({detail})")]
    WrongSecret { url: String, detail: String },
    #[error("nothing receives at {url}: the path is /webhooks/workos")]
    NoReceiver { url: String },
    #[error("cannot set up the HTTP client")]
    Client(#[source] reqwest::Error),
    #[error("cannot set up the latency histogram")]
    Histogram(#[source] hdrhistogram::CreationError),
    #[error("a sender stopped early: this is a bug of rosterd")]
    Worker(#[source] tokio::task::JoinError),
    #[error("a sender was still active after the run: this is a bug of rosterd")]
    Unfinished,
}

/// Sends the simulation to the receiver and reports the result. To cancel it, drop the future.
pub async fn run(options: &Options) -> Result<Report, SimulateError> {
    if options.secret.expose_secret().is_empty() {
        return Err(SimulateError::EmptySecret);
    }
    run_in(options, None).await
}

/// The same as [`run`], and the API's state follows the events.
pub async fn run_in(options: &Options, api: Option<&api::Api>) -> Result<Report, SimulateError> {
    let url = match options.lose {
        100 => Url::parse(&options.url)
            .map_err(|error| SimulateError::Url { url: options.url.clone(), reason: error.to_string() })?,
        _ => reachable(&options.url).await?,
    };
    let endpoint = attempt::Endpoint::new(url, options.secret.expose_secret(), options.concurrency)?;
    let pace = send::Pace { rate: options.rate, concurrency: options.concurrency };
    let plan = options.plan();
    let delivered = lost_webhooks::DeliveredEvents::new(
        plan.events(),
        api.cloned(),
        options.lose,
        plan.random(plan::Stream::Lost),
    );
    let mut wire = wire::Duplicates::new(delivered, options.duplicates, plan.random(plan::Stream::Wire));
    let bar = progress(wire.expected());
    let (report, census) = if options.shuffle {
        let deliveries = wire.shuffled();
        bar.set_length(deliveries.len() as u64);
        let feed = Arc::new(Mutex::new(deliveries.into_iter()));
        (send::deliver(endpoint, pace, feed, bar).await?, wire.events().census())
    } else {
        let feed = Arc::new(Mutex::new(wire));
        let report = send::deliver(endpoint, pace, Arc::clone(&feed), bar).await?;
        let wire = send::lock(&feed);
        (report, wire.events().census())
    };
    Ok(Report { expected: (!report.gave_up).then_some(census), ..report })
}

/// Tries a connection first. A missing server is one error and not hundreds of failed deliveries.
async fn reachable(address: &str) -> Result<Url, SimulateError> {
    let wrong = |reason: String| SimulateError::Url { url: address.to_owned(), reason };
    let url = Url::parse(address).map_err(|error| wrong(error.to_string()))?;
    let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
        return Err(wrong("no host".to_owned()));
    };
    if !matches!(url.scheme(), "http" | "https") {
        return Err(wrong(format!("scheme {}", url.scheme())));
    }
    // The URL has brackets around an IPv6 address. A socket address must not have them.
    let host = host.trim_matches(['[', ']']);
    let unreachable = |reason| SimulateError::Unreachable { url: address.to_owned(), reason };
    match tokio::time::timeout(Duration::from_secs(5), TcpStream::connect((host, port))).await {
        Ok(Ok(_)) => Ok(url),
        Ok(Err(error)) => Err(unreachable(error.to_string())),
        Err(_) => Err(unreachable("no answer in 5 s".to_owned())),
    }
}

/// The progress bar on stderr, only on a terminal.
fn progress(deliveries: u64) -> ProgressBar {
    let style = "{bar:40} {pos}/{len} {per_sec} {eta}";
    let style = ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(deliveries).with_style(style)
}
