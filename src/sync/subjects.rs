//! Collects the directories to compare: the listed ones and the known ones.

use std::collections::{BTreeMap, BTreeSet};

use diesel::QueryResult;

use super::{
    lists::{self, Item},
    reconcile::{Reconcile, ReconcileError},
};
use crate::{
    broker::api::{Listed, Question},
    db::Conn,
    decide::{DEFAULT_TENANT, Tenancy, fact::EntityKind, tenant},
    tables::{claims, facts, scim_tokens},
};

/// A directory that is known, listed, or both.
pub(super) struct Subject {
    pub(super) tenant_id: String,
    pub(super) directory_id: String,
    pub(super) listed: Option<Item>,
    /// The API names another organization than the tenant that owns it.
    pub(super) is_disputed: bool,
}

/// Directories of the broker that are not deleted, with their tenants.
pub(super) fn known(conn: &mut Conn) -> QueryResult<BTreeMap<String, String>> {
    let homes = claims::homes(conn, None)?;
    let ids: Vec<&str> = homes.iter().map(|(_, directory)| directory.as_str()).collect();
    let gone: BTreeSet<String> = facts::on(conn, &ids)?
        .into_iter()
        .filter(|(kind, _, fact)| *kind == EntityKind::Directory && !fact.live)
        .map(|(_, id, _)| id)
        .collect();
    // No broker's list has the directories that identity providers write by SCIM.
    let own = scim_tokens::directories(conn)?;
    Ok(homes
        .into_iter()
        .filter(|(_, directory)| !gone.contains(directory) && !own.contains(directory))
        .map(|(tenant, directory)| (directory, tenant))
        .collect())
}

impl Reconcile<'_> {
    pub(super) fn listed(&self) -> Result<Vec<Item>, ReconcileError> {
        // The clock is read first: the lists must not be older than the time at which they count as true.
        self.client.page(&Question::clock())?;
        let mut listed = Vec::new();
        lists::read(self.client, Question::directories, |page| {
            listed.extend(page);
            Ok::<(), ReconcileError>(())
        })?;
        Ok(listed)
    }

    fn tenant_of(&self, listed: &Listed) -> String {
        match (self.rules.tenancy, listed.organization_id.as_deref().filter(|id| !id.is_empty())) {
            (Tenancy::Multi, Some(organization)) => tenant::of_organization(organization).into_owned(),
            _ => DEFAULT_TENANT.to_owned(),
        }
    }

    pub(super) fn subjects(&self, listed: Vec<Item>, mut known: BTreeMap<String, String>) -> Vec<Subject> {
        let mut subjects: Vec<Subject> = listed
            .into_iter()
            .map(|item| {
                let tenant = known.remove(&item.listed.id);
                let named = self.tenant_of(&item.listed);
                let is_other =
                    |tenant: &String| *tenant != named && tenant != DEFAULT_TENANT && named != DEFAULT_TENANT;
                Subject {
                    is_disputed: tenant.as_ref().is_some_and(is_other),
                    tenant_id: tenant.unwrap_or(named),
                    directory_id: item.listed.id.clone(),
                    listed: Some(item),
                }
            })
            .collect();
        subjects.extend(known.into_iter().map(|(directory_id, tenant_id)| Subject {
            tenant_id,
            directory_id,
            listed: None,
            is_disputed: false,
        }));
        subjects.retain(|subject| self.is_requested(&subject.tenant_id, &subject.directory_id));
        subjects
    }
}

/// When none of the known directories is listed, the key probably belongs to another environment.
pub(super) fn foreign(listed: &[Item], known: &BTreeMap<String, String>) -> Option<String> {
    let is_shared = listed.iter().any(|item| known.contains_key(&item.listed.id));
    (!known.is_empty() && !is_shared).then(|| {
        "the API key lists none of the directories in these tables; check whether it is the key of another environment"
            .to_owned()
    })
}
