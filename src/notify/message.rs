//! A rendered mail as a message of RFC 5322, with the headers that mail programs use.

use std::time::{Duration, SystemTime};

use lettre::{
    Address, Message,
    address::Envelope,
    message::{
        Attachment, Mailbox, MultiPart,
        header::{ContentType, HeaderName, HeaderValue},
    },
};

use super::{mail_address, mailer::MailFailure, render::Rendered};
use crate::{outbox::mails::ClaimedMail, runtime::clock::Timestamp};

/// Asks for no automatic reply (RFC 3834). The second header is for Exchange.
const AUTO_SUBMITTED: HeaderName = HeaderName::new_from_ascii_str("Auto-Submitted");
const SUPPRESS: HeaderName = HeaderName::new_from_ascii_str("X-Auto-Response-Suppress");
/// Marks a mail that needs a decision.
const IMPORTANCE: HeaderName = HeaderName::new_from_ascii_str("Importance");
const LANGUAGE: HeaderName = HeaderName::new_from_ascii_str("Content-Language");
/// For filters and searches in a mail program.
const TENANT: HeaderName = HeaderName::new_from_ascii_str("X-Rosterd-Tenant");

/// RFC 5322: a line should have at most 78 characters, and must have at most 998.
const COLUMNS: usize = 78;
/// Characters of text in one encoded word. RFC 2047 allows 75 in all, and "Subject: " precedes the first word.
const MOST_ENCODED: usize = 54;
const SUBJECT: HeaderName = HeaderName::new_from_ascii_str("Subject");
const FROM: HeaderName = HeaderName::new_from_ascii_str("From");
const REPLY_TO: HeaderName = HeaderName::new_from_ascii_str("Reply-To");
const TO: HeaderName = HeaderName::new_from_ascii_str("To");

/// Who sends a mail.
#[derive(Clone, Copy, Debug)]
pub struct Sender<'a> {
    pub from: &'a Mailbox,
    /// The address for replies, if it is not the sender's.
    pub reply_to: Option<&'a Mailbox>,
}

/// Composes one message for all recipients. Its header names them all, whichever of them an attempt is for. `now` is the
/// time of the attempt. The Message-ID is the same in each attempt. Fails when lettre cannot compose the message.
pub fn compose(
    sender: Sender<'_>,
    recipients: &[Address],
    mail: &ClaimedMail,
    now: Timestamp,
    rendered: &Rendered,
) -> Result<Message, MailFailure> {
    let seconds = u64::try_from(now.seconds_since(Timestamp::from_micros(0))).unwrap_or(0);
    let Sender { from, reply_to } = sender;
    let from = with_plain_address(from);
    // The envelope is explicit, because lettre cannot parse each legal address in a header.
    let envelope = Envelope::new(Some(from.email.clone()), recipients.to_vec()).map_err(uncomposed)?;
    let mut message = Message::builder()
        .envelope(envelope)
        .message_id(Some(mail.message_id.clone()))
        .date(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
        .raw_header(originator(FROM, &from))
        .raw_header(subject(&rendered.subject))
        .raw_header(HeaderValue::new(LANGUAGE, rendered.language.to_owned()))
        .raw_header(HeaderValue::new(AUTO_SUBMITTED, "auto-generated".to_owned()))
        .raw_header(HeaderValue::new(SUPPRESS, "All".to_owned()));
    if let Some(reply_to) = reply_to {
        message = message.raw_header(originator(REPLY_TO, &with_plain_address(reply_to)));
    }
    // The id comes from outside: it is written into a header only if it has the characters of an id.
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b':');
    if !mail.tenant_id.is_empty() && mail.tenant_id.len() <= 64 && mail.tenant_id.bytes().all(plain) {
        message = message.raw_header(HeaderValue::new(TENANT, mail.tenant_id.clone()));
    }
    if rendered.urgent {
        message = message.raw_header(HeaderValue::new(IMPORTANCE, "high".to_owned()));
    }
    let names = to_header(recipients);
    message = message.raw_header(HeaderValue::dangerous_new_pre_encoded(TO, names.clone(), names));
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

fn with_plain_address(mailbox: &Mailbox) -> Mailbox {
    let plain = mail_address::plain(&mailbox.email).unwrap_or_else(|| mailbox.email.clone());
    Mailbox::new(mailbox.name.clone(), plain)
}

/// The subject. Mail programs decode text that looks like an encoded word (RFC 2047), so a subject with such text is encoded
/// completely and appears as it was written. lettre encodes all others.
fn subject(text: &str) -> HeaderValue {
    if !text.contains("=?") {
        return HeaderValue::new(SUBJECT, text.to_owned());
    }
    HeaderValue::dangerous_new_pre_encoded(SUBJECT, text.to_owned(), encoded_words(text))
}

/// An address with its name. lettre does not fold a long name that is not ASCII.
fn originator(header: HeaderName, mailbox: &Mailbox) -> HeaderValue {
    let whole = mailbox.to_string();
    let name = mailbox.name.as_deref().map(str::trim).unwrap_or_default();
    let is_plain = name.is_ascii() && !name.contains(char::is_control) && !name.contains("=?");
    let encoded = match is_plain && header.len() + ": ".len() + whole.len() <= COLUMNS {
        _ if name.is_empty() => whole.clone(),
        true => whole.clone(),
        false => format!("{}\r\n <{}>", encoded_words(name), mailbox.email),
    };
    HeaderValue::dangerous_new_pre_encoded(header, whole, encoded)
}

/// The text as encoded words of RFC 2047, one on each line.
fn encoded_words(text: &str) -> String {
    let (mut words, mut word) = (Vec::new(), String::new());
    for c in text.chars() {
        let code: String = c.encode_utf8(&mut [0; 4]).bytes().map(|byte| format!("={byte:02X}")).collect();
        if word.len() + code.len() > MOST_ENCODED {
            words.push(format!("=?utf-8?Q?{}?=", std::mem::take(&mut word)));
        }
        word.push_str(&code);
    }
    words.push(format!("=?utf-8?Q?{word}?="));
    words.join("\r\n ")
}

/// The value of `To`, folded after a comma. It omits addresses that are not ASCII, because many servers refuse such a
/// header; these recipients get the mail too.
fn to_header(recipients: &[Address]) -> String {
    let (mut header, mut column) = (String::new(), "To: ".len());
    for address in recipients.iter().filter(|address| mail_address::is_ascii(address)) {
        let text: &str = address.as_ref();
        if !header.is_empty() {
            header.push(',');
            // The blank, the address and a comma.
            let folds = column + text.len() + 3 > COLUMNS;
            header.push_str(if folds { "\r\n " } else { " " });
            column = if folds { 1 } else { column + 2 };
        }
        header.push_str(text);
        column += text.len();
    }
    if header.is_empty() { "undisclosed-recipients:;".to_owned() } else { header }
}

fn uncomposed(error: impl std::fmt::Display) -> MailFailure {
    MailFailure::new(format!("the mail could not be composed: {error}"))
}

/// The domain for Message-IDs, which must be ASCII.
pub fn domain(from: &Mailbox) -> &str {
    let domain = from.email.domain();
    if domain.is_ascii() { domain } else { "rosterd.invalid" }
}

/// `rosterd.0123….eml`. The name is the same in each attempt, so a repetition replaces the file.
pub fn file_name(message_id: &str) -> String {
    let local = message_id.trim_start_matches('<').split('@').next().unwrap_or_default();
    let safe: String =
        local.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_')).collect();
    format!("{}.eml", safe.trim_start_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(texts: &[String]) -> String {
        let addresses: Vec<Address> = texts.iter().map(|text| text.parse().unwrap()).collect();
        format!("To: {}", to_header(&addresses))
    }

    #[test]
    fn a_subject_with_the_look_of_an_encoded_word_is_shown_as_it_was_written() {
        let written = "Access removed: =?utf-8?B?RXZl?= and Jörg =?iso-8859-1?Q?=41?= (Acme)";

        let header = format!("{:?}", subject(written));
        let encoded = {
            let mut headers = lettre::message::header::Headers::new();
            headers.insert_raw(subject(written));
            headers.to_string()
        };

        assert!(encoded.lines().all(|line| line.len() <= 78), "{encoded}");
        assert!(!encoded.contains("RXZl") && header.contains("RXZl"), "{encoded}");
        let words = encoded.trim().trim_start_matches("Subject: ").split("\r\n ");
        let codes = words.map(|word| word.strip_prefix("=?utf-8?Q?").unwrap().strip_suffix("?=").unwrap());
        let bytes: Vec<u8> = codes
            .flat_map(|codes| codes.split('=').skip(1))
            .map(|code| u8::from_str_radix(code, 16).unwrap())
            .collect();
        assert_eq!(String::from_utf8(bytes).unwrap(), written);
    }

    #[test]
    fn a_long_name_of_the_sender_is_folded_and_read_back() {
        let names =
            ["Gemeinnützige Genossenschaft für Zugänge ".repeat(4), "山田".repeat(30), "Acme ".repeat(30)];
        for name in names.iter().map(|name| name.trim()).chain(["Acme, Inc.", "Hub", "Jörg"]) {
            let mailbox = Mailbox::new(Some(name.to_owned()), "hub@acme.example".parse().unwrap());
            let mut headers = lettre::message::header::Headers::new();
            headers.insert_raw(originator(FROM, &mailbox));
            let written = headers.to_string();

            assert!(written.lines().all(|line| line.len() <= COLUMNS), "{written}");
            let read: lettre::message::header::From = headers.get().unwrap();
            assert_eq!(lettre::message::Mailboxes::from(read).into_single(), Some(mailbox), "{written}");
        }
    }

    #[test]
    fn recipients_are_folded_and_those_whom_a_header_cannot_name_are_left_out() {
        let short: Vec<String> = (0..45).map(|n| format!("somebody{n}@acme.example")).collect();
        let folded = header(&short);
        assert!(folded.split("\r\n").all(|line| line.len() <= 78), "{folded}");
        assert_eq!(folded.matches('@').count(), 45);
        assert!(folded.split("\r\n").skip(1).all(|line| line.starts_with(' ')), "{folded}");

        let long: Vec<String> = (0..45).map(|n| format!("a{n}@{}example", "long.".repeat(15))).collect();
        assert_eq!(header(&long).lines().count(), 45);

        assert_eq!(header(&["jörg@x.example".to_owned()]), "To: undisclosed-recipients:;");
        assert_eq!(header(&["jörg@x.example".to_owned(), "a@x.example".to_owned()]), "To: a@x.example");
    }
}
