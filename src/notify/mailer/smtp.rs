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
        Err(error) => Err(refusing(&error, envelope.to().len())),
    }
}

/// The server says no for good, and may mean whom it was sent to: somebody else may be reached.
fn refusing(error: &Error, recipients: usize) -> Failure {
    match error.status().map(u16::from) {
        Some(550..=554) => failure(error).of_recipients(recipients),
        _ => failure(error),
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
    let mut for_good = 0;
    for address in envelope.to() {
        let sent = Envelope::new(envelope.from().cloned(), vec![address.clone()])
            .map_err(|error| Failure::new(error.to_string()))
            .and_then(|one| send(&one).map_err(|error| refusing(&error, 1)));
        if let Err(refusal) = sent {
            receipt.refused += 1;
            for_good += refusal.refused();
            receipt.refusal = Some(refusal);
        }
    }
    match receipt.refusal {
        // One whom it will not take just now is asked again, and is not given up for somebody else.
        Some(refusal) if receipt.refused == envelope.to().len() => {
            Err(refusal.of_recipients(if for_good == receipt.refused { for_good } else { 0 }))
        }
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
    let code = error.status().map(u16::from);
    let advice = if error.is_timeout() {
        "; the SMTP server does not answer in time: check host, port and firewall"
    } else if matches!(code, Some(530 | 534 | 535 | 538)) {
        "; the SMTP server refuses the credentials: put the right user and password into SMTP_URL, as in \
         smtps://user:password@host, with %40 for @ and the like"
    } else if error.is_permanent() {
        "; the SMTP server refuses: check sender, recipients, and user and password in SMTP_URL"
    } else if error.is_tls() || mentions_certificate(error) {
        "; the SMTP server's certificate is not trusted, or it does not speak TLS: let it present a certificate for \
         this very host name, signed by an authority that this machine knows, and check whether SMTP_URL should be \
         smtps:// or smtp://…?tls=required"
    } else {
        ""
    };
    Failure::new(format!("{error}{advice}"))
}

fn mentions_certificate(error: &Error) -> bool {
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        if inner.to_string().contains("certificate") {
            return true;
        }
        cause = inner.source();
    }
    false
}
