//! Sends the heads of the audit trail once a day: as a notice to the operator, or by POST to an address. The heads of the first
//! day are sent at once, so that an operator sees that it works. After a time without this service, only the newest are sent.

use std::{sync::Arc, thread::JoinHandle, time::Duration};

use secrecy::ExposeSecret;

use super::heads_post::HeadsPost;
use crate::{
    audit::daily_heads,
    config::HeadsDaily,
    db::{Database, DbError},
    outbox::{self, Notice},
    runtime::{
        clock::{Clock, Timestamp},
        metrics::{Metrics, Outcome},
        wake::Wake,
    },
};

/// The interval of the checks.
const PAUSE: Duration = Duration::from_secs(60);
/// The pause after a failure. Each further failure doubles it, up to the longest pause.
const RETRY: Duration = Duration::from_secs(60);
const LONGEST_RETRY: Duration = Duration::from_secs(3_600);

/// Sends the heads.
pub struct HeadsSender {
    database: Database,
    way: Way,
    metrics: Arc<Metrics>,
    /// Rung when a notice was written.
    notices: Wake,
}

enum Way {
    Mail,
    Post(HeadsPost),
}

/// Why the heads were not sent.
#[derive(Debug, thiserror::Error)]
pub enum HeadsError {
    #[error("{0}")]
    Database(#[from] DbError),
    /// The address does not take them.
    #[error("{0}; look at audit.heads_daily (AUDIT_HEADS_DAILY)")]
    Post(String),
}

impl From<diesel::result::Error> for HeadsError {
    fn from(error: diesel::result::Error) -> Self {
        Self::Database(error.into())
    }
}

/// Returns no thread if the heads are sent nowhere.
pub fn start(
    setting: &HeadsDaily,
    database: &Database,
    clock: Clock,
    metrics: Arc<Metrics>,
    notices: Wake,
) -> std::io::Result<Option<(Wake, JoinHandle<()>)>> {
    let Some(sender) = HeadsSender::new(setting, database, metrics, notices)? else { return Ok(None) };
    let wake = Wake::default();
    let bell = wake.clone();
    let run = move || {
        let mut retry = RETRY;
        while !bell.is_stopping() {
            let pause = match sender.step(clock.now()) {
                Ok(_) => {
                    retry = RETRY;
                    PAUSE
                }
                Err(error) => {
                    tracing::error!(error = %error, "the heads of the audit trail were not sent; the service tries again");
                    let pause = retry;
                    retry = (retry * 2).min(LONGEST_RETRY);
                    pause
                }
            };
            bell.wait(pause);
        }
    };
    Ok(Some((wake, std::thread::Builder::new().name("heads".to_owned()).spawn(run)?)))
}

impl HeadsSender {
    /// `None` if the heads are sent nowhere.
    pub fn new(
        setting: &HeadsDaily,
        database: &Database,
        metrics: Arc<Metrics>,
        notices: Wake,
    ) -> std::io::Result<Option<Self>> {
        let way = match setting {
            HeadsDaily::Off => return Ok(None),
            HeadsDaily::Mail => Way::Mail,
            HeadsDaily::Post(address) => Way::Post(HeadsPost::new(address.expose_secret())?),
        };
        Ok(Some(Self { database: database.clone(), way, metrics, notices }))
    }

    /// Sends the heads of this day, unless it was done. Returns whether they were sent. Several processes may post the same
    /// day at the same time; the second file says the same.
    pub fn step(&self, now: Timestamp) -> Result<bool, HeadsError> {
        if !self.database.read::<_, DbError>(|conn| Ok(daily_heads::is_due(conn, now)?))? {
            return Ok(false);
        }
        match &self.way {
            Way::Mail => {
                let taken = self.database.write::<_, DbError>(|conn| {
                    let taken = daily_heads::take(conn, now)?;
                    if taken {
                        outbox::enqueue(conn, &[Notice::AuditHeads], now)?;
                    }
                    Ok(taken)
                })?;
                if taken {
                    self.notices.ring();
                }
                Ok(taken)
            }
            Way::Post(address) => {
                let heads = self.database.snapshot(|conn| daily_heads::current(conn, None, now))?;
                if heads.is_empty() {
                    return Ok(false);
                }
                let posted = address.send(daily_heads::write(&heads));
                let outcome = if posted.is_ok() { "sent" } else { "failed" };
                self.metrics.heads_posted.get_or_create(&Outcome { outcome }).inc();
                posted.map_err(HeadsError::Post)?;
                tracing::info!(chains = heads.len(), "the heads of the audit trail were sent");
                self.database.write::<_, DbError>(|conn| Ok(daily_heads::take(conn, now)?))?;
                Ok(true)
            }
        }
    }
}
