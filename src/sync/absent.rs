//! Finds known people and groups that are absent from complete lists.
//!
//! Pages can shift while a list is read, for example when a person of an earlier page is deleted. Then one object is on
//! no page. So an incomplete list is read a second time, and an object counts as absent only when both readings lack
//! it.

use std::collections::{BTreeSet, HashSet};

use super::{
    client::ApiError,
    compare::{CompareError, Comparing},
    difference::{Loss, known},
    lists,
    report::{Difference, Done},
};
use crate::{
    broker::api::{self, ListStatement, Question},
    db::{Conn, DbError},
    decide::fact::EntityKind,
    tables::{self, facts},
};

/// Facts in one query.
const STEP: usize = 1_000;

pub(super) fn find(comparing: &mut Comparing<'_>) -> Result<(), CompareError> {
    let mut found = unlisted(comparing)?;
    for (kind, name) in [(EntityKind::User, "user"), (EntityKind::Group, "group")] {
        if !found.iter().any(|loss| loss.difference.kind == name) {
            continue;
        }
        let directory_id = comparing.directory_id;
        let listed = listed(comparing, |after| match kind {
            EntityKind::Group => Question::groups(directory_id, after),
            _ => Question::users(directory_id, after),
        });
        match listed {
            Ok(listed) => {
                found.retain(|loss| loss.difference.kind != name || !listed.contains(&loss.difference.id));
            }
            Err(ApiError::Stopping) => return Err(ApiError::Stopping.into()),
            Err(error) => {
                comparing.report.doubt(format!("the list could not be read a second time: {error}"));
                comparing.losses.retain(|loss| !loss.by_absence);
                return Ok(());
            }
        }
    }
    comparing.losses.extend(found);
    Ok(())
}

/// Reads the list again and returns its ids.
pub(super) fn listed(
    comparing: &Comparing<'_>,
    question: impl Fn(Option<&str>) -> Question,
) -> Result<HashSet<String>, ApiError> {
    let mut ids = HashSet::new();
    lists::read(comparing.client, question, |page| {
        ids.extend(page.into_iter().map(|item| item.listed.id));
        Ok::<(), ApiError>(())
    })?;
    Ok(ids)
}

fn unlisted(comparing: &Comparing<'_>) -> Result<Vec<Loss>, CompareError> {
    let claim_ids = comparing.claim_ids();
    let mut after = (String::new(), 0_i16);
    let mut all = Vec::new();
    loop {
        let (next, found) = comparing.database.read::<_, DbError>(|conn| {
            let ids = facts::under(conn, &claim_ids, (&after.0, after.1), STEP)?;
            let Some(last) = ids.last().cloned() else { return Ok((None, Vec::new())) };
            let unseen: BTreeSet<&str> = ids
                .iter()
                .filter(|(id, kind)| {
                    let hash = comparing.hash(id);
                    !comparing.seen.contains(&(tables::kind(*kind), hash))
                })
                .map(|(id, _)| id.as_str())
                .collect();
            let unseen: Vec<&str> = unseen.into_iter().collect();
            Ok((Some(last), gone(comparing, conn, &unseen)?))
        })?;
        all.extend(found);
        match next {
            Some(last) => after = last,
            None => return Ok(all),
        }
    }
}

fn gone(comparing: &Comparing<'_>, conn: &mut Conn, ids: &[&str]) -> diesel::QueryResult<Vec<Loss>> {
    let mut found = Vec::new();
    for (kind, id, fact) in facts::on(conn, ids)? {
        let here = comparing.claims.iter().any(|claim| claim.id == fact.claim_id);
        let hash = comparing.hash(&id);
        let is_listed = comparing.seen.contains(&(kind, hash));
        if !here
            || is_listed
            || !fact.live
            || fact.revealed_by.is_none()
            || fact.version.emitted > comparing.at
        {
            continue;
        }
        let (statement, name) = match kind {
            EntityKind::User => (ListStatement::UserGone, "user"),
            EntityKind::Group => (ListStatement::GroupGone, "group"),
            EntityKind::Directory | EntityKind::Organization => continue,
        };
        let data = known(conn, &fact, &id, comparing.directory_id, &comparing.claims)?;
        found.push(Loss {
            difference: Difference {
                kind: name,
                id: id.clone(),
                tables: if kind == EntityKind::User { "active".to_owned() } else { "exists".to_owned() },
                broker: "absent".to_owned(),
                cause: format!(
                    "its removal was missed: last event at {}, not listed at {}",
                    fact.version.emitted, comparing.at
                ),
                done: Done::None,
            },
            body: api::observed(
                statement,
                comparing.directory_id,
                &id,
                comparing.at,
                None,
                &data.to_string(),
            ),
            user_id: (kind == EntityKind::User).then(|| id.clone()),
            is_access: kind == EntityKind::User,
            by_absence: true,
            is_hidden: false,
        });
    }
    Ok(found)
}
