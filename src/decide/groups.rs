//! Groups: a row while the group exists, none otherwise.

use super::{
    state::{Content, State},
    winner::{Homes, Winner, winners},
};
use crate::{fact, fact::Kind};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShownGroup {
    pub tenant_id: String,
    pub id: String,
    pub directory_id: String,
    pub name: String,
    pub digest: i64,
}

#[derive(Clone, Debug, PartialEq)]
pub enum GroupChange {
    Put { tenant_id: String, group_id: String, directory_id: String, digest: i64, content: fact::Group },
    Remove { tenant_id: String, group_id: String },
}

impl ShownGroup {
    fn shows(&self, winner: &Winner<'_>) -> bool {
        (self.tenant_id.as_str(), self.directory_id.as_str(), self.digest)
            == (winner.tenant_id(), winner.directory_id, winner.word.digest)
    }
}

fn existing<'a>(state: &'a State, id: &str, homes: &'a Homes) -> Vec<Winner<'a>> {
    let mut winners = winners(state, Kind::Group, id, homes);
    winners.retain(|winner| winner.word.live && winner.home.place.gone_since.is_none());
    winners
}

/// Deliveries whose content `derive` will need and which are not at hand.
pub fn wanted(state: &State, id: &str, shown: &[ShownGroup], homes: &Homes) -> Vec<i64> {
    existing(state, id, homes)
        .into_iter()
        .filter(|winner| !shown.iter().any(|row| row.shows(winner)))
        .filter(|winner| state.content(Kind::Group, winner.word).is_none())
        .map(|winner| winner.word.inbox_id)
        .collect()
}

/// `shown` are the rows of this id, in any tenant.
pub fn derive(state: &State, id: &str, shown: &[ShownGroup], homes: &Homes) -> Vec<GroupChange> {
    let existing = existing(state, id, homes);
    let gone = shown
        .iter()
        .filter(|row| !existing.iter().any(|winner| winner.tenant_id() == row.tenant_id))
        .map(|row| GroupChange::Remove { tenant_id: row.tenant_id.clone(), group_id: row.id.clone() });
    let put =
        existing.iter().filter(|winner| !shown.iter().any(|row| row.shows(winner))).filter_map(|winner| {
            let Some(Content::Group(content)) = state.content(Kind::Group, winner.word) else { return None };
            Some(GroupChange::Put {
                tenant_id: winner.tenant_id().to_owned(),
                group_id: id.to_owned(),
                directory_id: winner.directory_id.to_owned(),
                digest: winner.word.digest,
                content: content.clone(),
            })
        });
    gone.chain(put).collect()
}
