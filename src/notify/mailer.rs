//! Sends mails by SMTP, writes them as files, or stores them in memory for tests. Calls block for a limited time. Errors
//! contain no addresses and no contents.

mod directory;
mod smtp;

pub(super) use smtp::WAITS_PER_SESSION;

use std::{path::PathBuf, sync::Arc, time::Duration};

use lettre::{Address, Message};
use parking_lot::Mutex;
use secrecy::ExposeSecret;

use crate::config::{self, MailUrl};

/// How mails are sent.
pub enum Mailer {
    /// An SMTP server.
    Smtp(smtp::Smtp),
    /// One file for each mail.
    Directory(PathBuf),
    /// For tests.
    Memory(Outgoing),
    /// `mail.url` is not set: notices wait.
    Off,
}

/// The mails in memory, oldest first.
pub type Outgoing = Arc<Mutex<Vec<Letter>>>;

/// A mail in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// The recipients.
    pub to: Vec<Address>,
    /// The whole message.
    pub bytes: Vec<u8>,
}

/// The answer for one recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MailAnswer {
    /// The server accepted the mail.
    Taken,
    /// The server refuses this recipient for ever.
    Refused(MailFailure),
    /// A later attempt may succeed.
    Later(MailFailure),
}

/// Why a mail was not sent: a sentence without addresses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{sentence}")]
pub struct MailFailure {
    sentence: String,
}

/// Why mails cannot be sent with these settings.
#[derive(Debug, thiserror::Error)]
pub enum NotifyError {
    /// `mail.url` cannot be used.
    #[error(
        "mail.url (SMTP_URL) cannot be used: {0}; write smtp://host:port, smtps://user:password@host, or file:///directory"
    )]
    Url(MailFailure),
}

impl Mailer {
    /// The mailer of the settings. Does not connect.
    pub fn new(settings: &config::MailSettings) -> Result<Self, NotifyError> {
        Ok(match &settings.url {
            None => Self::Off,
            Some(MailUrl::Directory(path)) => Self::Directory(path.clone()),
            Some(MailUrl::Smtp(url)) => {
                // At least one second: zero would mean no limit.
                let timeout = Duration::from_secs(settings.timeout_seconds.max(1));
                Self::Smtp(smtp::Smtp::new(url.expose_secret(), timeout).map_err(NotifyError::Url)?)
            }
        })
    }

    /// A mailer for tests, and its mails.
    pub fn memory() -> (Self, Outgoing) {
        let outgoing = Outgoing::default();
        (Self::Memory(outgoing.clone()), outgoing)
    }

    /// Sends to these addresses, whatever the header contains. Returns an answer for each, in order.
    pub fn send(&self, message: &Message, to: &[Address], file_name: &str, attempt: u16) -> Vec<MailAnswer> {
        let whole = match self {
            Self::Smtp(smtp) => return smtp.send(message, to, attempt),
            Self::Directory(path) => directory::write(path, file_name, &message.formatted()),
            Self::Memory(outgoing) => {
                outgoing.lock().push(Letter { to: to.to_vec(), bytes: message.formatted() });
                Ok(())
            }
            Self::Off => Err(MailFailure::new("mail.url (SMTP_URL) is not set")),
        };
        let answer = whole.map_or_else(MailAnswer::Later, |()| MailAnswer::Taken);
        to.iter().map(|_| answer.clone()).collect()
    }

    /// Connects to the server, or writes a test file. Sends nothing.
    pub fn check(&self) -> Result<(), MailFailure> {
        match self {
            Self::Smtp(smtp) => smtp.check(),
            Self::Directory(path) => directory::check(path),
            Self::Memory(_) => Ok(()),
            Self::Off => Err(MailFailure::new("mail.url (SMTP_URL) is not set: notices wait in the outbox")),
        }
    }
}

impl MailFailure {
    /// Masks addresses, because servers often quote the address that they refuse, and this text is logged and stored.
    pub fn new(sentence: impl AsRef<str>) -> Self {
        let word = |word: &str| if word.contains('@') { "<address>".to_owned() } else { word.to_owned() };
        let blank = |c: char| c.is_whitespace() || c.is_control();
        let words: Vec<String> =
            sentence.as_ref().split(blank).filter(|part| !part.is_empty()).map(word).collect();
        Self { sentence: words.join(" ").chars().take(500).collect() }
    }

    /// Adds rosterd's own advice. It is not masked, because it contains examples of addresses.
    fn advising(self, advice: &str) -> Self {
        let room = 500_usize.saturating_sub(advice.chars().count());
        Self { sentence: self.sentence.chars().take(room).chain(advice.chars()).collect() }
    }

    pub(super) fn nobody(tenant_id: &str) -> Self {
        Self::new(format!("the mail has no recipient: set mail.fallback, or mail.recipients for {tenant_id}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_never_repeats_an_address() {
        let failure =
            MailFailure::new("permanent error (550): 5.1.1 <it@customer.example>: unknown\r\nin\0table");

        assert_eq!(failure.to_string(), "permanent error (550): 5.1.1 <address> unknown in table");
    }

    #[test]
    fn advice_is_shown_unchanged_and_whole() {
        let failure =
            MailFailure::new("it@customer.example ".repeat(200)).advising("; write user:password@host");

        let shortened = failure.to_string();
        assert!(
            shortened.starts_with("<address> ") && shortened.ends_with("; write user:password@host"),
            "{shortened}"
        );
        assert_eq!(shortened.chars().count(), 500);
    }
}
