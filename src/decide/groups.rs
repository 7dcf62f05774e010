//! Groups: a row while the group exists, and none afterwards.

use super::{
    newest_fact::{Homes, NewestFact, newest_facts},
    state::{Content, StateSlice},
};
use crate::decide::fact::{self, EntityKind};

/// A row of `groups`, before the change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupRow {
    /// The tenant.
    pub tenant_id: String,
    /// The broker's id.
    pub id: String,
    /// The directory.
    pub directory_id: String,
    /// The display name.
    pub name: String,
    /// The digest of the fact that the row was derived from.
    pub digest: i64,
}

/// The change of a row.
#[derive(Clone, Debug, PartialEq)]
pub enum GroupChange {
    /// Insert or overwrite the row.
    Put {
        /// The tenant.
        tenant_id: String,
        /// The broker's id.
        group_id: String,
        /// The directory.
        directory_id: String,
        /// The digest of the fact.
        digest: i64,
        /// The new content.
        content: fact::Group,
    },
    /// Delete the row.
    Remove {
        /// The tenant.
        tenant_id: String,
        /// The broker's id.
        group_id: String,
    },
}

impl GroupRow {
    fn shows(&self, newest: &NewestFact<'_>) -> bool {
        (self.tenant_id.as_str(), self.directory_id.as_str(), self.digest)
            == (newest.tenant_id(), newest.directory_id, newest.fact.digest)
    }
}

fn existing<'a>(state: &'a StateSlice, id: &str, homes: &'a Homes) -> Vec<NewestFact<'a>> {
    let mut newest_facts = newest_facts(state, EntityKind::Group, id, homes);
    newest_facts.retain(|newest| newest.fact.live && newest.home.place.gone_since.is_none());
    newest_facts
}

/// Deliveries with content that [`derive()`] needs and that is not loaded.
pub fn wanted(state: &StateSlice, id: &str, current: &[GroupRow], homes: &Homes) -> Vec<i64> {
    existing(state, id, homes)
        .into_iter()
        .filter(|newest| !current.iter().any(|row| row.shows(newest)))
        .filter(|newest| state.content(EntityKind::Group, newest.fact).is_none())
        .map(|newest| newest.fact.inbox_id)
        .collect()
}

/// Derives the changes of a group id. `current` are the rows of this id, in any tenant.
pub fn derive(state: &StateSlice, id: &str, current: &[GroupRow], homes: &Homes) -> Vec<GroupChange> {
    let existing = existing(state, id, homes);
    let gone = current
        .iter()
        .filter(|row| !existing.iter().any(|newest| newest.tenant_id() == row.tenant_id))
        .map(|row| GroupChange::Remove { tenant_id: row.tenant_id.clone(), group_id: row.id.clone() });
    let put =
        existing.iter().filter(|newest| !current.iter().any(|row| row.shows(newest))).filter_map(|newest| {
            let Some(Content::Group(content)) = state.content(EntityKind::Group, newest.fact) else {
                return None;
            };
            Some(GroupChange::Put {
                tenant_id: newest.tenant_id().to_owned(),
                group_id: id.to_owned(),
                directory_id: newest.directory_id.to_owned(),
                digest: newest.fact.digest,
                content: content.clone(),
            })
        });
    gone.chain(put).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::testing::{connected, latest};

    #[test]
    fn a_row_that_shows_the_latest_fact_needs_no_content() {
        let (mut state, homes) = connected();
        state.insert_fact(EntityKind::Group, "g".to_owned(), latest(1, 3, true));
        let row = |digest| GroupRow {
            tenant_id: "org_1".to_owned(),
            id: "g".to_owned(),
            directory_id: "d".to_owned(),
            name: "G".to_owned(),
            digest,
        };
        assert_eq!(wanted(&state, "g", &[row(0)], &homes), Vec::<i64>::new());
        assert_eq!(wanted(&state, "g", &[row(7)], &homes), [3], "another fact");
        assert_eq!(wanted(&state, "g", &[], &homes), [3], "no row");
    }
}
