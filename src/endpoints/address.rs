//! Addresses that an endpoint may have. Without `--allow-private`, a webhook goes only to public addresses and only by HTTPS: a
//! URL that somebody chose must not reach services of rosterd's own network.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

/// Reads the URL of an endpoint. The error says what to do.
pub fn read(text: &str, allow_private: bool) -> Result<Url, String> {
    let url = Url::parse(text.trim())
        .map_err(|error| format!("this is no URL ({error}); write https://app.example/webhooks/rosterd"))?;
    match url.scheme() {
        "https" => {}
        "http" if allow_private => {}
        "http" => {
            return Err("http:// would send records unencrypted; write https://, or add --allow-private for an address in your own network".to_owned());
        }
        other => {
            return Err(format!("{other}:// is not possible; write https://app.example/webhooks/rosterd"));
        }
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("the URL contains a user or a password; leave them out: the signature proves who sends"
            .to_owned());
    }
    if url.fragment().is_some() {
        return Err("the URL contains a fragment (#), which is never sent; leave it out".to_owned());
    }
    if !allow_private && let Some(reason) = private_host(&url) {
        return Err(format!("{reason}; add --allow-private if the endpoint is in your own network"));
    }
    Ok(url)
}

/// Why the host of a URL is not public, as far as the URL itself tells.
pub fn private_host(url: &Url) -> Option<String> {
    match url.host() {
        Some(Host::Ipv4(address)) => refused(address.into()),
        Some(Host::Ipv6(address)) => refused(address.into()),
        Some(Host::Domain(name)) => {
            let name = name.trim_end_matches('.').to_ascii_lowercase();
            (name == "localhost" || name.ends_with(".localhost")).then(|| format!("{name} is this machine"))
        }
        None => Some("the URL has no host".to_owned()),
    }
}

fn refused(address: IpAddr) -> Option<String> {
    (!is_public(address)).then(|| format!("{address} is no public address"))
}

/// Whether an address belongs to a host of the public internet.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

/// First address and number of leading bits of each range that is not public (RFC 6890 and its registry).
const NOT_PUBLIC_V4: [([u8; 4], u32); 15] = [
    ([0, 0, 0, 0], 8),
    ([10, 0, 0, 0], 8),
    ([100, 64, 0, 0], 10),
    ([127, 0, 0, 0], 8),
    ([169, 254, 0, 0], 16),
    ([172, 16, 0, 0], 12),
    ([192, 0, 0, 0], 24),
    ([192, 0, 2, 0], 24),
    ([192, 88, 99, 0], 24),
    ([192, 168, 0, 0], 16),
    ([198, 18, 0, 0], 15),
    ([198, 51, 100, 0], 24),
    ([203, 0, 113, 0], 24),
    ([224, 0, 0, 0], 4),
    ([240, 0, 0, 0], 4),
];

fn is_public_v4(address: Ipv4Addr) -> bool {
    let within = |(first, bits): &([u8; 4], u32)| {
        (u32::from(address) ^ u32::from_be_bytes(*first)).leading_zeros() >= *bits
    };
    !NOT_PUBLIC_V4.iter().any(within)
}

/// Only 2000::/3 is given to hosts. Addresses outside of it include loopback, link-local and unique local ones, multicast, and
/// those that contain an IPv4 address: ::ffff:0:0/96, 64:ff9b::/96.
fn is_public_v6(address: Ipv6Addr) -> bool {
    match address.segments() {
        // Teredo, benchmarks, ORCHID and others.
        [0x2001, second, ..] if second < 0x200 => false,
        // Documentation.
        [0x2001, 0x0db8, ..] => false,
        [0x3fff, second, ..] if second < 0x1000 => false,
        // 6to4 contains an IPv4 address.
        [0x2002, ..] => false,
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_public_hosts_are_accepted() {
        let public = |text: &str| text.parse().map(is_public);
        for text in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "203.0.113.9",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:93.184.215.14",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "fc00::1",
            "fd12:3456::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "2001:db8::1",
            "2001::1",
            "2001:10::1",
            "2002:7f00:1::",
            "2002:5db8:d70e::",
            "3fff:fff::1",
            "100::1",
        ] {
            assert_eq!(public(text), Ok(false), "{text}");
        }
        for text in [
            "93.184.215.14",
            "8.8.8.8",
            "100.63.255.255",
            "100.128.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "198.17.255.255",
            "223.255.255.255",
            "2606:4700::1111",
            "2a00:1450:4001::8a",
            "2001:4860:4860::8888",
            "3ffe::1",
        ] {
            assert_eq!(public(text), Ok(true), "{text}");
        }
    }

    #[test]
    fn a_url_is_https_without_a_user_unless_it_is_private() {
        for text in [
            "http://app.example/hook",
            "ftp://app.example/",
            "https://user@app.example/",
            "https://u:p@app.example/",
            "https://127.0.0.1/",
            "https://[::1]/",
            "https://0x7f000001/",
            "https://2130706433/",
            "https://127.1/",
            "https://localhost/",
            "https://a.localhost./",
            "https://[::ffff:10.0.0.1]/",
            "https://app.example/#x",
            "app.example",
            "",
        ] {
            assert!(read(text, false).is_err(), "{text}");
        }
        assert!(read("https://app.example:8443/hook?key=1", false).is_ok());
        assert!(read("http://127.0.0.1:8080/hook", true).is_ok());
        assert!(read("http://user@127.0.0.1:8080/hook", true).is_err());
        assert!(read("http://app.example/", false).is_err_and(|error| error.contains("--allow-private")));
    }
}
