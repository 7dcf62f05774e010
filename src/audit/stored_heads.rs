//! Heads of chains that were stored outside of the database, and the comparison of a chain with them. The file is pure.
//!
//! A person who can write to the database can write a whole new chain, with hashes that fit each other. Such a chain does
//! not contain the stored head.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A head as `audit heads --format json` prints it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredHead {
    pub tenant_id: String,
    pub seq: i64,
    /// Hexadecimal.
    pub hash: String,
    /// The time at which it was printed.
    #[serde(default)]
    pub at: Option<String>,
}

/// Why a file is no list of heads.
#[derive(Debug, thiserror::Error)]
pub enum StoredHeadsError {
    #[error("is not what `rosterd audit heads --format json` prints: {0}")]
    Json(#[from] serde_json::Error),
    #[error("is not what `rosterd audit heads --format json` prints: {0:?} is not the hash of a head")]
    Hash(String),
    #[error("has no head, so it proves nothing")]
    Empty,
}

/// The heads in the text of a file.
pub fn read(text: &str) -> Result<Vec<StoredHead>, StoredHeadsError> {
    let heads: Vec<StoredHead> = serde_json::from_str(text.trim_start_matches('\u{feff}'))?;
    let is_hash =
        |text: &str| hex::decode(text).is_ok_and(|bytes| bytes.len() == size_of::<super::chain::Hash>());
    if let Some(head) = heads.iter().find(|head| head.seq < 1 || !is_hash(&head.hash)) {
        return Err(StoredHeadsError::Hash(head.hash.clone()));
    }
    if heads.is_empty() { Err(StoredHeadsError::Empty) } else { Ok(heads) }
}

/// How a chain differs from a stored head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeadFault {
    /// The chain ends before the head.
    Shorter { last: i64 },
    /// The entry at this position is another one.
    Other,
}

impl fmt::Display for HeadFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shorter { last: 0 } => f.write_str("the stored head names it, but the chain is gone"),
            Self::Shorter { last } => {
                write!(f, "the stored head names it, but the chain ends at {last}: it is shorter than it was")
            }
            Self::Other => f.write_str("has another hash than the stored head: this is another chain"),
        }
    }
}

/// Compares a stored head with the chain. `hash` is that of the entry at the position of the head, `last` the last position.
pub fn compare(stored: &StoredHead, hash: Option<&[u8]>, last: i64) -> Option<HeadFault> {
    match hash {
        None => Some(HeadFault::Shorter { last }),
        Some(hash) if hex::decode(&stored.hash).is_ok_and(|stored| stored == hash) => None,
        Some(_) => Some(HeadFault::Other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_list_of_heads_is_read() {
        let hash = "ab".repeat(32);
        let text = format!(r#"[{{"tenant_id": "org_1", "seq": 7, "hash": "{hash}", "at": "2026-06-01"}}]"#);
        assert_eq!(read(&text).unwrap()[0].seq, 7);
        assert!(
            read(&format!("\u{feff}{text}\n")).is_ok(),
            "an editor may have put a byte order mark before it"
        );
        for (text, message) in [
            ("", "EOF"),
            ("tenant_id,seq,hash", "expected ident"),
            ("{}", "invalid type: map"),
            (r#"[{"tenant_id": "org_1"}]"#, "missing field `seq`"),
            (r#"[{"tenant_id": "org_1", "seq": 7, "hash": "zz"}]"#, "\"zz\" is not the hash of a head"),
            ("[]", "has no head"),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(message), "{text}: {error}");
        }
    }

    #[test]
    fn a_chain_contains_the_head_or_is_shorter_or_another() {
        let stored = StoredHead { tenant_id: "org_1".into(), seq: 7, hash: "0aFf".into(), at: None };
        assert_eq!(compare(&stored, Some(&[0x0a, 0xff]), 9), None);
        assert_eq!(compare(&stored, Some(&[0x0a, 0xfe]), 9), Some(HeadFault::Other));
        assert_eq!(compare(&stored, None, 3), Some(HeadFault::Shorter { last: 3 }));
    }
}
