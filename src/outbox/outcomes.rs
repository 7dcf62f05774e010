//! The mail server's answers for the recipients of a mail. They are stored until each recipient has a final answer, so that
//! the next attempt sends only to the others.
//!
//! Only a digest of an address is stored, because an address is personal data. After a crash between the server's answer
//! and the commit, the recipient gets the mail again, with the same Message-ID.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The final answer for one recipient.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecipientOutcome {
    /// The server accepted the mail.
    Taken,
    /// The server refused the recipient for ever.
    Refused,
}

/// The answers for one mail, by Message-ID and address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecipientOutcomes(BTreeMap<String, RecipientOutcome>);

impl RecipientOutcomes {
    /// Reads the stored form. An unreadable text gives no answers, so all recipients are tried again.
    pub(super) fn read(text: Option<&str>) -> Self {
        Self(text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default())
    }

    pub(super) fn write(&self) -> Option<String> {
        if self.0.is_empty() { None } else { serde_json::to_string(&self.0).ok() }
    }

    /// The answer for this address, if there is one.
    pub fn of(&self, message_id: &str, address: &str) -> Option<RecipientOutcome> {
        self.0.get(&key(message_id, address)).copied()
    }

    /// Records the answer for this address.
    pub fn set(&mut self, message_id: &str, address: &str, fact: RecipientOutcome) {
        self.0.insert(key(message_id, address), fact);
    }

    /// Whether the server accepted the mail for at least one recipient.
    pub fn anybody_took_it(&self) -> bool {
        self.0.values().any(|fact| *fact == RecipientOutcome::Taken)
    }

    /// Combines with the answers of another process. `Taken` is never replaced.
    pub(super) fn with(mut self, other: &Self) -> Self {
        let taken = |fact: &RecipientOutcome| *fact == RecipientOutcome::Taken;
        self.0.retain(|key, fact| taken(fact) || other.0.contains_key(key));
        for (key, fact) in &other.0 {
            let known = self.0.entry(key.clone()).or_insert(*fact);
            if taken(fact) {
                *known = *fact;
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
    fn outcomes_are_read_back_and_contain_no_address() {
        let mut outcomes = RecipientOutcomes::default();
        outcomes.set("<1@x>", "Ada@acme.example", RecipientOutcome::Taken);
        outcomes.set("<1@x>", "bob@acme.example", RecipientOutcome::Refused);

        let text = outcomes.write().unwrap();
        let again = RecipientOutcomes::read(Some(&text));

        assert!(!text.contains("acme"), "{text}");
        assert_eq!(again.of("<1@x>", "ada@acme.example"), Some(RecipientOutcome::Taken));
        assert_eq!(again.of("<1@x>", "bob@acme.example"), Some(RecipientOutcome::Refused));
        assert_eq!(again.of("<2@x>", "bob@acme.example"), None);
        assert_eq!(RecipientOutcomes::read(Some("{")), RecipientOutcomes::default());
    }

    #[test]
    fn a_recipient_that_took_the_mail_remains_settled() {
        let outcomes = |fact| {
            let mut outcomes = RecipientOutcomes::default();
            outcomes.set("<1@x>", "ada@acme.example", fact);
            outcomes
        };

        assert_eq!(
            outcomes(RecipientOutcome::Taken).with(&outcomes(RecipientOutcome::Refused)),
            outcomes(RecipientOutcome::Taken)
        );
        assert_eq!(
            outcomes(RecipientOutcome::Refused).with(&outcomes(RecipientOutcome::Taken)),
            outcomes(RecipientOutcome::Taken)
        );
        assert_eq!(
            outcomes(RecipientOutcome::Taken).with(&RecipientOutcomes::default()),
            outcomes(RecipientOutcome::Taken)
        );
        assert_eq!(
            outcomes(RecipientOutcome::Refused).with(&RecipientOutcomes::default()),
            RecipientOutcomes::default()
        );
    }
}
