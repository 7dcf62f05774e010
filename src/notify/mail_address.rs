//! Mail addresses in the form that is safe for a mail server.

use lettre::Address;

/// The longest path in SMTP (RFC 5321, 4.5.3.1.3).
const MOST_BYTES: usize = 254;

/// Why a text cannot be a recipient.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressFault {
    /// A name precedes the address.
    #[error("\"{0}\" is more than an address: write the address alone, as in it@customer.example")]
    Named(String),
    /// The form is wrong.
    #[error("\"{text}\" is no mail address ({why}): write it as in it@customer.example")]
    Form { text: String, why: String },
    /// The domain does not exist in the form for mail servers.
    #[error("\"{0}\" has a domain that no mail server accepts: check the part after @")]
    Domain(String),
    /// The address would end an SMTP command.
    #[error("\"{0}\" contains a line end or another control character: write the address without it")]
    Control(String),
    /// The address is longer than SMTP allows.
    #[error("\"{0}\" is longer than 254 bytes, the limit of mail servers: use a shorter address")]
    TooLong(String),
}

/// Reads the address of a recipient, in the form for a mail server.
pub fn recipient(text: &str) -> Result<Address, AddressFault> {
    let text = text.trim();
    let own = || text.to_owned();
    if text.ends_with('>') {
        return Err(AddressFault::Named(own()));
    }
    if text.contains(ends_a_command) {
        return Err(AddressFault::Control(own()));
    }
    if text.len() > MOST_BYTES {
        return Err(AddressFault::TooLong(own()));
    }
    let address: Address =
        text.parse().map_err(|error| AddressFault::Form { text: own(), why: format!("{error}") })?;
    match plain(&address) {
        Some(plain) => Ok(plain),
        // The A-labels of a domain may be longer than the domain.
        None => Err(AddressFault::Domain(own())),
    }
}

fn ends_a_command(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')
}

/// The address with its domain as A-labels, which each server accepts. `None` for an unsafe address: line ends and other
/// controls would end the SMTP command.
pub(super) fn plain(address: &Address) -> Option<Address> {
    let domain = match address.domain().is_ascii() {
        true => address.domain().to_owned(),
        false => idna::domain_to_ascii(address.domain()).ok()?,
    };
    let plain = Address::new(address.user(), domain).ok()?;
    let text: &str = plain.as_ref();
    (text.len() <= MOST_BYTES && !text.contains(ends_a_command)).then_some(plain)
}

/// Whether a server without SMTPUTF8 accepts the address, also in a header.
pub(super) fn is_ascii(address: &Address) -> bool {
    let text: &str = address.as_ref();
    text.is_ascii()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent_as(text: &str) -> Option<String> {
        text.parse().ok().and_then(|address| plain(&address)).map(|address| address.to_string())
    }

    #[test]
    fn domains_are_a_labels_and_local_parts_stay() {
        assert_eq!(sent_as("jörg@bücher.example").as_deref(), Some("jörg@xn--bcher-kva.example"));
        assert_eq!(sent_as("Ada@Acme.example").as_deref(), Some("Ada@Acme.example"));
        assert_eq!(sent_as("\"ann smith\"@acme.example").as_deref(), Some("\"ann smith\"@acme.example"));
        assert_eq!(sent_as("ada@[127.0.0.1]").as_deref(), Some("ada@[127.0.0.1]"));
    }

    #[test]
    fn a_text_that_cannot_be_a_recipient_is_refused_with_the_reason() {
        let read = |text: &str| recipient(text).map(|address| address.to_string());
        assert_eq!(read(" IT@bücher.example ").as_deref(), Ok("IT@xn--bcher-kva.example"));
        let long = format!("a@{}example", "long.".repeat(60));
        for (text, reason) in [
            ("Ada <ada@acme.example>", "write the address alone"),
            ("ada.acme.example", "is no mail address"),
            ("", "is no mail address"),
            ("ada@", "is no mail address"),
            ("\"a\r\nDATA\"@acme.example", "control character"),
            (&long, "longer than 254 bytes"),
        ] {
            let told = read(text).unwrap_err().to_string();
            assert!(told.contains(reason), "{text:?}: {told}");
        }
    }

    #[test]
    fn an_address_that_would_end_an_smtp_command_is_refused() {
        for text in ["\"a\r\nDATA\"@acme.example", "\"a\0\"@acme.example", "\"a\u{2028}b\"@acme.example"] {
            assert_eq!(sent_as(text), None, "{text:?}");
        }
        assert_eq!(sent_as(&format!("a@{}example", "long.".repeat(60))), None);
    }
}
