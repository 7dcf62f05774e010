//! The hashes of the chain. The file is pure. The length precedes each field, so no two entries have the same hash input.

use sha2::{Digest, Sha256};

pub type Hash = [u8; 32];

/// The chained part of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link<'a> {
    pub tenant_id: &'a str,
    pub seq: i64,
    pub kind: &'a str,
    pub subject: &'a str,
    pub change: &'a str,
    pub commitment: Option<&'a [u8]>,
    pub actor: &'a str,
    pub inbox_id: Option<i64>,
    pub received_at: Option<i64>,
    pub stated_at: Option<i64>,
    pub applied_at: i64,
}

/// The hash in the chain in place of personal data. It is salted; otherwise names could be guessed and compared with
/// it after an erasure.
pub fn commitment(salt: &[u8], personal: &str) -> Hash {
    let mut hash = Sha256::new();
    hash.update(b"rosterd audit personal 1");
    field(&mut hash, Some(salt));
    field(&mut hash, Some(personal.as_bytes()));
    hash.finalize().into()
}

pub fn hash(before: &[u8], link: &Link<'_>) -> Hash {
    let mut hash = Sha256::new();
    hash.update(b"rosterd audit entry 1");
    field(&mut hash, Some(before));
    for text in [link.tenant_id, link.kind, link.subject, link.change, link.actor] {
        field(&mut hash, Some(text.as_bytes()));
    }
    field(&mut hash, link.commitment);
    for number in [Some(link.seq), link.inbox_id, link.received_at, link.stated_at, Some(link.applied_at)] {
        field(&mut hash, number.map(i64::to_be_bytes).as_ref().map(<[u8; 8]>::as_slice));
    }
    hash.finalize().into()
}

fn field(hash: &mut Sha256, bytes: Option<&[u8]>) {
    match bytes {
        Some(bytes) => {
            hash.update((bytes.len() as u64).to_be_bytes());
            hash.update(bytes);
        }
        // No field has this length.
        None => hash.update([0xff; 8]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINK: Link<'_> = Link {
        tenant_id: "org_1",
        seq: 7,
        kind: "access.lost",
        subject: "u1",
        change: "{}",
        commitment: None,
        actor: "event e1",
        inbox_id: Some(3),
        received_at: None,
        stated_at: Some(0),
        applied_at: 9,
    };

    #[test]
    fn every_field_counts() {
        let others = [
            Link { tenant_id: "org_2", ..LINK },
            Link { seq: 8, ..LINK },
            Link { kind: "access.los", subject: "tu1", ..LINK },
            Link { change: "{ }", ..LINK },
            Link { commitment: Some(b""), ..LINK },
            Link { actor: "event e2", ..LINK },
            Link { inbox_id: None, ..LINK },
            Link { received_at: Some(0), ..LINK },
            Link { stated_at: None, received_at: Some(0), ..LINK },
            Link { applied_at: 10, ..LINK },
        ];

        for other in others {
            assert_ne!(hash(b"before", &other), hash(b"before", &LINK), "{other:?}");
        }
        assert_ne!(hash(b"another", &LINK), hash(b"before", &LINK));
    }

    /// Stored chains must remain valid.
    #[test]
    fn the_encoding_stays_what_it_is() {
        insta::assert_snapshot!(hex::encode(hash(b"before", &LINK)), @"247b3e230aff58ede3896d8d5d75c9f2265c215055271b4334c83605d7005b63");
        insta::assert_snapshot!(hex::encode(commitment(b"salt", "{}")), @"b0551042fd61cfe03daa6e9b74a84f83e26c09f4d22c6efd5735ac81e040b1b0");
    }
}
