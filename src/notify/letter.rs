//! A rendered notice as a message of RFC 5322: who from, to whom, and the headers that mail programs act on.

use std::time::{Duration, SystemTime};

use lettre::{
    Address, Message,
    message::{
        Attachment, Mailbox, MultiPart,
        header::{ContentType, HeaderName, HeaderValue},
    },
};

use super::{mailer::Failure, render::Rendered};
use crate::{clock::Timestamp, outbox::mails::Claimed};

/// No automatic reply, please (RFC 3834), and the same in the dialect of Exchange.
const AUTO_SUBMITTED: HeaderName = HeaderName::new_from_ascii_str("Auto-Submitted");
const SUPPRESS: HeaderName = HeaderName::new_from_ascii_str("X-Auto-Response-Suppress");
/// What waits for somebody's decision, to those mail programs that show it.
const IMPORTANCE: HeaderName = HeaderName::new_from_ascii_str("Importance");
/// To sort and to search by.
const TENANT: HeaderName = HeaderName::new_from_ascii_str("X-Rosterd-Tenant");

/// One message to all recipients. `now` is the time of the attempt; the Message-ID is the mail's own each time.
pub fn compose(
    from: &Mailbox,
    recipients: &[Address],
    mail: &Claimed,
    now: Timestamp,
    rendered: &Rendered,
) -> Result<Message, Failure> {
    let seconds = u64::try_from(now.seconds_since(Timestamp::from_micros(0))).unwrap_or(0);
    let mut message = Message::builder()
        .message_id(Some(mail.message_id.clone()))
        .date(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
        .from(from.clone())
        .subject(rendered.subject.clone())
        .raw_header(HeaderValue::new(AUTO_SUBMITTED, "auto-generated".to_owned()))
        .raw_header(HeaderValue::new(SUPPRESS, "All".to_owned()));
    // Others' text: in a header only when it is plainly an id.
    if !mail.tenant_id.is_empty()
        && mail.tenant_id.len() <= 64
        && mail.tenant_id.bytes().all(|byte| byte.is_ascii_graphic())
    {
        message = message.raw_header(HeaderValue::new(TENANT, mail.tenant_id.clone()));
    }
    if rendered.urgent {
        message = message.raw_header(HeaderValue::new(IMPORTANCE, "high".to_owned()));
    }
    let mut known: Vec<&Address> = Vec::with_capacity(recipients.len());
    for address in recipients {
        if !known.contains(&address) {
            known.push(address);
            message = message.to(Mailbox::new(None, address.clone()));
        }
    }
    let both = MultiPart::alternative_plain_html(rendered.text.clone(), rendered.html.clone());
    let whole = match rendered.attachments.as_slice() {
        [] => both,
        attachments => {
            let mut mixed = MultiPart::mixed().multipart(both);
            for one in attachments {
                let kind = ContentType::parse(one.content_type).map_err(uncomposed)?;
                let body = one.text.clone().into_bytes();
                mixed = mixed.singlepart(Attachment::new(one.file_name.to_owned()).body(body, kind));
            }
            mixed
        }
    };
    message.multipart(whole).map_err(uncomposed)
}

fn uncomposed(error: impl std::fmt::Display) -> Failure {
    Failure::new(format!("the mail could not be composed: {error}"))
}

/// The right-hand side of our Message-IDs, which must be ASCII.
pub fn domain(from: &Mailbox) -> &str {
    let domain = from.email.domain();
    if domain.is_ascii() { domain } else { "rosterd.invalid" }
}

/// `rosterd.0123….eml`: the same for each attempt, so a repeat replaces what it repeats.
pub fn file_name(message_id: &str) -> String {
    let local = message_id.trim_start_matches('<').split('@').next().unwrap_or_default();
    let safe: String =
        local.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_')).collect();
    format!("{}.eml", safe.trim_start_matches('.'))
}
