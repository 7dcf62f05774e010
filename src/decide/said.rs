//! What is known of a user in one tenant, and what of it rules may look at.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{
    around::Around,
    bearers::bearer_of,
    person::person_id,
    state::{Content, State},
    users::ShownUser,
    winner::{Homes, Winner, winners},
};
use crate::{fact, fact::Kind, mapping::condition::Facts};

/// What the row keeps of the content stands in for it when the content itself says nothing new.
pub struct Said<'a> {
    pub row: Option<&'a ShownUser>,
    pub content: Option<&'a fact::User>,
}

/// `None` only when there is neither row nor content, so nothing can be said yet.
pub fn said<'a>(state: &'a State, winner: &Winner<'_>, shown: &'a [ShownUser]) -> Option<Said<'a>> {
    let row = shown.iter().find(|row| row.tenant_id == winner.tenant_id());
    let content = match state.content(Kind::User, winner.word) {
        Some(Content::User(content)) => Some(content),
        _ => None,
    };
    (row.is_some() || content.is_some()).then_some(Said { row, content })
}

impl Said<'_> {
    fn idp_id(&self) -> Option<&str> {
        match self.content {
            Some(content) => content.idp_id.as_deref(),
            None => self.row?.idp_id.as_deref(),
        }
    }

    pub fn role_slugs(&self) -> &[String] {
        match (self.content, self.row) {
            (Some(content), _) => &content.roles,
            (None, Some(row)) => &row.role_slugs,
            (None, None) => &[],
        }
    }

    pub fn custom_attributes(&self) -> &str {
        match (self.content, self.row) {
            (Some(content), _) => &content.custom_attributes,
            (None, Some(row)) => &row.custom_attributes,
            (None, None) => "",
        }
    }

    pub fn person(&self, id: &str, winner: &Winner<'_>) -> String {
        person_id(winner.tenant_id(), winner.home.provider.as_deref(), self.idp_id(), id)
    }
}

/// Who a user is.
pub struct Person {
    pub tenant_id: String,
    pub person_id: String,
    /// What the same person was known as under this id: with another `idp_id`, or while the kind of provider was unknown.
    pub also: BTreeSet<String>,
}

/// The person of each row that `derive` will make.
pub fn persons(state: &State, id: &str, shown: &[ShownUser], homes: &Homes) -> Vec<Person> {
    let seen = winners(state, Kind::User, id, homes).into_iter().filter_map(|winner| {
        let said = said(state, &winner, shown)?;
        let (tenant_id, now) = (winner.tenant_id(), bearer_of(state, id, winner.tenant_id()));
        let person_id = said.person(id, &winner);
        let mut also = BTreeSet::new();
        for (idp_id, _) in &now.pairs {
            for provider in [winner.home.provider.as_deref(), None] {
                also.insert(super::person::person_id(tenant_id, provider, idp_id.as_deref(), id));
            }
        }
        also.extend(said.row.filter(|row| !row.is_former(&now)).map(|row| row.person_id.clone()));
        also.remove(&person_id);
        Some(Person { tenant_id: tenant_id.to_owned(), person_id, also })
    });
    seen.collect()
}

/// Parsed only where a rule asks for them.
pub fn attributes(said: &Said<'_>, around: &Around<'_>) -> Option<Value> {
    around.mapping.uses_attributes().then(|| serde_json::from_str(said.custom_attributes()).ok())?
}

pub fn facts<'a>(
    id: &str,
    tenant_id: &str,
    said: &'a Said<'_>,
    attributes: Option<&'a Value>,
    around: &'a Around<'_>,
) -> Facts<'a> {
    Facts { role_slugs: said.role_slugs(), attributes, groups: around.groups(tenant_id, id) }
}
