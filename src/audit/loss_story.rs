//! The story of a held loss, from the entries of a chain: said, received, held, decided. The file is pure.

use std::collections::HashMap;

use serde_json::Value;

use super::{kinds, stored_entries::StoredEntry};

/// The actor of entries about approved losses that are applied.
pub const APPROVED_AND_APPLIED: &str = "held mass change, approved";

/// A held loss of one user. Times are microseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LossStory {
    pub hold_id: i64,
    /// The directory's event or the rule that asks for the loss.
    pub because: String,
    pub stated_at: Option<i64>,
    pub received_at: Option<i64>,
    pub held_at: i64,
    /// The state that the directory asks for.
    pub directory_wants: String,
    /// The decisions about it, the oldest first.
    pub decisions: Vec<LossDecision>,
}

/// A decision about one loss.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LossDecision {
    pub at: i64,
    /// The operator's name, or `rosterd` for a setting.
    pub by: String,
    pub is_approval: bool,
    /// The number in `hold_decisions`.
    pub number: i64,
}

/// Follows the entries of one tenant in the order of the chain.
#[derive(Debug, Default)]
pub struct LossStories<'a> {
    held: HashMap<&'a str, LossStory>,
}

impl<'a> LossStories<'a> {
    /// Reads the next entry. Returns the story that ends with this loss of access, if it was held.
    pub fn next(&mut self, entry: &'a StoredEntry) -> Option<LossStory> {
        let user = entry.subject.as_str();
        match entry.kind.as_str() {
            kinds::LOSS_HELD => drop(self.held.insert(user, begun(entry))),
            kinds::LOSS_OVERTAKEN => drop(self.held.remove(user)),
            kinds::LOSS_APPROVED | kinds::LOSS_REJECTED => {
                if let Some(story) = self.held.get_mut(user) {
                    story.decisions.push(decision(entry));
                }
            }
            kinds::ACCESS_LOST if entry.actor.strip_prefix("rule ") == Some(APPROVED_AND_APPLIED) => {
                return self.held.remove(user);
            }
            _ => {}
        }
        None
    }

    /// The user's loss that was held last and that newer facts have not ended.
    pub fn of(&self, user: &str) -> Option<&LossStory> {
        self.held.get(user)
    }
}

fn begun(entry: &StoredEntry) -> LossStory {
    let change = change(entry);
    LossStory {
        hold_id: change.get("hold").and_then(Value::as_i64).unwrap_or_default(),
        because: entry.actor.clone(),
        stated_at: entry.stated_at,
        received_at: entry.received_at,
        held_at: entry.applied_at,
        directory_wants: change.get("directory_wants").and_then(Value::as_str).unwrap_or_default().to_owned(),
        decisions: Vec::new(),
    }
}

fn decision(entry: &StoredEntry) -> LossDecision {
    let change = change(entry);
    LossDecision {
        at: entry.applied_at,
        by: change.get("by").and_then(Value::as_str).unwrap_or(&entry.actor).to_owned(),
        is_approval: entry.kind == kinds::LOSS_APPROVED,
        number: change.get("decision").and_then(Value::as_i64).unwrap_or_default(),
    }
}

fn change(entry: &StoredEntry) -> Value {
    serde_json::from_str(&entry.change).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(kind: &str, at: i64, change: &str, actor: &str) -> StoredEntry {
        StoredEntry {
            tenant_id: "t".into(),
            seq: at,
            kind: kind.into(),
            subject: "u".into(),
            change: change.into(),
            personal: None,
            salt: None,
            commitment: None,
            actor: actor.into(),
            inbox_id: None,
            received_at: None,
            stated_at: None,
            applied_at: at,
            hash: Vec::new(),
        }
    }

    #[test]
    fn a_held_loss_has_its_decisions_until_it_is_applied() {
        let entries = [
            entry(kinds::LOSS_HELD, 1, r#"{"hold":7,"directory_wants":"no access: deleted"}"#, "event e"),
            entry(kinds::LOSS_REJECTED, 2, r#"{"hold":7,"decision":1,"by":"ada"}"#, "operator ada"),
            entry(kinds::LOSS_APPROVED, 3, r#"{"hold":7,"decision":2,"by":"bob"}"#, "operator bob"),
            entry(kinds::ACCESS_LOST, 4, "{}", "rule held mass change, approved"),
        ];
        let mut stories = LossStories::default();
        let mut ended: Vec<LossStory> = entries.iter().filter_map(|entry| stories.next(entry)).collect();

        let story = ended.pop().unwrap();
        assert_eq!((story.hold_id, story.held_at, story.because.as_str()), (7, 1, "event e"));
        let by: Vec<_> = story.decisions.iter().map(|one| (one.by.as_str(), one.is_approval)).collect();
        assert_eq!(by, [("ada", false), ("bob", true)]);
        assert_eq!((ended.len(), stories.of("u")), (0, None));
    }

    #[test]
    fn a_loss_by_another_cause_is_not_the_held_one() {
        let entries = [
            entry(kinds::LOSS_HELD, 1, r#"{"hold":7}"#, "event e"),
            entry(kinds::LOSS_OVERTAKEN, 2, r#"{"hold":7}"#, "event f"),
            entry(kinds::ACCESS_LOST, 2, "{}", "event f"),
        ];
        let mut stories = LossStories::default();
        assert!(entries.iter().all(|entry| stories.next(entry).is_none()));
        assert_eq!(stories.of("u"), None);
    }
}
