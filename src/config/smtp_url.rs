//! Whether an SMTP URL would send its password unencrypted.

use std::net::IpAddr;

use url::Url;

/// Whether the password could be read on the network, also by an attacker who pretends that the server has no TLS. A text
/// that is no URL is refused later, by the mailer.
pub(super) fn sends_password_unencrypted(text: &str) -> bool {
    let Ok(url) = Url::parse(text) else { return false };
    let tls = url.query_pairs().find(|(key, _)| key == "tls");
    let encrypted = url.scheme() == "smtps" || tls.is_some_and(|(_, value)| value == "required");
    let secret = url.password().is_some() || !url.username().is_empty();
    secret && !encrypted && !url.host_str().is_some_and(is_this_machine)
}

fn is_this_machine(host: &str) -> bool {
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    match bare.parse::<IpAddr>() {
        Ok(ip) => ip.to_canonical().is_loopback(),
        Err(_) => host.eq_ignore_ascii_case("localhost"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_travels_encrypted_or_not_beyond_this_machine() {
        for unencrypted in [
            "smtp://ada:word@mail.example",
            "smtp://ada:word@mail.example:587?tls=opportunistic",
            "smtp://ada:word@mail.example?TLS=required",
            "smtp://ada:word@mail.example?tls=opportunistic&tls=required",
            "smtp://ada:word@localhost.example",
            "smtp://ada:word@127.0.0.1.example",
            "smtp://ada:word@[2001:db8::1]",
            "smtp://:word@mail.example",
            "smtp://ada@mail.example",
            "smtp://ada:wo%40rd@10.0.0.1",
        ] {
            assert!(sends_password_unencrypted(unencrypted), "{unencrypted}");
        }
        for protected in [
            "smtp://mail.example",
            "smtps://ada:word@mail.example",
            "smtp://ada:word@mail.example:587?tls=required",
            "smtp://ada:word@localhost:25",
            "smtp://ada:word@127.0.0.1",
            "smtp://ada:word@[::1]:25",
        ] {
            assert!(!sends_password_unencrypted(protected), "{protected}");
        }
    }
}
