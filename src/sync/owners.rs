//! Compares organizations and directories. This comes before the comparison of their people.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    client::ApiError,
    difference::{Loss, against},
    lists,
    reconcile::{Reconcile, ReconcileError},
    report::{Difference, Done, Report},
    subjects::Subject,
};
use crate::{
    broker::api::{ListStatement, Question},
    db::DbError,
    decide::{fact::EntityKind, state::NO_CLAIM, tenant},
    tables::{claims, facts},
};

impl Reconcile<'_> {
    /// Compares organizations and directories themselves, before their people: the row of a person needs its
    /// directory's tenant.
    pub(super) fn context(&self, subjects: &[Subject]) -> Result<Vec<Report>, ReconcileError> {
        let Some(at) = self.client.broker_now() else { return Err(ApiError::NoDate.into()) };
        let tenants: BTreeSet<&str> = subjects.iter().map(|subject| subject.tenant_id.as_str()).collect();
        let mut organizations = Vec::new();
        lists::read(self.client, Question::organizations, |page| {
            organizations.extend(
                page.into_iter().filter(|item| tenants.contains(&*tenant::of_organization(&item.listed.id))),
            );
            Ok::<(), ReconcileError>(())
        })?;
        let mut reports: BTreeMap<String, Report> = BTreeMap::new();
        let mut found: Vec<(String, Loss)> = Vec::new();
        self.database.read::<_, DbError>(|conn| {
            let ids: Vec<&str> = organizations.iter().map(|item| item.listed.id.as_str()).collect();
            let latest_facts: Vec<_> = facts::on(conn, &ids)?
                .into_iter()
                .filter(|(kind, _, fact)| *kind == EntityKind::Organization && fact.claim_id == NO_CLAIM)
                .collect();
            for item in &organizations {
                let facts: Vec<_> = latest_facts
                    .iter()
                    .filter(|(_, id, _)| *id == item.listed.id)
                    .map(|(_, _, w)| w.clone())
                    .collect();
                let tenant_id = tenant::of_organization(&item.listed.id).into_owned();
                let home = subjects.iter().find(|subject| subject.tenant_id == tenant_id);
                let difference = against(conn, &[], &facts, ListStatement::Organization, "", at, item)?;
                let home = home.map(|home| home.directory_id.clone());
                found.extend(home.zip(difference.map(|(loss, _)| loss)));
            }
            for subject in subjects {
                let Some(item) = subject.listed.as_ref().filter(|_| !subject.is_disputed) else { continue };
                let directory_id = subject.directory_id.as_str();
                let claims = claims::of_directories(conn, &[directory_id])?;
                let facts: Vec<_> = facts::on(conn, &[directory_id])?
                    .into_iter()
                    .filter(|(kind, _, _)| *kind == EntityKind::Directory)
                    .map(|(_, _, fact)| fact)
                    .collect();
                let difference =
                    against(conn, &claims, &facts, ListStatement::Directory, directory_id, at, item)?;
                found.extend(difference.map(|(loss, _)| (directory_id.to_owned(), loss)));
            }
            Ok(())
        })?;
        self.append(found.iter().map(|(_, loss)| loss))?;
        let done = if self.dry_run { Done::None } else { Done::Healed };
        for (directory_id, loss) in found {
            let tenant_id = subjects.iter().find(|subject| subject.directory_id == directory_id);
            let tenant_id = tenant_id.map_or("", |subject| subject.tenant_id.as_str());
            let report =
                reports.entry(directory_id.clone()).or_insert_with(|| Report::of(tenant_id, &directory_id));
            report.add(Difference { done, ..loss.difference });
        }
        self.settled()?;
        Ok(reports.into_values().collect())
    }
}
