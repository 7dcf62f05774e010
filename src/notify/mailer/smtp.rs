//! SMTP, a connection for each mail.

use std::time::Duration;

use lettre::{
    Message, SmtpTransport, Transport,
    address::Envelope,
    transport::smtp::{Error, response::Response},
};

use super::{Failure, Receipt};

/// From this attempt on, recipients that a server will not take just now no longer hold up the others.
const PATIENCE_WITH_RECIPIENTS: u16 = 3;

pub(super) fn transport(url: &str, timeout_seconds: u64) -> Result<SmtpTransport, Failure> {
    // Zero would mean no bound at all, or none that a socket takes.
    let timeout = Duration::from_secs(timeout_seconds.max(1));
    Ok(SmtpTransport::from_url(url).map_err(|error| failure(&error))?.timeout(Some(timeout)).build())
}

/// One transaction for all recipients. A server that refuses one of them refuses the whole, before it has read the
/// mail; then each recipient gets a transaction of its own, so that a mailbox which is gone does not keep the news from
/// the rest. The mail counts as sent when anybody took it: sending it again would tell them twice.
pub(super) fn send(transport: &SmtpTransport, message: &Message, attempt: u16) -> Result<Receipt, Failure> {
    let bytes = message.formatted();
    let envelope = message.envelope();
    match transport.send_raw(envelope, &bytes) {
        Ok(_) => Ok(Receipt::default()),
        Err(error) if envelope.to().len() > 1 && may_be_one_recipient(&error, attempt) => {
            to_each(envelope, |one| transport.send_raw(one, &bytes))
        }
        Err(error) => Err(failure(&error)),
    }
}

fn may_be_one_recipient(error: &Error, attempt: u16) -> bool {
    match error.status().map(u16::from) {
        Some(550..=554) => true,
        Some(450..=452) => attempt >= PATIENCE_WITH_RECIPIENTS,
        _ => false,
    }
}

fn to_each(
    envelope: &Envelope,
    send: impl Fn(&Envelope) -> Result<Response, Error>,
) -> Result<Receipt, Failure> {
    let mut receipt = Receipt::default();
    for address in envelope.to() {
        let sent = Envelope::new(envelope.from().cloned(), vec![address.clone()])
            .map_err(|error| Failure::new(error.to_string()))
            .and_then(|one| send(&one).map_err(|error| failure(&error)));
        if let Err(refusal) = sent {
            receipt.refused += 1;
            receipt.refusal = Some(refusal);
        }
    }
    match receipt.refusal {
        Some(refusal) if receipt.refused == envelope.to().len() => Err(refusal),
        _ => Ok(receipt),
    }
}

pub(super) fn check(transport: &SmtpTransport) -> Result<(), Failure> {
    match transport.test_connection() {
        Ok(true) => Ok(()),
        Ok(false) => Err(Failure::new("the SMTP server answers, but not to NOOP")),
        Err(error) => Err(failure(&error)),
    }
}

fn failure(error: &Error) -> Failure {
    let advice = if error.is_timeout() {
        "; the SMTP server does not answer in time: check host, port and firewall"
    } else if error.is_permanent() {
        "; the SMTP server refuses: check sender, recipients, and user and password in SMTP_URL"
    } else if error.is_tls() {
        "; check the certificate, and whether SMTP_URL should be smtps:// or smtp://…?tls=required"
    } else {
        ""
    };
    Failure::new(format!("{error}{advice}"))
}
