//! What the mail server said of a mail's recipients, kept while some of them are still open: the next attempt goes to
//! those only.
//!
//! An address is personal data, and nothing has to read it back: a digest stands for it. A crash between the server's
//! answer and the commit loses the answer; that recipient gets the mail again, under the same Message-ID.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Word {
    Taken,
    /// For good.
    Refused,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settled(BTreeMap<String, Word>);

impl Settled {
    /// A text that cannot be read settles nobody: they are asked again.
    pub(super) fn read(text: Option<&str>) -> Self {
        Self(text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default())
    }

    pub(super) fn write(&self) -> Option<String> {
        if self.0.is_empty() { None } else { serde_json::to_string(&self.0).ok() }
    }

    pub fn of(&self, message_id: &str, address: &str) -> Option<Word> {
        self.0.get(&key(message_id, address)).copied()
    }

    pub fn set(&mut self, message_id: &str, address: &str, word: Word) {
        self.0.insert(key(message_id, address), word);
    }

    pub fn anybody_took_it(&self) -> bool {
        self.0.values().any(|word| *word == Word::Taken)
    }

    /// What was taken stays taken.
    pub(super) fn with(mut self, other: &Self) -> Self {
        let taken = |word: &Word| *word == Word::Taken;
        self.0.retain(|key, word| taken(word) || other.0.contains_key(key));
        for (key, word) in &other.0 {
            let kept = self.0.entry(key.clone()).or_insert(*word);
            if taken(word) {
                *kept = *word;
            }
        }
        self
    }
}

fn key(message_id: &str, address: &str) -> String {
    let digest = Sha256::digest(format!("{message_id}\n{}", address.to_lowercase()));
    hex::encode(digest.get(..16).unwrap_or(&digest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_said_is_read_back_and_names_nobody() {
        let mut said = Settled::default();
        said.set("<1@x>", "Ada@acme.example", Word::Taken);
        said.set("<1@x>", "bob@acme.example", Word::Refused);

        let text = said.write().unwrap();
        let again = Settled::read(Some(&text));

        assert!(!text.contains("acme"), "{text}");
        assert_eq!(again.of("<1@x>", "ada@acme.example"), Some(Word::Taken));
        assert_eq!(again.of("<1@x>", "bob@acme.example"), Some(Word::Refused));
        assert_eq!(again.of("<2@x>", "bob@acme.example"), None);
        assert_eq!(Settled::read(Some("{")), Settled::default());
    }

    #[test]
    fn what_was_taken_stays_taken() {
        let said = |word| {
            let mut said = Settled::default();
            said.set("<1@x>", "ada@acme.example", word);
            said
        };

        assert_eq!(said(Word::Taken).with(&said(Word::Refused)), said(Word::Taken));
        assert_eq!(said(Word::Refused).with(&said(Word::Taken)), said(Word::Taken));
        assert_eq!(said(Word::Taken).with(&Settled::default()), said(Word::Taken));
        assert_eq!(said(Word::Refused).with(&Settled::default()), Settled::default());
    }
}
