//! SMTP. Each recipient has a separate session and envelope, so the server's answer for one recipient does not affect the
//! others.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc::{self, RecvTimeoutError},
    },
    thread,
    time::Duration,
};

use lettre::{Address, Message, SmtpTransport, Transport, address::Envelope, transport::smtp::Error};

use super::{MailAnswer, MailFailure};

/// The time limit of one session, in time-outs of one command: greeting, EHLO, STARTTLS, AUTH, MAIL, RCPT, DATA, QUIT and
/// others.
pub(in crate::notify) const WAITS_PER_SESSION: u32 = 12;

/// After this number of sessions over the limit, the attempt ends: the server is too slow.
const MOST_LATE: usize = 2;

/// The highest number of sessions that may continue beyond the limit, because the server sends a byte from time to time.
const MOST_OVERDUE: usize = 8;

/// An SMTP server, and the sessions with it.
pub struct Smtp {
    transport: SmtpTransport,
    /// The limit for a whole session. The time-out of the transport is for each read.
    bound: Duration,
    running: Arc<AtomicUsize>,
}

/// Counts a session until it ends in any way.
struct Running(Arc<AtomicUsize>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A session that did not send the mail.
struct Ended {
    answer: MailAnswer,
    late: bool,
}

impl Smtp {
    pub(super) fn new(url: &str, timeout: Duration) -> Result<Self, MailFailure> {
        let transport = SmtpTransport::from_url(url).map_err(|error| failure(&error))?;
        Ok(Self {
            transport: transport.timeout(Some(timeout)).build(),
            bound: timeout.saturating_mul(WAITS_PER_SESSION),
            running: Arc::default(),
        })
    }

    /// Sends to each address. Each attempt begins with another recipient, so a recipient whose sessions never end does not
    /// block the others.
    pub(super) fn send(&self, message: &Message, to: &[Address], attempt: u16) -> Vec<MailAnswer> {
        let bytes: Arc<[u8]> = message.formatted().into();
        let unasked = || {
            MailAnswer::Later(MailFailure::new(
                "the SMTP server did not answer in time for other recipients before this one",
            ))
        };
        let mut answers: Vec<MailAnswer> = to.iter().map(|_| unasked()).collect();
        let first = usize::from(attempt.saturating_sub(1)).checked_rem(to.len()).unwrap_or(0);
        let mut late = 0;
        for place in (first..to.len()).chain(0..first) {
            let (Some(address), Some(answer)) = (to.get(place), answers.get_mut(place)) else { continue };
            *answer = match self.session(message.envelope().from(), address, &bytes) {
                Ok(()) => MailAnswer::Taken,
                Err(ended) => {
                    late += usize::from(ended.late);
                    ended.answer
                }
            };
            if late >= MOST_LATE {
                break;
            }
        }
        answers
    }

    fn session(&self, from: Option<&Address>, to: &Address, bytes: &Arc<[u8]>) -> Result<(), Ended> {
        let later = |failure| Ended { answer: MailAnswer::Later(failure), late: false };
        let envelope = Envelope::new(from.cloned(), vec![to.clone()])
            .map_err(|error| later(MailFailure::new(error.to_string())))?;
        let bytes = bytes.clone();
        match self.bounded(move |transport| transport.send_raw(&envelope, &bytes)) {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) if is_refusal(&error) => {
                Err(Ended { answer: MailAnswer::Refused(failure(&error)), late: false })
            }
            Ok(Err(error)) => Err(Ended { late: error.is_timeout(), ..later(failure(&error)) }),
            Err(failure) => Err(Ended { late: true, ..later(failure) }),
        }
    }

    pub(super) fn check(&self) -> Result<(), MailFailure> {
        match self.bounded(SmtpTransport::test_connection)? {
            Ok(true) => Ok(()),
            Ok(false) => Err(MailFailure::new("the SMTP server answers, but not to NOOP")),
            Err(error) => Err(failure(&error)),
        }
    }

    /// Runs a session and returns after the limit at the latest, also if the server sends single bytes slowly. lettre cannot
    /// cancel a session, so it continues on its thread. If the server accepts the mail later, the recipient gets it twice,
    /// with one Message-ID.
    fn bounded<T: Send + 'static>(
        &self,
        work: impl FnOnce(&SmtpTransport) -> T + Send + 'static,
    ) -> Result<T, MailFailure> {
        if self.running.fetch_add(1, Ordering::SeqCst) >= MOST_OVERDUE {
            drop(Running(self.running.clone()));
            return Err(MailFailure::new(format!(
                "{MOST_OVERDUE} sessions with the SMTP server have not ended: it sends its answers byte by byte; check \
                 that server"
            )));
        }
        let running = Running(self.running.clone());
        let transport = self.transport.clone();
        let (sender, receiver) = mpsc::sync_channel(1);
        let thread = thread::Builder::new().name("smtp".to_owned()).spawn(move || {
            let done = work(&transport);
            drop(running);
            // After the limit nobody receives it.
            drop(sender.send(done));
        });
        thread.map_err(|error| {
            MailFailure::new(format!("a thread for the SMTP session could not be started: {error}"))
        })?;
        receiver.recv_timeout(self.bound).map_err(|error| match error {
            RecvTimeoutError::Timeout => MailFailure::new(format!(
                "the SMTP session did not end within {} seconds: the server answers too slowly; check that server, or \
                 increase mail.timeout_seconds",
                self.bound.as_secs()
            )),
            RecvTimeoutError::Disconnected => MailFailure::new("the SMTP session ended without a result"),
        })
    }
}

/// Whether the server refuses this recipient for ever. An answer about credentials does not concern a recipient. lettre
/// itself refuses a local part that is not ASCII when the server does not announce SMTPUTF8.
fn is_refusal(error: &Error) -> bool {
    match error.status().map(u16::from) {
        Some(530 | 534 | 535 | 538) => false,
        Some(code) => code >= 500,
        None => needs_smtputf8(error),
    }
}

fn needs_smtputf8(error: &Error) -> bool {
    error.is_client() && error.to_string().contains("SMTPUTF8")
}

fn failure(error: &Error) -> MailFailure {
    let code = error.status().map(u16::from);
    let advice = if error.is_timeout() {
        "; the SMTP server does not answer in time: check host, port and firewall"
    } else if matches!(code, Some(530 | 534 | 535 | 538)) {
        "; the SMTP server refuses the credentials: put the right user and password into SMTP_URL, as in \
         smtps://user:password@host, with %40 for @ and the like"
    } else if needs_smtputf8(error) {
        "; the part before the @ is not ASCII, and the SMTP server does not support such addresses: use an address in \
         ASCII, or a server with SMTPUTF8"
    } else if error.is_permanent() {
        "; the SMTP server refuses the mail: check sender, recipients, and user and password in SMTP_URL"
    } else if error.is_tls() || mentions_certificate(error) {
        "; the SMTP server's certificate is not trusted, or it does not speak TLS: install a certificate for \
         this host name there, signed by an authority that this machine trusts, and check whether SMTP_URL should be \
         smtps:// or smtp://…?tls=required"
    } else {
        ""
    };
    MailFailure::new(error.to_string()).advising(advice)
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

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::notify::tests::smtp::{Behaviour, SmtpServer};

    fn asked(smtp: &Smtp, names: &[&str]) -> Vec<MailAnswer> {
        let to: Vec<Address> =
            names.iter().map(|name| format!("{name}@a.example").parse().unwrap()).collect();
        let message =
            Message::builder().from("x@x.example".parse().unwrap()).to("a@a.example".parse().unwrap());
        smtp.send(&message.body(String::new()).unwrap(), &to, 1)
    }

    fn why(answer: &MailAnswer) -> String {
        match answer {
            MailAnswer::Later(why) => why.to_string(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_attempt_is_bounded_as_a_whole_against_a_server_that_drips() {
        let server = SmtpServer::start().unwrap();
        server.next([Behaviour::Slow { pause: Duration::from_millis(5), drips: true }; MOST_OVERDUE]);
        let smtp = Smtp::new(&server.url(), Duration::from_millis(50)).unwrap();
        let bound = Duration::from_millis(50) * WAITS_PER_SESSION;

        let begun = Instant::now();
        let answers = asked(&smtp, &["a", "b", "c", "d"]);

        assert!(begun.elapsed() < bound * 4, "{:?}", begun.elapsed());
        assert!(
            why(&answers[0]).contains("did not end within")
                && why(&answers[3]).contains("other recipients before")
        );
        assert_eq!(server.connections(), MOST_LATE, "the rest waits for the next attempt");
        // A session over the limit still uses its thread. The number of such sessions is limited.
        for _ in 0..MOST_OVERDUE - MOST_LATE {
            smtp.check().unwrap_err();
        }
        let begun = Instant::now();
        assert!(why(&asked(&smtp, &["a"])[0]).contains("have not ended"));
        assert!(begun.elapsed() < bound && server.connections() == MOST_OVERDUE);
    }

    #[test]
    fn an_address_that_the_server_does_not_support_is_refused_with_advice() {
        let server = SmtpServer::start().unwrap();
        server.next([Behaviour::AsciiOnly]);
        let smtp = Smtp::new(&server.url(), Duration::from_secs(5)).unwrap();

        let answers = asked(&smtp, &["jörg"]);

        let refused = |answer: &MailAnswer| matches!(answer, MailAnswer::Refused(why) if why.to_string().contains("use an address in ASCII"));
        assert!(refused(&answers[0]), "{answers:?}");
    }

    #[test]
    fn each_attempt_begins_with_another_recipient() {
        let server = SmtpServer::start().unwrap();
        let smtp = Smtp::new(&server.url(), Duration::from_secs(5)).unwrap();
        let to: Vec<Address> =
            ["a", "b", "c"].map(|name| format!("{name}@a.example").parse().unwrap()).to_vec();
        let message =
            Message::builder().from("x@x.example".parse().unwrap()).to("a@a.example".parse().unwrap());

        smtp.send(&message.body(String::new()).unwrap(), &to, 2);

        let addressed: Vec<String> = server.received().into_iter().flat_map(|mail| mail.to).collect();
        assert_eq!(addressed, ["b@a.example", "c@a.example", "a@a.example"]);
    }
}
