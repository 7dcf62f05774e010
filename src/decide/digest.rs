//! A short digest of what a word would make visible, to tell a repetition from news.

use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::fact::{Version, Word};

/// 64 bits of SHA-256 over the content, and over the time of a removal, which shows as `deprovisioned_at`.
pub fn digest<T: Serialize>(word: &Word<T>) -> i64 {
    let mut hash = Sha256::new();
    // Contents are plain structs of texts and numbers: writing them cannot fail.
    if let Ok(json) = serde_json::to_vec(&word.content) {
        hash.update(&json);
    }
    if !word.live {
        let Version { at, .. } = word.version;
        hash.update(at.micros().to_be_bytes());
    }
    let digest: [u8; 32] = hash.finalize().into();
    digest.first_chunk().copied().map_or(0, i64::from_be_bytes)
}
