//! Retention: the inbox is compacted as a log is, in small steps, by whichever worker is idle.
//!
//! An applied delivery older than the setting goes when nothing rests on it (`decide::needed`); what stays folds to the
//! same tables, so `rebuild` stays exact. Of what goes, the id stays for as long as a broker may repeat it. Dead
//! letters stay until an operator has decided, and discarded ones for the record. A step is one transaction, and where
//! it ended is kept in it.

use crate::{
    apply::{ApplyError, load},
    broker::Source,
    db::{Conn, Database, DbError},
    decide::{
        fact::{Observation, Reading},
        still_needed::{NeededEvidence, needed},
    },
    inbox::{
        old::{self, OldDelivery},
        seen_ids,
    },
    runtime::clock::Timestamp,
    tables::{
        self,
        properties::{self, RETENTION_CURSOR},
    },
};

const DAY: i64 = 24 * 3600;

/// How long what is kept; zero days is for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    pub delivery_days: u32,
    pub event_id_days: u32,
}

/// What a step did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compacted {
    pub looked_at: usize,
    pub dropped: usize,
    pub forgotten: usize,
    /// The log has been walked to its end; the next step begins again.
    pub finished: bool,
}

pub fn step(database: &Database, retention: Retention, now: Timestamp) -> Result<Compacted, ApplyError> {
    database.write_serialized(|conn| Ok(compact(conn, retention, now)?))
}

fn compact(conn: &mut Conn, retention: Retention, now: Timestamp) -> Result<Compacted, DbError> {
    let ago = |days: u32| now.plus_seconds(-i64::from(days) * DAY);
    let mut outcome = Compacted { looked_at: 0, dropped: 0, forgotten: 0, finished: true };
    if retention.event_id_days > 0 {
        outcome.forgotten = seen_ids::expire(conn, ago(retention.event_id_days))?;
    }
    if retention.delivery_days == 0 {
        return Ok(outcome);
    }
    let cursor = properties::get(conn, RETENTION_CURSOR)?.and_then(|id| id.parse().ok()).unwrap_or(0);
    let (page, last) = old::page(conn, cursor, ago(retention.delivery_days))?;
    outcome.looked_at = page.len();
    let droppable = droppable(conn, page)?;
    outcome.dropped = droppable.len();
    let keys: Vec<_> = droppable.iter().map(|old| (old.source.as_str(), old.event_key.as_str())).collect();
    seen_ids::remember(conn, &keys, now)?;
    old::drop(conn, &droppable)?;
    outcome.finished = last.is_none();
    properties::set(conn, RETENTION_CURSOR, &last.unwrap_or(0).to_string())?;
    Ok(outcome)
}

fn droppable(conn: &mut Conn, page: Vec<OldDelivery>) -> Result<Vec<OldDelivery>, DbError> {
    let read = |old: &OldDelivery| Source::named(&old.source).map(|source| source.read(&old.body));
    let (mut droppable, mut speaking) = (Vec::new(), Vec::new());
    for old in page {
        match read(&old) {
            // Of another family, or without effect.
            _ if old.disposition == 1 => droppable.push(old),
            Some(Ok(Reading::Nothing)) => droppable.push(old),
            Some(Ok(Reading::Fact(observation, _))) => speaking.push((old, observation)),
            // Not understood by this version is no reason to lose it.
            Some(Err(_)) | None => {}
        }
    }
    let state = load::slice(conn, speaking.iter().map(|(_, observation)| &**observation))?;
    let pairs: Vec<(String, String)> =
        speaking.iter().filter_map(|(_, observation)| pair(observation)).collect();
    let claim_ids: Vec<i64> = state.claims().map(|claim| claim.id).collect();
    let mut evidence: NeededEvidence = tables::memberships::evidence(conn, &pairs)?.into_iter().collect();
    evidence.extend(tables::roles::evidence(conn, &claim_ids)?);
    let gone =
        speaking.into_iter().filter(|(old, observation)| !needed(&state, old.id, observation, &evidence));
    droppable.extend(gone.map(|(old, _)| old));
    Ok(droppable)
}

fn pair(observation: &Observation) -> Option<(String, String)> {
    match observation {
        Observation::Membership { membership, .. } => {
            Some((membership.group_id.clone(), membership.user_id.clone()))
        }
        _ => None,
    }
}
