//! One user looked at closely: what each rule makes of them. For plans and explanations.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    access::{Access, access},
    bearers::bearer_of,
    context::Context,
    newest_fact::newest_facts,
    protected_roles::RoleLoss,
    roles::{self, Derived},
    rule_input::{attributes, facts, said},
    state::StateSlice,
    users::ShownUser,
};
use crate::{
    decide::{fact::EntityKind, mapping::condition::ConditionEvidence},
    runtime::clock::Timestamp,
};

pub struct Examined {
    pub tenant_id: String,
    pub user_id: String,
    pub person_id: String,
    pub directory_id: String,
    /// By the directory alone.
    pub access: Access,
    pub derived: Derived,
    /// Protected roles that they keep, and access with them.
    pub kept: BTreeMap<String, RoleLoss>,
    /// The directory or its organization is gone, and its people with it.
    pub dismissed: bool,
    /// Whoever is shown is another person, who bore the id before.
    pub succeeds: bool,
    /// For each rule of the tenant's policy, in order: the facts that fulfil it.
    pub rules: Vec<Option<Vec<ConditionEvidence>>>,
    /// The latest fact about the user: event, time, delivery.
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

    /// Since when they have no access by what is derived; for whoever has, since the latest fact.
    pub fn changed_at(&self) -> Timestamp {
        self.access.since().unwrap_or(self.since)
    }
}

/// In each tenant that has a user of this id.
pub fn examine(state: &StateSlice, id: &str, shown: &[ShownUser], context: &Context<'_>) -> Vec<Examined> {
    let examined =
        newest_facts(state, EntityKind::User, id, context.homes).into_iter().filter_map(|newest| {
            let said = said(state, &newest, shown)?;
            let tenant_id = newest.tenant_id();
            let person_id = said.person(id, &newest, &context.apart);
            let policy = context.mapping.of(tenant_id);
            let attributes = attributes(&said, context);
            let facts = facts(id, tenant_id, &said, attributes.as_ref(), context);
            Some(Examined {
                derived: roles::derive(policy, facts, context.manual(tenant_id, &person_id)),
                rules: policy.rules.iter().map(|rule| rule.when.matches(facts)).collect(),
                access: access(newest.fact, &newest.home.place),
                kept: context.kept(tenant_id, id).cloned().unwrap_or_default(),
                succeeds: said.row.is_some_and(|row| row.is_former(&bearer_of(state, id, tenant_id))),
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
