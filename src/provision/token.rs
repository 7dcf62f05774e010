//! Secrets of clients, their digests, and new ids.

use sha2::{Digest, Sha256};

use crate::runtime::clock::Timestamp;

/// The begin of each secret, by which scanners of leaked secrets recognise it.
const PREFIX: &str = "rosterd_scim_";

/// A new secret with 256 random bits.
pub fn new_secret() -> String {
    format!("{PREFIX}{}", hex::encode(rand::random::<[u8; 32]>()))
}

/// The stored form of a secret. A secret has too many random bits to be guessed, so one plain hash is enough; and a search
/// by it takes the same time for every wrong secret.
pub fn digest(secret: &str) -> Vec<u8> {
    Sha256::digest(secret.as_bytes()).to_vec()
}

/// Whether a text may be a secret. Others need no search.
pub fn is_well_formed(text: &str) -> bool {
    text.strip_prefix(PREFIX)
        .is_some_and(|rest| rest.len() == 64 && rest.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// A new id: a UUID of version 7. Ids sort by their time, so new resources are at the end of a list.
pub fn new_id(now: Timestamp) -> String {
    let millis = u64::try_from(now.millis()).unwrap_or_default() & 0xffff_ffff_ffff;
    let random = rand::random::<[u16; 5]>();
    let [a, b, c, d, e] = random;
    format!(
        "{:08x}-{:04x}-7{:03x}-{:04x}-{c:04x}{d:04x}{e:04x}",
        millis >> 16,
        millis & 0xffff,
        a & 0xfff,
        (b & 0x3fff) | 0x8000
    )
}

/// A new id of a directory. Okta accepts no underscore in a base URL.
pub fn new_directory_id() -> String {
    format!("dir-{}", hex::encode(rand::random::<[u8; 12]>()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_by_time_and_secrets_are_recognised() {
        let (early, late) = (new_id(Timestamp::from_millis(1_000)), new_id(Timestamp::from_millis(1_001)));
        assert!(early < late && early.len() == 36, "{early} {late}");
        assert!(is_well_formed(&new_secret()));
        assert!(!is_well_formed("rosterd_scim_x") && !is_well_formed(""));
        assert!(!new_directory_id().contains('_'));
        assert_ne!(new_secret(), new_secret());
    }
}
