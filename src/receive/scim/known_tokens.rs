//! Tokens that were looked up, and the number of look-ups that found none. The time is passed in.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

/// How long a token counts without a look-up. A revoked token opens nothing after this time.
const VALID_WITHOUT_LOOK_UP: Duration = Duration::from_secs(1);

/// How long a token is known after its last look-up.
const KNOWN: Duration = Duration::from_secs(3_600);

/// The most look-ups of unknown tokens in one [`PERIOD`].
const MOST_UNKNOWN: u32 = 200;
const PERIOD: Duration = Duration::from_secs(1);

/// How a token is checked.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Check<T> {
    /// It was looked up a moment ago.
    Valid(T),
    /// It must be looked up.
    LookUp,
    /// Nobody has used it lately, and strangers try many tokens now.
    Refuse,
}

/// Tokens by the digest of their secret.
#[derive(Debug)]
pub(super) struct KnownTokens<T> {
    known: HashMap<Vec<u8>, (T, Instant)>,
    unknown: Option<(Instant, u32)>,
}

impl<T> Default for KnownTokens<T> {
    fn default() -> Self {
        Self { known: HashMap::new(), unknown: None }
    }
}

impl<T: Clone> KnownTokens<T> {
    /// An identity provider whose token is known is looked up also while strangers try many tokens: it never gets 429 for
    /// their requests.
    pub(super) fn check(&self, digest: &[u8], now: Instant) -> Check<T> {
        match self.known.get(digest) {
            Some((token, at)) if now.duration_since(*at) < VALID_WITHOUT_LOOK_UP => {
                Check::Valid(token.clone())
            }
            Some(_) => Check::LookUp,
            None if self.in_this_period(now) >= MOST_UNKNOWN => Check::Refuse,
            None => Check::LookUp,
        }
    }

    /// The result of a look-up.
    pub(super) fn note(&mut self, digest: &[u8], found: Option<&T>, now: Instant) {
        match found {
            Some(token) => {
                self.known.retain(|_, (_, at)| now.duration_since(*at) < KNOWN);
                self.known.insert(digest.to_vec(), (token.clone(), now));
            }
            None => {
                self.known.remove(digest);
                self.unknown = match self.unknown {
                    Some((begun, count)) if now.duration_since(begun) < PERIOD => Some((begun, count + 1)),
                    _ => Some((now, 1)),
                };
            }
        }
    }

    fn in_this_period(&self, now: Instant) -> u32 {
        match self.unknown {
            Some((begun, count)) if now.duration_since(begun) < PERIOD => count,
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_token_is_looked_up_while_unknown_ones_are_refused() {
        let start = Instant::now();
        let later = start + Duration::from_secs(60);
        let mut tokens = KnownTokens::default();
        assert_eq!(tokens.check(b"idp", start), Check::LookUp);
        tokens.note(b"idp", Some(&"t1"), start);
        assert_eq!(tokens.check(b"idp", start), Check::Valid("t1"));

        for stranger in 0..MOST_UNKNOWN {
            let digest = stranger.to_be_bytes();
            assert_eq!(tokens.check(&digest, later), Check::LookUp);
            tokens.note(&digest, None, later);
        }
        assert_eq!(tokens.check(b"stranger", later), Check::Refuse);
        assert_eq!(tokens.check(b"idp", later), Check::LookUp, "an identity provider that works");
        assert_eq!(tokens.check(b"stranger", later + PERIOD), Check::LookUp);
    }

    #[test]
    fn a_revoked_token_counts_for_a_second_and_an_idle_one_is_forgotten() {
        let start = Instant::now();
        let mut tokens = KnownTokens::default();
        tokens.note(b"idp", Some(&"t1"), start);
        assert_eq!(tokens.check(b"idp", start + VALID_WITHOUT_LOOK_UP), Check::LookUp);
        tokens.note(b"idp", None, start + VALID_WITHOUT_LOOK_UP);
        assert_eq!(tokens.known.len(), 0);

        tokens.note(b"idle", Some(&"t2"), start);
        tokens.note(b"idp", Some(&"t1"), start + KNOWN);
        assert_eq!(tokens.known.len(), 1);
    }
}
