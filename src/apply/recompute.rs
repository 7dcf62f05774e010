//! Recomputation: derives the people and groups of a directory, or the members of a group, in steps. Other deliveries
//! are applied between the steps.
//!
//! A deleted directory of 50,000 people is one row in `recompute_jobs` and many small transactions. Each step stores
//! its end in its own transaction. So a crash repeats at most one step, and a repeated step changes nothing.

use std::collections::BTreeSet;

use super::{
    ApplyError, Batch,
    consequences::Consequences,
    expect_mapping, load,
    refused_entities::{Refusal, refusal},
    users::{Derivation, people},
};
use crate::{
    audit::row_entries::ChangeCause,
    db::{ALONE, Conn, Database, DbError, Fault, IN_A_BATCH, Serialized, wait_for_rows},
    decide::{
        Rules,
        guard::Extent,
        newest_fact::{Home, Homes},
        ownership::place,
        state::StateSlice,
    },
    outbox::Notice,
    runtime::{clock::Timestamp, failpoint},
    tables::{
        self, Key,
        recompute_jobs::{self, RecomputeJob},
        refused::RefusedChange,
    },
};

/// Requests the members of groups that were deleted under a claim of these directories, when that claim begins or
/// ceases to count: the members may be in other directories, and groups with these ids have other members now.
pub fn request_members_of_ended(
    conn: &mut Serialized<'_>,
    rules: &Rules,
    state: &StateSlice,
    directory_ids: &BTreeSet<String>,
) -> Result<(), DbError> {
    if !rules.mapping.uses_groups() {
        return Ok(());
    }
    for directory_id in directory_ids {
        let claim_ids: Vec<i64> = state.claims_of(directory_id).map(|claim| claim.id).collect();
        let groups = tables::facts::ended_groups(conn, &claim_ids)?;
        let of_directory: Vec<(&str, &str)> =
            groups.iter().map(|id| (directory_id.as_str(), id.as_str())).collect();
        recompute_jobs::request_members(conn, &of_directory)?;
    }
    Ok(())
}

/// The result of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recomputed {
    pub entities: usize,
    pub leavers: usize,
    pub notices: usize,
}

/// Does one step. `None` when there is no job.
///
/// When the database refuses a step, smaller steps are tried until the refused entity is known. The transaction that
/// goes past the entity records it in `refused`, and the job goes to the end of the queue. No state is carried between
/// transactions, because another process may have advanced the job meanwhile.
pub fn step(
    database: &Database,
    rules: &Rules,
    batch: Batch,
    now: Timestamp,
) -> Result<Option<Recomputed>, ApplyError> {
    let mut limit = batch.entities.max(1);
    loop {
        let longest = if limit >= batch.entities { IN_A_BATCH } else { ALONE };
        // The number of entities of the failed attempt.
        let mut tried = None;
        let attempt = database.write_serialized::<_, ApplyError>(|conn| {
            expect_mapping(conn, rules)?;
            wait_for_rows(conn, longest)?;
            Ok(next_page(conn, rules, limit, now, &mut tried)?)
        });
        match attempt {
            Err(ApplyError::Database(error)) => {
                let Some(tried) = tried.filter(|_| error.fault() != Fault::Database) else {
                    return Err(error.into());
                };
                if tried > 1 {
                    limit = tried / 2;
                    continue;
                }
                let refusal = refusal(database, error)?;
                let notices = database.write_serialized::<_, DbError>(|conn| go_past(conn, &refusal, now))?;
                return Ok(Some(Recomputed { entities: 0, leavers: 0, notices }));
            }
            outcome => return outcome,
        }
    }
}

/// Records the next entity as refused, and advances the job past it.
fn go_past(conn: &mut Serialized<'_>, refusal: &Refusal, now: Timestamp) -> Result<usize, DbError> {
    let Some(job) = recompute_jobs::next(conn)? else { return Ok(0) };
    let Some((id, kind)) = visited(conn, &job, 1)?.pop() else { return Ok(0) };
    let group_id = job.group_id.as_deref().unwrap_or_default();
    let refused = RefusedChange::new(kind, &id, &job.directory_id, group_id, job.rank);
    let notices = refusal.record(conn, &refused, now)?;
    job.advance(conn, (&id, kind))?;
    job.failed(conn, now)?;
    Ok(notices)
}

fn next_page(
    conn: &mut Serialized<'_>,
    rules: &Rules,
    limit: usize,
    now: Timestamp,
    tried: &mut Option<usize>,
) -> Result<Option<Recomputed>, DbError> {
    let Some(job) = recompute_jobs::next(conn)? else { return Ok(None) };
    let visited = visited(conn, &job, limit)?;
    *tried = Some(visited.len());
    let Some((last_id, last_kind)) = visited.last().cloned() else {
        job.finish(conn)?;
        return Ok(Some(Recomputed { entities: 0, leavers: 0, notices: 0 }));
    };
    let ids: BTreeSet<String> = visited.iter().map(|(id, _)| id.clone()).collect();
    let mut state = load::entities(conn, &job.directory_id, ids)?;
    let homes = homes(conn, &state, rules)?;
    state.touched.entities.extend(visited.into_iter().map(|(id, kind)| (tables::kind(kind), id)));
    let entities = state.touched.entities.len();
    let cause = match &job.group_id {
        _ if job.mapped => ChangeCause::Mapping(rules.mapping.version),
        Some(group_id) => ChangeCause::Group(group_id),
        None => ChangeCause::Directory(&job.directory_id),
    };
    let extent = if job.group_id.is_some() { Extent::Touched } else { Extent::Directory };
    let mut consequences = Consequences::default();
    people(conn, &mut state, &homes, &Derivation { rules, cause, now, extent }, &mut consequences)?;
    if job.mapped {
        // The mapping's own notice has reported all of them.
        consequences.notices.retain(|notice| !matches!(notice, Notice::Privileged(_)));
    }
    consequences.write(conn, now)?;
    failpoint::reach("recomputed");
    job.advance(conn, (&last_id, last_kind))?;
    Ok(Some(Recomputed { entities, leavers: consequences.leavers(), notices: consequences.notices.len() }))
}

fn visited(conn: &mut Conn, job: &RecomputeJob, limit: usize) -> Result<Vec<(String, i16)>, DbError> {
    let (id, kind) = (&job.after.0, job.after.1);
    if let Some(group_id) = &job.group_id {
        return Ok(tables::memberships::members(conn, group_id, id, limit)?);
    }
    let claims = tables::claims::of_directories(conn, &[&job.directory_id])?;
    let claim_ids: Vec<i64> = claims.iter().map(|claim| claim.id).collect();
    Ok(tables::facts::under(conn, &claim_ids, (id, kind), limit)?)
}

pub fn homes(conn: &mut Conn, state: &StateSlice, rules: &Rules) -> Result<Homes, DbError> {
    let places: Vec<_> = state.directories().map(|id| (id.clone(), place(state, id, rules))).collect();
    let keys: Vec<Key> = places.iter().map(|(id, place)| (place.tenant_id.clone(), id.clone())).collect();
    let providers = tables::directories::providers(conn, &keys)?;
    let home = |(id, place): (String, crate::decide::ownership::Ownership)| {
        let provider = providers.get(&(place.tenant_id.clone(), id.clone())).cloned().flatten();
        (id, Home { place, provider })
    };
    Ok(places.into_iter().map(home).collect())
}
