//! Mail addresses in the form that is safe for a mail server.

use lettre::Address;

/// The longest path in SMTP (RFC 5321, 4.5.3.1.3).
const MOST_BYTES: usize = 254;

/// The address with its domain as A-labels, which each server accepts. `None` for an unsafe address: line ends and other
/// controls would end the SMTP command.
pub(super) fn plain(address: &Address) -> Option<Address> {
    let domain = match address.domain().is_ascii() {
        true => address.domain().to_owned(),
        false => idna::domain_to_ascii(address.domain()).ok()?,
    };
    let plain = Address::new(address.user(), domain).ok()?;
    let text: &str = plain.as_ref();
    let breaks = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    (text.len() <= MOST_BYTES && !text.contains(breaks)).then_some(plain)
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
    fn an_address_that_would_end_an_smtp_command_is_refused() {
        for text in ["\"a\r\nDATA\"@acme.example", "\"a\0\"@acme.example", "\"a\u{2028}b\"@acme.example"] {
            assert_eq!(sent_as(text), None, "{text:?}");
        }
        assert_eq!(sent_as(&format!("a@{}example", "long.".repeat(60))), None);
    }
}
