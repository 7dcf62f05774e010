//! How mail leaves: by SMTP, as files, or into memory for tests. Blocking, bounded in time, and silent about addresses
//! and contents.

mod directory;
mod smtp;

use std::{path::PathBuf, sync::Arc};

use lettre::{Address, Message, SmtpTransport};
use parking_lot::Mutex;

use crate::config::{self, MailUrl};

pub enum Mailer {
    Smtp(SmtpTransport),
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

/// The mail has been taken by somebody, for at least one recipient.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Receipt {
    /// Recipients that were not taken, and the last reason.
    pub refused: usize,
    pub refusal: Option<Failure>,
}

/// Why a mail did not leave, as a sentence without addresses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{sentence}")]
pub struct Failure {
    sentence: String,
    /// How many recipients the server refused for good (5xx), when it took nobody.
    refused: usize,
}

#[derive(Debug, thiserror::Error)]
pub enum NotifyError {
    #[error(
        "mail.url (SMTP_URL) cannot be used: {0}; write smtp://host:port, smtps://user:password@host, or file:///directory"
    )]
    Url(Failure),
}

impl Mailer {
    pub fn new(settings: &config::Mail) -> Result<Self, NotifyError> {
        Ok(match &settings.url {
            None => Self::Off,
            Some(MailUrl::Directory(path)) => Self::Directory(path.clone()),
            Some(MailUrl::Smtp(url)) => {
                Self::Smtp(smtp::transport(url, settings.timeout_seconds).map_err(NotifyError::Url)?)
            }
        })
    }

    pub fn memory() -> (Self, Outgoing) {
        let outgoing = Outgoing::default();
        (Self::Memory(outgoing.clone()), outgoing)
    }

    pub fn send(&self, message: &Message, file_name: &str, attempt: u16) -> Result<Receipt, Failure> {
        match self {
            Self::Smtp(transport) => return smtp::send(transport, message, attempt),
            Self::Directory(path) => directory::write(path, file_name, &message.formatted())?,
            Self::Memory(outgoing) => {
                let to = message.envelope().to().to_vec();
                outgoing.lock().push(Letter { to, bytes: message.formatted() });
            }
            Self::Off => return Err(Failure::new("mail.url (SMTP_URL) is not set")),
        }
        Ok(Receipt::default())
    }

    /// Connects, or touches the directory; nothing is sent.
    pub fn check(&self) -> Result<(), Failure> {
        match self {
            Self::Smtp(transport) => smtp::check(transport),
            Self::Directory(path) => directory::check(path),
            Self::Memory(_) => Ok(()),
            Self::Off => Err(Failure::new("mail.url (SMTP_URL) is not set: notices wait in the outbox")),
        }
    }
}

impl Failure {
    /// Servers like to repeat the address that they refuse; it is masked, since this goes to logs and to a table.
    pub fn new(sentence: impl AsRef<str>) -> Self {
        let word = |word: &str| if word.contains('@') { "<address>".to_owned() } else { word.to_owned() };
        let blank = |c: char| c.is_whitespace() || c.is_control();
        let words: Vec<String> =
            sentence.as_ref().split(blank).filter(|part| !part.is_empty()).map(word).collect();
        Self { sentence: words.join(" ").chars().take(500).collect(), refused: 0 }
    }

    /// None of so many recipients was taken.
    pub(super) fn of_recipients(self, refused: usize) -> Self {
        Self { refused, ..self }
    }

    pub fn refused(&self) -> usize {
        self.refused
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
            Failure::new("permanent error (550): 5.1.1 <it@customer.example>: unknown\r\nin\0table");

        assert_eq!(failure.to_string(), "permanent error (550): 5.1.1 <address> unknown in table");
    }
}
