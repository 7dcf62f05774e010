//! Cursors (RFC 9865): the key of the last resource of a page, with a proof that this service made it for this client and
//! this query. Nothing is stored, and a cursor gives no access.

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use super::ScimError;

/// How long a cursor is valid, in seconds.
pub const TIMEOUT_SECONDS: i64 = 3_600;
/// The bytes of a proof.
const PROOF: usize = 16;

/// The position in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// When it was made, in seconds.
    pub made_at: i64,
    /// The number of resources in each page.
    pub count: usize,
    /// The key of the last resource of the page before.
    pub after: String,
}

/// The parts of a request that must be equal for all pages.
#[derive(Clone, Copy, Debug)]
pub struct CursorQuery<'a> {
    /// A secret of the client's token.
    pub key: &'a [u8],
    /// The endpoint with the filter and the order.
    pub query: &'a str,
}

impl Cursor {
    /// The text. It has hexadecimal digits only.
    pub fn to_text(&self, of: CursorQuery<'_>) -> String {
        let content = format!("{}.{}.{}", self.made_at, self.count, self.after);
        hex::encode([proof(of, content.as_bytes()).as_slice(), content.as_bytes()].concat())
    }

    /// Reads a cursor of the same client for the same query.
    pub fn read(text: &str, of: CursorQuery<'_>, count: usize, now: i64) -> Result<Self, ScimError> {
        let invalid =
            || ScimError::bad("invalidCursor", "the cursor is not one of this list; begin again without it");
        let bytes = hex::decode(text).ok();
        let (given, content) =
            bytes.as_deref().and_then(|bytes| bytes.split_at_checked(PROOF)).ok_or_else(invalid)?;
        if !is_equal(given, &proof(of, content)) {
            return Err(invalid());
        }
        let content = std::str::from_utf8(content).ok().ok_or_else(invalid)?;
        let mut parts = content.splitn(3, '.');
        let mut next = || parts.next().ok_or_else(invalid);
        let (made_at, first_count, after) = (next()?.parse().ok(), next()?.parse().ok(), next()?.to_owned());
        let cursor =
            Self { made_at: made_at.ok_or_else(invalid)?, count: first_count.ok_or_else(invalid)?, after };
        if now.saturating_sub(cursor.made_at) > TIMEOUT_SECONDS {
            return Err(ScimError::bad("expiredCursor", "the cursor is too old; begin again without it"));
        }
        if cursor.count != count {
            return Err(ScimError::bad(
                "invalidCount",
                format!("the first page had count={}; use the same number for all pages", cursor.count),
            ));
        }
        Ok(cursor)
    }
}

fn proof(of: CursorQuery<'_>, content: &[u8]) -> Vec<u8> {
    // HMAC takes keys of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(of.key) else { return Vec::new() };
    mac.update(&Sha256::digest(of.query.as_bytes()));
    mac.update(content);
    mac.finalize().into_bytes().iter().take(PROOF).copied().collect()
}

/// Compares in constant time.
fn is_equal(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |different, (a, b)| different | (a ^ b)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    const OF: CursorQuery<'_> = CursorQuery { key: b"key", query: "Users?title pr" };

    fn cursor() -> Cursor {
        Cursor { made_at: 100, count: 5, after: "a.b.ü".to_owned() }
    }

    fn keyword(text: &str, of: CursorQuery<'_>, count: usize, now: i64) -> Option<&'static str> {
        Cursor::read(text, of, count, now).unwrap_err().scim_type
    }

    #[test]
    fn a_cursor_is_read_by_the_same_client_for_the_same_query() {
        let text = cursor().to_text(OF);
        assert_eq!(Cursor::read(&text, OF, 5, 200).unwrap(), cursor());
        assert_eq!(keyword(&text, OF, 6, 200), Some("invalidCount"));
        assert_eq!(keyword(&text, OF, 5, 101 + TIMEOUT_SECONDS), Some("expiredCursor"));
        assert_eq!(keyword(&text, CursorQuery { key: b"other", ..OF }, 5, 200), Some("invalidCursor"));
        assert_eq!(keyword(&text, CursorQuery { query: "Users?", ..OF }, 5, 200), Some("invalidCursor"));
    }

    #[test]
    fn a_cursor_with_one_other_digit_is_refused() {
        let text = cursor().to_text(OF);
        for index in 0..text.len() {
            let mut other = text.clone();
            other.replace_range(index..=index, if text.as_bytes()[index] == b'0' { "1" } else { "0" });
            assert_eq!(keyword(&other, OF, 5, 200), Some("invalidCursor"));
        }
        assert_eq!(keyword("xyz", OF, 5, 200), Some("invalidCursor"));
    }
}
