//! One user looked at closely: what each rule makes of them. For plans and explanations.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    access::{Access, access},
    around::Around,
    bearers::bearer_of,
    protect::Loss,
    roles::{self, Derived},
    said::{attributes, facts, said},
    state::State,
    users::ShownUser,
    winner::winners,
};
use crate::{clock::Timestamp, fact::Kind, mapping::condition::Evidence};

pub struct Examined {
    pub tenant_id: String,
    pub user_id: String,
    pub person_id: String,
    pub directory_id: String,
    /// By the directory alone.
    pub access: Access,
    pub derived: Derived,
    /// Protected roles that they keep, and access with them.
    pub kept: BTreeMap<String, Loss>,
    /// The directory or its organization is gone, and its people with it.
    pub dismissed: bool,
    /// Whoever is shown is another person, who bore the id before.
    pub succeeds: bool,
    /// For each rule of the tenant's policy, in order: the facts that fulfil it.
    pub rules: Vec<Option<Vec<Evidence>>>,
    /// The newest word on the user: event, time, delivery.
    pub event: String,
    pub since: Timestamp,
    pub inbox_id: i64,
}

impl Examined {
    /// The roles that hold by what is derived alone.
    pub fn holds(&self) -> BTreeSet<String> {
        match self.access.is_active() && !self.derived.shut_out {
            true => self.derived.held.keys().cloned().collect(),
            false => BTreeSet::new(),
        }
    }

    /// Since when they have no access by what is derived; for whoever has, since the newest word.
    pub fn changed_at(&self) -> Timestamp {
        self.access.since().unwrap_or(self.since)
    }
}

/// In each tenant that has a user of this id.
pub fn examine(state: &State, id: &str, shown: &[ShownUser], around: &Around<'_>) -> Vec<Examined> {
    let examined = winners(state, Kind::User, id, around.homes).into_iter().filter_map(|winner| {
        let said = said(state, &winner, shown)?;
        let tenant_id = winner.tenant_id();
        let person_id = said.person(id, &winner);
        let policy = around.mapping.of(tenant_id);
        let attributes = attributes(&said, around);
        let facts = facts(id, tenant_id, &said, attributes.as_ref(), around);
        Some(Examined {
            derived: roles::derive(policy, facts, around.manual(tenant_id, &person_id)),
            rules: policy.rules.iter().map(|rule| rule.when.matches(facts)).collect(),
            access: access(winner.word, &winner.home.place),
            kept: around.kept(tenant_id, id).cloned().unwrap_or_default(),
            succeeds: said.row.is_some_and(|row| row.is_former(&bearer_of(state, id, tenant_id))),
            dismissed: winner.home.place.dismissed_since.is_some(),
            tenant_id: tenant_id.to_owned(),
            user_id: id.to_owned(),
            directory_id: winner.directory_id.to_owned(),
            event: winner.word.version.event.clone(),
            since: winner.word.version.at,
            inbox_id: winner.word.inbox_id,
            person_id,
        })
    });
    examined.collect()
}
