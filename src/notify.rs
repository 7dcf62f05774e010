//! Sends the notices of the outbox as mails to the tenant's administrators.
//!
//! A mail is sent at least once, with a stable Message-ID: one transaction claims it, another records the result, and SMTP
//! runs in between without a database connection. After a crash in between, the mail is sent again. Mails cannot delay a
//! removal (promise 5). Each notice is sent, or is no longer true, or its mail is recorded as given up (promise 8).

pub mod attached_heads;
pub mod attached_report;
mod backlog;
mod deliver;
pub mod digest;
mod first_sync;
pub mod mail_address;
pub mod mailer;
pub mod message;
pub mod preview;
pub mod recipients;
pub mod render;
mod report_schedule;
pub mod retry;
mod silence_watch;
mod smtp_rejections;
pub mod test_mail;

use std::sync::Once;

use parking_lot::Mutex;

use crate::{
    config,
    db::{Database, DbError},
    outbox::{
        bundle,
        kind::Family,
        mails::{self, ClaimedMail, MailOutcome, RefusedRecipient},
        outcomes::RecipientOutcomes,
    },
    runtime::{
        clock::Timestamp,
        failpoint,
        metrics::{self, Metrics},
    },
};

pub use mailer::{MailFailure, Mailer, NotifyError};

use backlog::Backlog;
use deliver::Delivered;
use first_sync::FirstSyncs;
use mailer::{MailAnswer, WAITS_PER_SESSION};
use message::Sender;
use recipients::Recipients;
use render::News;
use report_schedule::Schedule;
use retry::RetryDecision;
use silence_watch::Watch;
use smtp_rejections::Refusals;

/// The highest number of mails that one transaction makes.
const BUNDLES: usize = 100;

/// The result of one step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotifyStep {
    /// It has done some work, and there may be more.
    Worked,
    /// There was no work.
    Idle,
}

/// Makes and sends mails, step by step.
pub struct Notifier {
    mailer: Mailer,
    settings: config::MailSettings,
    lease_seconds: i64,
    /// The result of an attempt until it is recorded. If the database fails in that moment, the mail is not sent again.
    unrecorded: Mutex<Option<Attempted>>,
    watch: Watch,
    first_syncs: FirstSyncs,
    refusals: Refusals,
    backlog: Backlog,
    schedule: Schedule,
    warned: Once,
}

/// A mail to send, with its recipients.
struct Outgoing {
    mail: ClaimedMail,
    /// `None` when no notice is true any more.
    news: Option<News>,
    recipients: Recipients,
}

struct Attempted {
    mail: ClaimedMail,
    outcome: MailOutcome,
    settled: RecipientOutcomes,
    refused: Option<RefusedRecipient>,
}

impl Notifier {
    /// A notifier with the mailer of the settings. Fails when `mail.url` cannot be used.
    pub fn new(settings: &config::MailSettings) -> Result<Self, NotifyError> {
        Ok(Self::with(Mailer::new(settings)?, settings))
    }

    /// Like `new`, but with this mailer instead of the one in the settings.
    pub fn with(mailer: Mailer, settings: &config::MailSettings) -> Self {
        let most = settings.recipients.values().chain([&settings.fallback]).map(Vec::len).max().unwrap_or(0);
        Self {
            mailer,
            settings: settings.clone(),
            lease_seconds: lease_seconds(settings, most),
            unrecorded: Mutex::new(None),
            watch: Watch::new(settings.silent_days),
            first_syncs: FirstSyncs::default(),
            refusals: Refusals::default(),
            backlog: Backlog::default(),
            schedule: Schedule::default(),
            warned: Once::new(),
        }
    }

    /// Goes on with other settings. A result that is not recorded yet stays, so its mail is not sent again.
    pub fn use_settings(&mut self, settings: &config::MailSettings) -> Result<(), NotifyError> {
        let unrecorded = std::mem::take(&mut self.unrecorded);
        match Self::new(settings) {
            Ok(fresh) => *self = Self { unrecorded, ..fresh },
            Err(error) => {
                self.unrecorded = unrecorded;
                return Err(error);
            }
        }
        Ok(())
    }

    /// Whether mails could be sent now. Sends nothing.
    pub fn check(&self) -> Result<(), MailFailure> {
        self.mailer.check()
    }

    /// Makes the mails that are due, then sends at most one.
    pub fn step(
        &self,
        database: &Database,
        now: Timestamp,
        metrics: &Metrics,
    ) -> Result<NotifyStep, DbError> {
        if matches!(self.mailer, Mailer::Off) {
            self.warned.call_once(|| {
                tracing::warn!("mail.url (SMTP_URL) is not set: notices wait in the outbox until you set it");
            });
            return Ok(NotifyStep::Idle);
        }
        self.record_result(database, now)?;
        self.watch.look(database, now)?;
        self.first_syncs.look(database, now)?;
        self.refusals.look(database, now)?;
        self.backlog.look(database, now)?;
        self.schedule.look(database, &self.settings, now)?;
        let bundled = self.bundle(database, now)?;
        let claimed = self.claim(database, now)?;
        let Some(Outgoing { mail, news, recipients }) = claimed else {
            return Ok(if bundled { NotifyStep::Worked } else { NotifyStep::Idle });
        };
        failpoint::reach("claimed");
        let attempted = match news {
            Some(news) => self.send(mail, &news, &recipients, now, metrics),
            None => {
                count(metrics, "needless");
                let settled = mail.settled.clone();
                Attempted { mail, outcome: MailOutcome::Needless, settled, refused: None }
            }
        };
        *self.unrecorded.lock() = Some(attempted);
        self.record_result(database, now)?;
        Ok(NotifyStep::Worked)
    }

    fn bundle(&self, database: &Database, now: Timestamp) -> Result<bool, DbError> {
        let pace = self.settings.pace();
        // A query without the write lock comes first: without a waiting notice it is the only cost.
        if database.read(|conn| bundle::due(conn, now, pace, 1).map_err(DbError::from))?.is_empty() {
            return Ok(false);
        }
        let domain = message::domain(&self.settings.from);
        let made =
            database.write(|conn| bundle::bundle(conn, now, pace, BUNDLES, domain).map_err(DbError::from))?;
        failpoint::reach("bundled");
        Ok(made > 0)
    }

    fn claim(&self, database: &Database, now: Timestamp) -> Result<Option<Outgoing>, DbError> {
        if !database.read(|conn| mails::is_due(conn, now).map_err(DbError::from))? {
            return Ok(None);
        }
        let most_named = self.settings.max_named;
        let mut claimed = database.write::<_, DbError>(|conn| {
            let Some(mut mail) = mails::claim(conn, now, self.lease_seconds, most_named)? else {
                return Ok(None);
            };
            let tenant_id = mail.tenant_id.clone();
            mail.only(|kind| self.settings.sends(kind, &tenant_id));
            let news = if mail.is_needless() { None } else { digest::of(conn, &mail, most_named)? };
            let recipients = recipients::of(conn, &mail, &self.settings)?;
            let lease = lease_seconds(&self.settings, recipients.to.len());
            if lease > self.lease_seconds {
                mails::extend(conn, &mail, now.plus_seconds(lease))?;
            }
            Ok(Some(Outgoing { mail, news, recipients }))
        })?;
        if let Some(Outgoing { mail, news, .. }) = &mut claimed
            && !mail.is_needless()
        {
            match mail.family {
                Family::Report => *news = database.snapshot(|conn| attached_report::of(conn, mail, now))?,
                Family::AuditHeads => *news = database.snapshot(|conn| attached_heads::of(conn, now))?,
                _ => {}
            }
        }
        Ok(claimed)
    }

    /// Renders and sends a mail. Uses no database connection and no lock.
    fn send(
        &self,
        mail: ClaimedMail,
        news: &News,
        recipients: &Recipients,
        now: Timestamp,
        metrics: &Metrics,
    ) -> Attempted {
        let attempt = u16::try_from(mail.attempt).unwrap_or(1);
        if recipients.to.is_empty() {
            count(metrics, "no_recipient");
        }
        let product = self.settings.product(&mail.tenant_id);
        let rendered = render::news(&product, news);
        let for_tenant = !mail.family.is_for_operator();
        let reply_to = product.reply_to.as_ref().filter(|_| for_tenant);
        let sender = Sender { from: &self.settings.from, reply_to };
        let file_name = message::file_name(&mail.message_id);
        let Delivered { settled, refused, failure } = deliver::deliver(&mail, recipients, |all, open| {
            match message::compose(sender, all, &mail, now, &rendered) {
                Ok(letter) => self.mailer.send(&letter, open, &file_name, attempt),
                Err(failure) => open.iter().map(|_| MailAnswer::Later(failure.clone())).collect(),
            }
        });
        if let Some(refused) = &refused {
            on_refusal(&mail, refused, metrics);
        }
        let outcome = self.outcome(&mail, attempt, failure, settled.anybody_took_it(), now, metrics);
        Attempted { mail, outcome, settled, refused }
    }

    fn outcome(
        &self,
        mail: &ClaimedMail,
        attempt: u16,
        failure: Option<MailFailure>,
        somebody_has_it: bool,
        now: Timestamp,
        metrics: &Metrics,
    ) -> MailOutcome {
        let (mail_id, tenant, about) = (mail.id, mail.tenant_id.as_str(), mail.family.name());
        let (people, news) = (mail.leavers.len(), mail.news.len());
        let Some(failure) = failure else {
            failpoint::reach("notified");
            count(metrics, "sent");
            tracing::info!(mail.id = mail_id, tenant.id = tenant, about, people, news, attempt, "mail sent");
            return MailOutcome::Sent;
        };
        let error = failure.to_string();
        match retry::after(attempt) {
            RetryDecision::Again { after_seconds } => {
                count(metrics, "failed");
                tracing::error!(
                    mail.id = mail_id,
                    tenant.id = tenant,
                    about,
                    people,
                    attempt,
                    after_seconds,
                    somebody_has_it,
                    error,
                    "mail not sent to all recipients; it will be sent again to those who do not have it"
                );
                MailOutcome::Later { due_at: now.plus_seconds(after_seconds), error }
            }
            RetryDecision::GiveUp if somebody_has_it => {
                count(metrics, "sent");
                tracing::warn!(
                    mail.id = mail_id,
                    tenant.id = tenant,
                    about,
                    attempt,
                    error,
                    "mail sent, but not to all recipients: the mail server never accepted it for some of them"
                );
                MailOutcome::Sent
            }
            RetryDecision::GiveUp => {
                count(metrics, "dead");
                tracing::error!(
                    mail.id = mail_id,
                    tenant.id = tenant,
                    about,
                    people,
                    attempt,
                    error,
                    "mail given up: no recipient has it. Correct the cause, then run `rosterd notices retry {mail_id}`"
                );
                MailOutcome::Dead { error }
            }
        }
    }

    fn record_result(&self, database: &Database, now: Timestamp) -> Result<(), DbError> {
        let mut unrecorded = self.unrecorded.lock();
        if let Some(Attempted { mail, outcome, settled, refused }) = unrecorded.as_ref() {
            database.write::<_, DbError>(|conn| {
                mails::record_settled(conn, mail, settled, now)?;
                if let Some(refused) = refused {
                    mails::record_refused(conn, mail.id, refused)?;
                }
                Ok(mails::record(conn, mail, outcome, now)?)
            })?;
        }
        *unrecorded = None;
        Ok(())
    }
}

fn on_refusal(mail: &ClaimedMail, refused: &RefusedRecipient, metrics: &Metrics) {
    if refused.why.is_some() {
        count(metrics, "recipient_refused");
    }
    if refused.fell_back {
        count(metrics, "fell_back");
    }
    tracing::warn!(
        mail.id = mail.id,
        tenant.id = mail.tenant_id,
        refused = refused.recipients,
        fell_back = refused.fell_back,
        error = refused.why,
        "the mail server refused recipients; correct mail.recipients, or the addresses of the people who hold mail.recipient_roles"
    );
}

/// Longer than any attempt, with a session for each recipient and each fallback address: another process must not claim a
/// mail that is still being sent.
fn lease_seconds(settings: &config::MailSettings, recipients: usize) -> i64 {
    let sessions = i64::try_from(recipients + settings.fallback.len()).unwrap_or(i64::MAX).saturating_add(2);
    let timeout = i64::try_from(settings.timeout_seconds.max(1)).unwrap_or(i64::MAX);
    timeout.saturating_mul(i64::from(WAITS_PER_SESSION)).saturating_mul(sessions)
}

fn count(metrics: &Metrics, outcome: &'static str) {
    metrics.mails.get_or_create(&metrics::Outcome { outcome }).inc();
}

#[cfg(test)]
mod tests;
