//! Compares the lists of one directory with the latest facts.
//!
//! Gains and changes without a loss are stored page by page: they are true even if the list breaks off. Losses are
//! returned, because the guard weighs all of them together (`super::losses`). A fact that is newer than the list is no
//! difference.

use std::collections::{BTreeMap, HashSet};

use super::{
    absent,
    client::{ApiError, Client},
    difference::{Loss, against, delivery},
    lists::{self, Item},
    members,
    report::{Difference, Done, Report},
};
use crate::{
    broker::api::{ListStatement, Listed, Question},
    db::{Conn, Database, DbError},
    decide::{
        fact::EntityKind,
        state::{LatestFact, OwnershipClaim},
    },
    inbox::{Delivery, Stored, insert::append_within},
    runtime::clock::Timestamp,
    tables::{claims, facts, guard_counts},
};

#[derive(Debug, thiserror::Error)]
pub enum CompareError {
    #[error("{0}")]
    Api(#[from] ApiError),
    #[error("{0}")]
    Database(#[from] DbError),
}

impl CompareError {
    /// The service is stopping. That is no failure.
    pub fn is_stop(&self) -> bool {
        matches!(self, Self::Api(ApiError::Stopping))
    }
}

impl From<diesel::result::Error> for CompareError {
    fn from(error: diesel::result::Error) -> Self {
        Self::Database(error.into())
    }
}

/// A comparison in progress.
pub(super) struct Comparing<'a> {
    pub(super) database: &'a Database,
    pub(super) client: &'a Client,
    pub(super) now: Timestamp,
    /// Writes nothing.
    pub(super) dry_run: bool,
    pub(super) directory_id: &'a str,
    /// The time at which the lists are true.
    pub(super) at: Timestamp,
    pub(super) claims: Vec<OwnershipClaim>,
    pub(super) report: Report,
    pub(super) losses: Vec<Loss>,
    pub(super) seen: HashSet<(EntityKind, u64)>,
    /// People in the list who have no access.
    without_access: HashSet<u64>,
    hasher: foldhash::fast::RandomState,
}

/// Returns all differences of one directory. `listed` is its entry in the list of directories.
pub fn compare(
    database: &Database,
    client: &Client,
    tenant_id: &str,
    listed: &Listed,
    dry_run: bool,
    now: Timestamp,
) -> Result<(Report, Vec<Loss>), CompareError> {
    let Some(at) = client.broker_now() else { return Err(ApiError::NoDate.into()) };
    let claims = database
        .read::<_, DbError>(|conn| Ok(claims::of_directories(conn, &[&listed.id])?))?
        .into_iter()
        .filter(|claim| claim.tenant_id.is_some())
        .collect();
    let mut comparing = Comparing {
        database,
        client,
        now,
        dry_run,
        directory_id: &listed.id,
        at,
        claims,
        report: Report { compared_at: Some(at), ..Report::of(tenant_id, &listed.id) },
        losses: Vec::new(),
        seen: HashSet::new(),
        without_access: HashSet::new(),
        hasher: foldhash::fast::RandomState::default(),
    };
    match comparing.lists() {
        Err(CompareError::Api(ApiError::Stopping)) => return Err(ApiError::Stopping.into()),
        Err(CompareError::Api(error)) => comparing.report.doubt(format!("the lists broke off: {error}")),
        outcome => outcome?,
    }
    comparing.doubts(listed)?;
    if comparing.report.complete {
        absent::find(&mut comparing)?;
    } else {
        comparing.losses.retain(|loss| !loss.by_absence);
    }
    Ok((comparing.report, comparing.losses))
}

impl Comparing<'_> {
    fn lists(&mut self) -> Result<(), CompareError> {
        let (client, directory_id) = (self.client, self.directory_id);
        let mut groups: BTreeMap<String, String> = BTreeMap::new();
        lists::read(
            client,
            |after| Question::groups(directory_id, after),
            |page| {
                self.report.groups += page.len() as u64;
                self.present(ListStatement::Group, EntityKind::Group, &page)?;
                groups.extend(page.into_iter().map(|item| (item.listed.id, item.raw.get().to_owned())));
                Ok::<(), CompareError>(())
            },
        )?;
        lists::read(
            client,
            |after| Question::users(directory_id, after),
            |page| {
                self.report.people += page.len() as u64;
                self.present(ListStatement::User, EntityKind::User, &page)
            },
        )?;
        for (group_id, group) in groups {
            members::compare(self, &group_id, &group)?;
        }
        Ok(())
    }

    /// Notes reasons why absence from the lists does not prove absence from the directory.
    fn doubts(&mut self, listed: &Listed) -> Result<(), CompareError> {
        let again = match self.client.object(&Question::directory(self.directory_id)) {
            Ok(text) => Listed::of(&text),
            Err(ApiError::Stopping) => return Err(ApiError::Stopping.into()),
            Err(error) => {
                self.report.doubt(format!("the directory could not be read again after its lists: {error}"));
                None
            }
        };
        for directory in [Some(listed), again.as_ref()].into_iter().flatten() {
            if !directory.is_active_directory() {
                let state = directory.state.as_deref().unwrap_or("unknown");
                self.report.doubt(format!("the directory is not active but {state}"));
                // A directory that is not active is no reason to remove its people either.
                self.losses.clear();
            }
        }
        let counted =
            [Some(listed), again.as_ref()].into_iter().flatten().filter_map(Listed::counted_users).min();
        if let Some(counted) = counted.filter(|counted| *counted > self.report.people) {
            let listed = self.report.people;
            self.report
                .doubt(format!("the broker counts {counted} people in the directory and lists {listed}"));
        }
        if self.report.people == 0 {
            let key = (self.report.tenant_id.clone(), self.directory_id.to_owned());
            let active = self.database.read::<_, DbError>(|conn| Ok(guard_counts::active(conn, &key, 1)?))?;
            if active > 0 {
                self.report.doubt("the list of people is empty, but the tables contain active people");
            }
        }
        Ok(())
    }

    pub(super) fn claim_ids(&self) -> Vec<i64> {
        self.claims.iter().map(|claim| claim.id).collect()
    }

    /// Whether the list has this person without access.
    pub(super) fn is_without_access(&self, user_id: &str) -> bool {
        self.without_access.contains(&self.hash(user_id))
    }

    /// Whether the list of people has this person.
    pub(super) fn is_listed(&self, user_id: &str) -> bool {
        self.seen.contains(&(EntityKind::User, self.hash(user_id)))
    }

    pub(super) fn hash(&self, id: &str) -> u64 {
        std::hash::BuildHasher::hash_one(&self.hasher, id)
    }

    fn present(
        &mut self,
        statement: ListStatement,
        kind: EntityKind,
        page: &[Item],
    ) -> Result<(), CompareError> {
        for item in page {
            let hash = self.hash(&item.listed.id);
            self.seen.insert((kind, hash));
            if kind == EntityKind::User && !item.listed.is_active_user() {
                self.without_access.insert(hash);
            }
        }
        let found =
            self.database.read::<_, DbError>(|conn| Ok(self.differing(conn, statement, kind, page)?))?;
        self.add_found(found)
    }

    /// Stores differences without a loss in the inbox now, and collects losses.
    pub(super) fn add_found(&mut self, found: Vec<(Loss, bool)>) -> Result<(), CompareError> {
        let mut gains = Vec::new();
        for (loss, takes_away) in found {
            if takes_away {
                self.losses.push(loss);
            } else {
                gains.push(loss);
            }
        }
        if !self.dry_run && !gains.is_empty() {
            let deliveries: Vec<Delivery> = gains.iter().map(|gain| delivery(&gain.body, self.now)).collect();
            self.database.write::<Vec<Stored>, DbError>(|conn| append_within(conn, &deliveries))?;
        }
        let done = if self.dry_run { Done::None } else { Done::Healed };
        for gain in gains {
            self.report.add(Difference { done, ..gain.difference });
        }
        Ok(())
    }

    fn differing(
        &self,
        conn: &mut Conn,
        statement: ListStatement,
        kind: EntityKind,
        page: &[Item],
    ) -> diesel::QueryResult<Vec<(Loss, bool)>> {
        let ids: Vec<&str> = page.iter().map(|item| item.listed.id.as_str()).collect();
        let mut latest_facts: BTreeMap<String, Vec<LatestFact>> = BTreeMap::new();
        for (of, id, fact) in facts::on(conn, &ids)? {
            if of == kind {
                latest_facts.entry(id).or_default().push(fact);
            }
        }
        let mut found = Vec::new();
        for item in page {
            let facts = latest_facts.get(&item.listed.id).map_or(&[][..], Vec::as_slice);
            found.extend(against(conn, &self.claims, facts, statement, self.directory_id, self.at, item)?);
        }
        Ok(found)
    }
}
