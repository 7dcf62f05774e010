//! Adds time limits to the URL of a PostgreSQL database, so that no caller waits for ever for a server or a network that
//! does not answer. Pure. A parameter that the operator has set is never changed.

use std::time::Duration;

use super::conn::ConnectError;

/// How long one host may take to answer.
const CONNECT_SECONDS: u64 = 3;

/// A connection is closed after 20 seconds without an answer from the other end: keepalive probes detect it while a
/// query runs, `tcp_user_timeout` (in milliseconds) while sent data is not acknowledged.
const LIMITS: [(&str, &str); 5] = [
    ("keepalives", "1"),
    ("keepalives_idle", "10"),
    ("keepalives_interval", "5"),
    ("keepalives_count", "2"),
    ("tcp_user_timeout", "20000"),
];

/// The usual paths of the bundle of certificate authorities: Debian and Alpine, Fedora and Red Hat (two paths), SUSE, the
/// BSDs and macOS. The OpenSSL in this binary looks at none of them by itself.
pub(super) const BUNDLES: [&str; 5] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// The parts of the process's environment that matter for a connection.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Environment {
    /// `PGCONNECT_TIMEOUT` is set, and libpq reads it.
    pub(super) limits_connecting: bool,
    /// `SSL_CERT_FILE` or `SSL_CERT_DIR` is set, and OpenSSL reads it.
    pub(super) names_certificates: bool,
    /// The first of [`BUNDLES`] that exists.
    pub(super) bundle: Option<&'static str>,
}

/// Divides a URL into base and query as libpq does. A password may contain a question mark, so the query begins at the
/// first question mark after the password.
pub(super) fn divided(url: &str) -> (&str, &str) {
    let begin = url.find("://").map_or(0, |at| at + 3);
    let rest = url.get(begin..).unwrap_or_default();
    let host = match rest.find(['@', '/']) {
        Some(at) if rest.get(at..).is_some_and(|rest| rest.starts_with('@')) => begin + at,
        _ => begin,
    };
    match url.get(host..).and_then(|rest| rest.find('?')) {
        Some(at) => {
            url.split_at_checked(host + at).map_or((url, ""), |(base, q)| (base, q.trim_start_matches('?')))
        }
        None => (url, ""),
    }
}

/// Each parameter in order: decoded key, decoded value, original text.
fn parameters(query: &str) -> Vec<(String, String, &str)> {
    let read = |text: &str| {
        // `form_urlencoded` decodes a plus as a blank. libpq does not.
        url::form_urlencoded::parse(text.replace('+', "%2B").as_bytes())
            .next()
            .map(|(key, value)| (key.into_owned(), value.into_owned()))
            .unwrap_or_default()
    };
    let pairs = query.split('&').filter(|written| !written.is_empty());
    pairs
        .map(|written| (read(written), written))
        .map(|((key, value), written)| (key, value, written))
        .collect()
}

/// The URL that is passed to libpq. Fails when it needs the system's certificates and there are none.
pub(super) fn with_limits(url: &str, around: Environment) -> Result<String, ConnectError> {
    let (base, query) = divided(url);
    let parameters = parameters(query);
    let value_of = |name: &str| value_of(&parameters, name);
    let trusts_system = value_of("sslrootcert") == Some("system") && !around.names_certificates;
    // With `system`, libpq refuses a weaker mode with an error text of its own.
    let is_strict = value_of("sslmode").is_none_or(|mode| mode == "verify-full");
    let bundle = match (trusts_system && is_strict, around.bundle) {
        (false, _) => None,
        (true, Some(bundle)) => Some(bundle),
        (true, None) => return Err(ConnectError::NoCertificates),
    };
    let retained = parameters.iter().filter(|(key, ..)| bundle.is_none() || key != "sslrootcert");
    let mut query: Vec<String> = retained.map(|(.., written)| (*written).to_owned()).collect();
    if let Some(bundle) = bundle {
        query.push(format!("sslrootcert={bundle}"));
        if value_of("sslmode").is_none() {
            query.push("sslmode=verify-full".to_owned());
        }
    }
    if value_of("connect_timeout").is_none() && !around.limits_connecting {
        query.push(format!("connect_timeout={CONNECT_SECONDS}"));
    }
    let unset = LIMITS.iter().filter(|(name, _)| value_of(name).is_none());
    query.extend(unset.map(|(name, value)| format!("{name}={value}")));
    Ok(format!("{base}?{}", query.join("&")))
}

/// The value of a parameter. If it is repeated, the last one counts, as in libpq.
fn value_of<'p>(parameters: &'p [(String, String, &str)], name: &str) -> Option<&'p str> {
    parameters.iter().rev().find(|(key, ..)| key == name).map(|(_, value, _)| value.as_str())
}

/// How many hosts libpq may try.
pub(super) fn hosts(url: &str) -> usize {
    let (base, query) = divided(url);
    let parameters = parameters(query);
    let authority = base.split_once("://").map_or(base, |(_, rest)| rest);
    let authority = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let authority = authority.split('/').next().unwrap_or_default();
    let named = ["host", "hostaddr"].iter().filter_map(|name| value_of(&parameters, name)).chain([authority]);
    named.map(|hosts| hosts.split(',').count()).max().unwrap_or(1)
}

/// Whether libpq skips hosts that accept no writes, when the URL names several.
pub(super) fn asks_for_writes(url: &str) -> bool {
    let parameters = parameters(divided(url).1);
    value_of(&parameters, "target_session_attrs")
        .is_some_and(|asked| asked == "read-write" || asked == "primary")
}

/// How long a caller waits for a free or new connection before it gets an error: long enough to try every host, and one
/// second more; at most one minute.
pub(super) fn patience(url: &str) -> Duration {
    let parameters = parameters(divided(url).1);
    let each = value_of(&parameters, "connect_timeout")
        .and_then(|seconds| seconds.trim().parse().ok())
        .filter(|seconds| *seconds > 0)
        .unwrap_or(CONNECT_SECONDS);
    Duration::from_secs(each.saturating_mul(hosts(url) as u64).saturating_add(1).min(60))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEBIAN: Environment =
        Environment { limits_connecting: false, names_certificates: false, bundle: Some(BUNDLES[0]) };
    const LIMITED: &str = "connect_timeout=3&keepalives=1&keepalives_idle=10&keepalives_interval=5&keepalives_count=2\
         &tcp_user_timeout=20000";

    #[test]
    fn a_connection_is_limited_unless_its_url_says_otherwise() {
        let limited = |url: &str| with_limits(url, DEBIAN).unwrap();

        assert_eq!(limited("postgres://h/d"), format!("postgres://h/d?{LIMITED}"));
        assert_eq!(limited("postgres://h/d?"), format!("postgres://h/d?{LIMITED}"));
        // The name of a parameter inside a value or a password does not count.
        assert_eq!(
            limited("postgres://u:connect_timeout?@h/d?application_name=connect_timeout"),
            format!("postgres://u:connect_timeout?@h/d?application_name=connect_timeout&{LIMITED}")
        );
        assert_eq!(
            limited("postgres://h/d?connect%5Ftimeout=9&keepalives=0&tcp_user_timeout=1"),
            "postgres://h/d?connect%5Ftimeout=9&keepalives=0&tcp_user_timeout=1&keepalives_idle=10\
             &keepalives_interval=5&keepalives_count=2"
        );
        let by_environment = Environment { limits_connecting: true, ..DEBIAN };
        assert!(!with_limits("postgres://h/d", by_environment).unwrap().contains("connect_timeout"));
    }

    #[test]
    fn the_systems_certificates_are_found_or_asked_for() {
        let url = "postgres://h/d?sslrootcert=system";
        let found = "postgres://h/d?sslrootcert=/etc/ssl/certs/ca-certificates.crt&sslmode=verify-full";
        assert_eq!(with_limits(url, DEBIAN).unwrap(), format!("{found}&{LIMITED}"));

        let none = with_limits(url, Environment::default()).unwrap_err();
        assert!(none.to_string().contains("set sslrootcert to the path"), "{none}");

        // OpenSSL reads the path from the environment. libpq refuses a weak mode together with `system`.
        let named = Environment { names_certificates: true, ..DEBIAN };
        assert_eq!(with_limits(url, named).unwrap(), format!("{url}&{LIMITED}"));
        let weak = "postgres://h/d?sslmode=require&sslrootcert=system";
        assert_eq!(with_limits(weak, DEBIAN).unwrap(), format!("{weak}&{LIMITED}"));
    }

    #[test]
    fn a_caller_waits_until_each_host_had_its_time() {
        let seconds = |url: &str| patience(url).as_secs();

        assert_eq!(seconds("postgres://h/d"), 4);
        assert_eq!(seconds("postgres://u:a,b,c@h1:1,h2:2/d"), 7);
        assert_eq!(seconds("postgres:///d?host=h1,h2,h3"), 10);
        assert_eq!(seconds("postgres://h1,h2/d?connect_timeout=10"), 21);
        assert_eq!(seconds("postgres://h/d?connect_timeout=0"), 4);
    }

    #[test]
    fn hosts_are_counted_and_may_be_asked_for_writes() {
        assert_eq!(hosts("postgres://u:p@h1,h2/d"), 2);
        assert!(!asks_for_writes("postgres://h1,h2/d?target_session_attrs=any"));
        assert!(asks_for_writes("postgres://h1,h2/d?target_session_attrs=read-write"));
        assert!(asks_for_writes(
            "postgres://h1,h2/d?target_session_attrs=any&target%5Fsession_attrs=primary"
        ));
    }
}
