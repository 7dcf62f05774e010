//! How mail leaves: by SMTP, as files, or into memory for tests. Blocking, bounded in time, and silent about addresses
//! and contents.

mod directory;
mod smtp;

pub(super) use smtp::WAITS_PER_SESSION;

use std::{path::PathBuf, sync::Arc, time::Duration};

use lettre::{Address, Message};
use parking_lot::Mutex;
use secrecy::ExposeSecret;

use crate::config::{self, MailUrl};

pub enum Mailer {
    Smtp(smtp::Smtp),
    /// Each mail is a file of its own.
    Directory(PathBuf),
    Memory(Outgoing),
    /// No way is set: notices wait.
    Off,
}

/// Mails that went into memory, oldest first.
pub type Outgoing = Arc<Mutex<Vec<Letter>>>;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    pub to: Vec<Address>,
    pub bytes: Vec<u8>,
}

/// What became of one recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MailAnswer {
    Taken,
    /// For good: the server cannot or will not take this recipient.
    Refused(MailFailure),
    /// May be taken later.
    Later(MailFailure),
}

/// Why a mail did not leave, as a sentence without addresses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{sentence}")]
pub struct MailFailure {
    sentence: String,
}

#[derive(Debug, thiserror::Error)]
pub enum NotifyError {
    #[error(
        "mail.url (SMTP_URL) cannot be used: {0}; write smtp://host:port, smtps://user:password@host, or file:///directory"
    )]
    Url(MailFailure),
}

impl Mailer {
    pub fn new(settings: &config::MailSettings) -> Result<Self, NotifyError> {
        Ok(match &settings.url {
            None => Self::Off,
            Some(MailUrl::Directory(path)) => Self::Directory(path.clone()),
            Some(MailUrl::Smtp(url)) => {
                // Zero would mean no bound at all, or none that a socket takes.
                let timeout = Duration::from_secs(settings.timeout_seconds.max(1));
                Self::Smtp(smtp::Smtp::new(url.expose_secret(), timeout).map_err(NotifyError::Url)?)
            }
        })
    }

    pub fn memory() -> (Self, Outgoing) {
        let outgoing = Outgoing::default();
        (Self::Memory(outgoing.clone()), outgoing)
    }

    /// To these, whoever the message names; an answer for each, in their order.
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

    /// Connects, or touches the directory; nothing is sent.
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
    /// Servers like to repeat the address that they refuse; it is masked, since this goes to logs and to a table.
    pub fn new(sentence: impl AsRef<str>) -> Self {
        let word = |word: &str| if word.contains('@') { "<address>".to_owned() } else { word.to_owned() };
        let blank = |c: char| c.is_whitespace() || c.is_control();
        let words: Vec<String> =
            sentence.as_ref().split(blank).filter(|part| !part.is_empty()).map(word).collect();
        Self { sentence: words.join(" ").chars().take(500).collect() }
    }

    /// Advice is rosterd's own: it holds examples of addresses, and is not masked.
    fn advising(self, advice: &str) -> Self {
        let room = 500_usize.saturating_sub(advice.chars().count());
        Self { sentence: self.sentence.chars().take(room).chain(advice.chars()).collect() }
    }

    pub(super) fn nobody(tenant_id: &str) -> Self {
        Self::new(format!("there is nobody to tell: set mail.fallback, or mail.recipients for {tenant_id}"))
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
    fn advice_is_told_as_it_is_and_whole() {
        let failure =
            MailFailure::new("it@customer.example ".repeat(200)).advising("; write user:password@host");

        let told = failure.to_string();
        assert!(told.starts_with("<address> ") && told.ends_with("; write user:password@host"), "{told}");
        assert_eq!(told.chars().count(), 500);
    }
}
