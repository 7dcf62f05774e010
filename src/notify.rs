//! Telling: notices leave the outbox as mails to the tenant's administrators.
//!
//! At least once with a stable Message-ID: a mail is claimed and recorded in transactions of their own, and SMTP runs
//! between them with no connection held. Nothing here can delay a removal (promise 5), and no notice ends in silence
//! (promise 8): it is told, or its person is back, or it is given up on record.

pub mod digest;
pub mod letter;
pub mod mailer;
pub mod render;
pub mod retry;

use std::sync::Once;

use parking_lot::Mutex;

use crate::{
    clock::Timestamp,
    config,
    db::{Database, DbError},
    failpoint,
    metrics::{self, Metrics},
    outbox::{
        bundle,
        mails::{self, Claimed, Outcome},
    },
};

pub use mailer::{Failure, Mailer, NotifyError};

use retry::Next;

/// Tenants bundled in one transaction.
const BUNDLES: usize = 100;

/// What one SMTP session may take, in time-outs: greeting, EHLO, STARTTLS, AUTH, MAIL, RCPT, DATA, QUIT and their like.
const WAITS_PER_SESSION: i64 = 12;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Something was done, and there may be more.
    Worked,
    Idle,
}

pub struct Notifier {
    mailer: Mailer,
    settings: config::Mail,
    lease_seconds: i64,
    /// The end of an attempt that the database did not take. Kept, so that an outage just then does not send twice.
    unrecorded: Mutex<Option<(Claimed, Outcome)>>,
    warned: Once,
}

impl Notifier {
    pub fn new(settings: &config::Mail) -> Result<Self, NotifyError> {
        Ok(Self::with(Mailer::new(settings)?, settings))
    }

    /// As `new`, by another way than the settings say.
    pub fn with(mailer: Mailer, settings: &config::Mail) -> Self {
        let most = settings.recipients.values().chain([&settings.fallback]).map(Vec::len).max().unwrap_or(0);
        // Longer than any attempt can take, the one for each recipient alone included: a mail that is still on its
        // way must not be taken for one that a crash has left.
        let sessions = i64::try_from(most).unwrap_or(i64::MAX).saturating_add(1);
        let timeout = i64::try_from(settings.timeout_seconds.max(1)).unwrap_or(i64::MAX);
        Self {
            mailer,
            settings: settings.clone(),
            lease_seconds: timeout.saturating_mul(WAITS_PER_SESSION).saturating_mul(sessions),
            unrecorded: Mutex::new(None),
            warned: Once::new(),
        }
    }

    /// Whether mail could leave now; nothing is sent.
    pub fn check(&self) -> Result<(), Failure> {
        self.mailer.check()
    }

    /// Bundles what is due, then sends at most one mail.
    pub fn step(&self, database: &Database, now: Timestamp, metrics: &Metrics) -> Result<Step, DbError> {
        if matches!(self.mailer, Mailer::Off) {
            self.warned.call_once(|| {
                tracing::warn!("mail.url (SMTP_URL) is not set: notices wait in the outbox until it is");
            });
            return Ok(Step::Idle);
        }
        self.record_what_was_left(database, now)?;
        let bundled = self.bundle(database, now)?;
        let claimed = self.claim(database, now)?;
        let Some((mail, digest)) = claimed else {
            return Ok(if bundled { Step::Worked } else { Step::Idle });
        };
        failpoint::reach("claimed");
        let outcome = if mail.told.is_empty() {
            count(metrics, "needless");
            Outcome::Needless
        } else {
            self.tell(&mail, &digest, now, metrics)
        };
        *self.unrecorded.lock() = Some((mail, outcome));
        self.record_what_was_left(database, now)?;
        Ok(Step::Worked)
    }

    fn bundle(&self, database: &Database, now: Timestamp) -> Result<bool, DbError> {
        let window = self.settings.window_seconds;
        // Asked without the write lock first: that is all it costs when nothing waits.
        if database.read(|conn| bundle::due(conn, now, window, 1).map_err(DbError::from))?.is_empty() {
            return Ok(false);
        }
        let domain = letter::domain(&self.settings.from);
        let made = database
            .write(|conn| bundle::bundle(conn, now, window, BUNDLES, domain).map_err(DbError::from))?;
        failpoint::reach("bundled");
        Ok(made > 0)
    }

    fn claim(
        &self,
        database: &Database,
        now: Timestamp,
    ) -> Result<Option<(Claimed, render::Digest)>, DbError> {
        if !database.read(|conn| mails::is_due(conn, now).map_err(DbError::from))? {
            return Ok(None);
        }
        database.write(|conn| {
            let Some(mail) = mails::claim(conn, now, self.lease_seconds, self.settings.max_named)? else {
                return Ok(None);
            };
            let digest = digest::of(conn, &mail)?;
            Ok(Some((mail, digest)))
        })
    }

    /// No connection and no lock is held here.
    fn tell(&self, mail: &Claimed, digest: &render::Digest, now: Timestamp, metrics: &Metrics) -> Outcome {
        let own = self.settings.recipients.get(&mail.tenant_id).filter(|list| !list.is_empty());
        let recipients = own.unwrap_or(&self.settings.fallback);
        let attempt = u16::try_from(mail.attempt).unwrap_or(1);
        let sent = if recipients.is_empty() {
            count(metrics, "no_recipient");
            Err(Failure::nobody(&mail.tenant_id))
        } else {
            letter::compose(&self.settings.from, recipients, mail, now, &render::render(digest))
                .and_then(|letter| self.mailer.send(&letter, &letter::file_name(&mail.message_id), attempt))
        };
        let (mail_id, tenant, people) = (mail.id, mail.tenant_id.as_str(), mail.told.len());
        match sent {
            Ok(receipt) => {
                failpoint::reach("told");
                count(metrics, "sent");
                tracing::info!(mail.id = mail_id, tenant.id = tenant, people, attempt, "notice sent");
                if let Some(refusal) = receipt.refusal {
                    count(metrics, "recipient_refused");
                    tracing::warn!(
                        mail.id = mail_id,
                        tenant.id = tenant,
                        refused = receipt.refused,
                        error = %refusal,
                        "notice sent, but some of its recipients were refused; correct mail.recipients"
                    );
                }
                Outcome::Sent
            }
            Err(failure) => {
                let error = failure.to_string();
                match retry::after(attempt) {
                    Next::Again { after_seconds } => {
                        count(metrics, "failed");
                        tracing::error!(
                            mail.id = mail_id,
                            tenant.id = tenant,
                            people,
                            attempt,
                            after_seconds,
                            error,
                            "notice not sent; it is tried again"
                        );
                        Outcome::Later { due_at: now.plus_seconds(after_seconds), error }
                    }
                    Next::GiveUp => {
                        count(metrics, "dead");
                        tracing::error!(
                            mail.id = mail_id,
                            tenant.id = tenant,
                            people,
                            attempt,
                            error,
                            "notice given up: these people's administrators have not been told"
                        );
                        Outcome::Dead { error }
                    }
                }
            }
        }
    }

    fn record_what_was_left(&self, database: &Database, now: Timestamp) -> Result<(), DbError> {
        let mut unrecorded = self.unrecorded.lock();
        if let Some((mail, outcome)) = unrecorded.as_ref() {
            database.write(|conn| mails::record(conn, mail, outcome, now).map_err(DbError::from))?;
        }
        *unrecorded = None;
        Ok(())
    }
}

fn count(metrics: &Metrics, outcome: &'static str) {
    metrics.mails.get_or_create(&metrics::Outcome { outcome }).inc();
}

#[cfg(test)]
mod tests;
