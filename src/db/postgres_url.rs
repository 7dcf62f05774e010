//! Keeps a password in the URL out of libpq's error texts.
//!
//! libpq's errors quote the text that it reads as host, port or escape. If a password is not escaped correctly, that text
//! is a part of the password. So an ambiguous URL is refused before libpq reads it, and passwords are removed from errors.

/// Whether the text after `postgres://` can be read in one way only.
pub(super) fn is_plain(rest: &str) -> bool {
    let (main, parameters) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, path) = main.split_once('/').unwrap_or((main, ""));
    let (user, hosts) =
        authority.split_once('@').map_or((None, authority), |(user, hosts)| (Some(user), hosts));
    let at_is_escaped = !hosts.contains('@') && !path.contains('@');
    // Without a user, a later @ belongs to the user part: the password contains an unescaped question mark.
    let user_is_whole = user.is_some() || !parameters.contains('@');
    at_is_escaped && user_is_whole && hosts.split(',').all(is_host) && escapes_are_whole(rest)
}

fn is_host(host: &str) -> bool {
    let port = match host.strip_prefix('[') {
        Some(literal) => match literal.split_once(']') {
            Some((_, "")) => return true,
            Some((_, port)) => port.strip_prefix(':'),
            None => None,
        },
        None if host.contains(['[', ']']) => None,
        None => host.split_once(':').map_or(Some(""), |(_, port)| Some(port)),
    };
    port.is_some_and(|port| port.bytes().all(|byte| byte.is_ascii_digit()))
}

fn escapes_are_whole(text: &str) -> bool {
    text.split('%').skip(1).all(|after| {
        let code = after.get(..2);
        code.is_some_and(|code| code != "00" && code.bytes().all(|byte| byte.is_ascii_hexdigit()))
    })
}

/// How libpq's errors begin when it cannot read a parameter. They quote the parameter.
const UNREADABLE: [&str; 8] = [
    "invalid URI",
    "invalid percent-encoded",
    "invalid connection option",
    "missing key/value separator",
    "extra key/value separator",
    "unexpected character",
    "unexpected spaces",
    "forbidden value",
];

/// An error text of libpq about a connection to `url`, without the passwords of `url`.
pub(super) fn without_password(text: &str, url: &str) -> String {
    if UNREADABLE.iter().any(|beginning| text.contains(beginning)) {
        return "a parameter of DATABASE_URL cannot be read; write & as %26, = as %3D, % as %25 and a blank as %20 in its values".to_owned();
    }
    let mut text = text.to_owned();
    for password in passwords(url) {
        let decoded = decoded(password);
        for form in [password, decoded.as_str()] {
            if !form.is_empty() {
                text = text.replace(form, "…");
            }
        }
    }
    text
}

/// Decodes as libpq does. An incomplete escape is not changed.
fn decoded(text: &str) -> String {
    let mut parts = text.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        match part.get(..2).and_then(|code| u8::from_str_radix(code, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                bytes.extend(part.bytes().skip(2));
            }
            None => bytes.extend(["%", part].concat().bytes()),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn passwords(url: &str) -> Vec<&str> {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let (main, parameters) = rest.split_once('?').unwrap_or((rest, ""));
    let user = main.split_once('@').and_then(|(user, _)| user.split_once(':'));
    let in_parameters = parameters.split('&').filter_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        matches!(name, "password" | "sslpassword").then_some(value)
    });
    user.map(|(_, password)| password).into_iter().chain(in_parameters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_that_is_not_escaped_is_refused() {
        for unclear in [
            "u:pa/ss@host/db",
            "u:12/34@host/db",
            "u:pa@ss@host/db",
            "u:pa%ss@host/db",
            "u:pa%@host/db",
            "u:pa%00@host/db",
            "u:12?34@host/db",
            "u:pa?ss@host/db",
            "u:pass@ho]st/db",
            "u:pass@[::1/db",
            "u:pa/ss]@host",
            "u:pass@host:po/db",
        ] {
            assert!(!is_plain(unclear), "{unclear}");
        }
        for plain in [
            "",
            "/db?host=/run/postgresql",
            "%2Frun%2Fpostgresql/db",
            "u@host",
            "u:p%40%2F%25]@host:5432/db?sslmode=require",
            "u:p@one:5432,two:5433/db?target_session_attrs=read-write",
            "u:p@[::1]:5432/db",
            "u:p@[::1]/db",
            "u:p@host/db?user=a@b",
        ] {
            assert!(is_plain(plain), "{plain}");
        }
    }

    #[test]
    fn messages_of_libpq_are_shown_without_the_password() {
        let url = "postgres://ada:hunter%402@host/db?password=other&sslpassword=third";
        let redacted = without_password("FATAL: hunter@2, hunter%402, other and third for user ada", url);
        assert_eq!(redacted, "FATAL: …, …, … and … for user ada");
        let unread = without_password("invalid URI query parameter: \"b\"", "postgres://h/db?password=a&b=c");
        assert!(unread.contains("DATABASE_URL") && !unread.contains("\"b\""), "{unread}");
    }
}
