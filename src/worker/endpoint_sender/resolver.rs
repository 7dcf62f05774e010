//! Resolves names of endpoints to public addresses only. The connection goes to an address of this answer, so a name cannot
//! change between the check and the connection.

use std::net::SocketAddr;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::endpoints::address::is_public;

/// A resolver that hides private addresses.
pub(super) struct PublicOnly;

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let public = only_public(found)?;
            let addresses: Addrs = Box::new(public.into_iter());
            Ok(addresses)
        })
    }
}

fn only_public(found: Vec<SocketAddr>) -> Result<Vec<SocketAddr>, std::io::Error> {
    let public: Vec<SocketAddr> = found.into_iter().filter(|address| is_public(address.ip())).collect();
    match public.is_empty() {
        true => Err(std::io::Error::other(
            "the host has no public address; endpoints in your own network need --allow-private",
        )),
        false => Ok(public),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_addresses_are_left_out_and_a_host_without_others_is_refused() {
        let of =
            |texts: &[&str]| texts.iter().filter_map(|text| text.parse().ok()).collect::<Vec<SocketAddr>>();
        let mixed = only_public(of(&["10.0.0.1:0", "93.184.215.14:0", "[::1]:0"]));
        assert_eq!(mixed.ok(), Some(of(&["93.184.215.14:0"])));
        assert!(
            only_public(of(&["127.0.0.1:0", "[fd00::1]:0"]))
                .is_err_and(|error| error.to_string().contains("--allow-private"))
        );
        assert!(only_public(vec![]).is_err());
    }
}
