//! The known data of a user in one tenant, and the part of it that rules use.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{
    bearers::bearer_of,
    context::Context,
    namesakes::SeparatePersons,
    newest_fact::{Homes, NewestFact, newest_facts},
    person_id::{another_person, person_id},
    state::{Content, StateSlice},
    users::UserRow,
};
use crate::decide::{
    fact::{self, EntityKind},
    mapping::condition::UserFacts,
};

/// A user's row and the content of the latest fact. The row replaces the content if that is not loaded because it is
/// not new.
pub struct KnownUser<'a> {
    /// The row, before the change.
    pub row: Option<&'a UserRow>,
    /// The content of the latest fact.
    pub content: Option<&'a fact::User>,
}

/// The known data for one tenant's latest fact; `None` only if there is neither row nor content.
pub fn known_user<'a>(
    state: &'a StateSlice,
    newest: &NewestFact<'_>,
    current: &'a [UserRow],
) -> Option<KnownUser<'a>> {
    let row = current.iter().find(|row| row.tenant_id == newest.tenant_id());
    let content = match state.content(EntityKind::User, newest.fact) {
        Some(Content::User(content)) => Some(content),
        _ => None,
    };
    (row.is_some() || content.is_some()).then_some(KnownUser { row, content })
}

impl KnownUser<'_> {
    /// The id that the identity provider uses.
    pub fn idp_id(&self) -> Option<&str> {
        match self.content {
            Some(content) => content.profile.idp_id.as_deref(),
            None => self.row?.profile.idp_id.as_deref(),
        }
    }

    /// The slugs of the broker's role field.
    pub fn role_slugs(&self) -> &[String] {
        match (self.content, self.row) {
            (Some(content), _) => &content.roles,
            (None, Some(row)) => &row.role_slugs,
            (None, None) => &[],
        }
    }

    /// The custom attributes, a JSON object as text.
    pub fn custom_attributes(&self) -> &str {
        match (self.content, self.row) {
            (Some(content), _) => &content.custom_attributes,
            (None, Some(row)) => &row.custom_attributes,
            (None, None) => "",
        }
    }

    /// The person id of the user.
    pub fn person(&self, id: &str, newest: &NewestFact<'_>, separate: &SeparatePersons) -> String {
        let (tenant_id, provider) = (newest.tenant_id(), newest.home.provider.as_deref());
        match (self.idp_id(), separate.get(&(tenant_id.to_owned(), id.to_owned()))) {
            (Some(idp_id), Some(first)) => another_person(tenant_id, provider, idp_id, first),
            (idp_id, _) => person_id(tenant_id, provider, idp_id, id),
        }
    }
}

/// The person of a user.
pub struct Person {
    /// The tenant.
    pub tenant_id: String,
    /// The current person id.
    pub person_id: String,
    /// Other person ids of the same person under this id: with another `idp_id`, from the time before the kind of
    /// provider was known, or from the time before this person and another one were separated.
    pub also: BTreeSet<String>,
}

/// The person of each row that `users::derive` will write.
pub fn persons(
    state: &StateSlice,
    id: &str,
    current: &[UserRow],
    homes: &Homes,
    separate: &SeparatePersons,
) -> Vec<Person> {
    let seen = newest_facts(state, EntityKind::User, id, homes).into_iter().filter_map(|newest| {
        let known_user = known_user(state, &newest, current)?;
        let (tenant_id, now) = (newest.tenant_id(), bearer_of(state, id, newest.tenant_id()));
        let person_id = known_user.person(id, &newest, separate);
        let mut also = BTreeSet::new();
        for (idp_id, _) in &now.pairs {
            for provider in [newest.home.provider.as_deref(), None] {
                also.insert(super::person_id::person_id(tenant_id, provider, idp_id.as_deref(), id));
            }
        }
        also.extend(known_user.row.filter(|row| !row.is_former(&now)).map(|row| row.person_id.clone()));
        also.remove(&person_id);
        Some(Person { tenant_id: tenant_id.to_owned(), person_id, also })
    });
    seen.collect()
}

/// The custom attributes as JSON; `None` if no rule uses attributes.
pub fn attributes(known_user: &KnownUser<'_>, context: &Context<'_>) -> Option<Value> {
    context.mapping.uses_attributes().then(|| serde_json::from_str(known_user.custom_attributes()).ok())?
}

/// The facts that rules may use.
pub fn facts<'a>(
    id: &str,
    tenant_id: &str,
    known_user: &'a KnownUser<'_>,
    attributes: Option<&'a Value>,
    context: &'a Context<'_>,
) -> UserFacts<'a> {
    UserFacts { role_slugs: known_user.role_slugs(), attributes, groups: context.groups(tenant_id, id) }
}
