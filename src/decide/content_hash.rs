//! A short digest of a fact's visible content. It separates a repetition from news.

use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::decide::fact::{Fact, Version};

/// The version of the digest's input. A change of a content's fields needs another number. Then every stored digest
/// differs once, and the next fact about each entity counts as news.
const FORM: [u8; 1] = [1];

/// 64 bits of SHA-256 over the content and, for a removal, over its time, which becomes `deprovisioned_at`.
pub fn digest<T: Serialize>(fact: &Fact<T>) -> i64 {
    let mut hash = Sha256::new();
    hash.update(FORM);
    // Contents are plain structs of texts and numbers, so serialization cannot fail.
    if let Ok(json) = serde_json::to_vec(&fact.content) {
        hash.update(&json);
    }
    if !fact.live {
        let Version { at, .. } = fact.version;
        hash.update(at.micros().to_be_bytes());
    }
    shortened(hash)
}

/// The digest of a row that shows two facts: the content's digest of one, and a mark of the other.
pub fn with_profile(content: i64, mark: i64) -> i64 {
    let mut hash = Sha256::new();
    hash.update(content.to_be_bytes());
    hash.update(mark.to_be_bytes());
    shortened(hash)
}

/// A mark that identifies a pair of events.
pub fn of_events(one: &str, other: &str) -> i64 {
    let mut hash = Sha256::new();
    hash.update(one.len().to_be_bytes());
    hash.update(one);
    hash.update(other);
    shortened(hash)
}

fn shortened(hash: Sha256) -> i64 {
    let digest: [u8; 32] = hash.finalize().into();
    digest.first_chunk().copied().map_or(0, i64::from_be_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        decide::{fact::Group, testing},
        runtime::clock::Timestamp,
    };

    /// Stored digests are compared with new ones, so a change of this value needs another `FORM`.
    #[test]
    fn the_form_is_pinned() {
        let at = Timestamp::from_millis(1_768_478_400_000);
        let content =
            Group { idp_id: Some("g".into()), name: "Staff".into(), created_at: at, updated_at: at };
        let version = Version { at, emitted: at, event: "event_1".into() };
        let fact = Fact { id: "group_1".into(), version, reveals: true, live: true, content };

        insta::assert_snapshot!(format!("{:016x}", digest(&fact)), @"97bde62e6188f736");
        insta::assert_snapshot!(format!("{:016x}", digest(&Fact { live: false, ..fact })), @"50b476ee79a06d30");
    }

    /// A new column of the profile changes the value, so it needs another `FORM`, too.
    #[test]
    fn the_form_of_a_user_is_pinned() {
        let mut fact = testing::active(1, "i");
        fact.content.roles.push("admin".into());

        insta::assert_snapshot!(format!("{:016x}", digest(&fact)), @"a6c0deb73f3af949");
    }
}
