//! The detailed result for one user, with each rule's result. Plans and explanations use it.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    access::{Access, access},
    bearers::bearer_of,
    context::Context,
    newest_fact::newest_facts,
    protected_roles::RoleLoss,
    roles::{self, Derived},
    rule_input::{attributes, facts, known_user},
    state::StateSlice,
    users::UserRow,
};
use crate::{
    decide::{fact::EntityKind, mapping::condition::ConditionEvidence},
    runtime::clock::Timestamp,
};

/// The result for one user in one tenant.
pub struct Examined {
    /// The tenant.
    pub tenant_id: String,
    /// The broker's id of the user.
    pub user_id: String,
    /// The person.
    pub person_id: String,
    /// The directory of the latest fact.
    pub directory_id: String,
    /// The access by the directory alone, without holds and retained roles.
    pub access: Access,
    /// The derived roles with their explanations.
    pub derived: Derived,
    /// Protected roles that the user retains, and with them access.
    pub retained: BTreeMap<String, RoleLoss>,
    /// The directory or its organization is deleted, and the tenant's setting ends access then.
    pub dismissed: bool,
    /// The row is about a former bearer of the id.
    pub succeeds: bool,
    /// For each rule of the tenant's policy, in order: the facts that fulfil it; `None` if it does not match.
    pub rules: Vec<Option<Vec<ConditionEvidence>>>,
    /// The event of the latest fact about the user.
    pub event: String,
    /// The broker's time of that fact.
    pub since: Timestamp,
    /// The delivery of that fact.
    pub inbox_id: i64,
}

impl Examined {
    /// The derived roles; empty without access. Holds and retained roles do not count.
    pub fn holds(&self) -> BTreeSet<String> {
        match self.access.is_active() && !self.derived.shut_out {
            true => self.derived.held.keys().cloned().collect(),
            false => BTreeSet::new(),
        }
    }

    /// The time of the end of access; with access, the time of the latest fact.
    pub fn changed_at(&self) -> Timestamp {
        self.access.since().unwrap_or(self.since)
    }
}

/// The results for a user id, one for each tenant that has it. `current` are the rows of this id.
pub fn examine(state: &StateSlice, id: &str, current: &[UserRow], context: &Context<'_>) -> Vec<Examined> {
    let examined =
        newest_facts(state, EntityKind::User, id, context.homes).into_iter().filter_map(|newest| {
            let known_user = known_user(state, &newest, current)?;
            let tenant_id = newest.tenant_id();
            let person_id = known_user.person(id, &newest, &context.separate);
            let policy = context.mapping.of(tenant_id);
            let attributes = attributes(&known_user, context);
            let facts = facts(id, tenant_id, &known_user, attributes.as_ref(), context);
            Some(Examined {
                derived: roles::derive(policy, facts, context.manual(tenant_id, &person_id)),
                rules: policy.rules.iter().map(|rule| rule.when.matches(facts)).collect(),
                access: access(newest.fact, &newest.home.place),
                retained: context.retained(tenant_id, id).cloned().unwrap_or_default(),
                succeeds: known_user.row.is_some_and(|row| row.is_former(&bearer_of(state, id, tenant_id))),
                dismissed: newest.home.place.dismissed_since.is_some(),
                tenant_id: tenant_id.to_owned(),
                user_id: id.to_owned(),
                directory_id: newest.directory_id.to_owned(),
                event: newest.fact.version.event.clone(),
                since: newest.fact.version.at,
                inbox_id: newest.fact.inbox_id,
                person_id,
            })
        });
    examined.collect()
}
