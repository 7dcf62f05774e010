//! Retention deletes old deliveries from which no current row is derived (`decide::still_needed`), and old records of the
//! change feed.
//!
//! The remaining deliveries give the same tables, so `rebuild` remains exact. The id of a deleted delivery is stored for as
//! long as the broker may send the event again. Dead letters are never deleted: open ones wait for an operator, discarded
//! ones are a record. A step is one transaction, which also stores its end position, so a crash repeats one step at most.

use crate::{
    apply::{ApplyError, load},
    broker::Source,
    db::{Conn, Database, DbError},
    decide::{
        fact::{Membership, Observation, Reading},
        still_needed::{NeededEvidence, needed},
    },
    endpoints,
    feed::{
        self,
        retention::{FeedRetention, TrimmedFeed},
    },
    inbox::{
        expired::{self, OldDelivery},
        seen_ids,
    },
    runtime::clock::Timestamp,
    tables::{
        self,
        properties::{self, RETENTION_CURSOR},
    },
};

const DAY: i64 = 24 * 3600;

/// How long deliveries and event ids are stored. Zero means for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Days after reception.
    pub delivery_days: u32,
    /// Days after the deletion of the delivery.
    pub event_id_days: u32,
    /// The records of the change feed.
    pub changes: FeedRetention,
}

/// The result of one step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compacted {
    /// Deliveries that were checked.
    pub looked_at: usize,
    /// Deliveries that were deleted.
    pub dropped: usize,
    /// Event ids that were deleted.
    pub forgotten: usize,
    /// Records of the change feed.
    pub changes: TrimmedFeed,
    /// The step has reached the end of the log. The next step begins at the start.
    pub finished: bool,
}

/// Checks one page of deliveries in one serialized transaction.
pub fn step(database: &Database, retention: Retention, now: Timestamp) -> Result<Compacted, ApplyError> {
    database.write_serialized(|conn| Ok(compact(conn, retention, now)?))
}

fn compact(conn: &mut Conn, retention: Retention, now: Timestamp) -> Result<Compacted, DbError> {
    let ago = |days: u32| now.plus_seconds(-i64::from(days) * DAY);
    let changes = TrimmedFeed::default();
    let mut outcome = Compacted { looked_at: 0, dropped: 0, forgotten: 0, changes, finished: true };
    if retention.event_id_days > 0 {
        outcome.forgotten = seen_ids::expire(conn, ago(retention.event_id_days))?;
    }
    let endpoints: Vec<i64> = endpoints::stored::needless(conn)?.into_iter().map(|(_, seq)| seq).collect();
    outcome.changes = feed::retention::step(conn, retention.changes, &endpoints, now)?;
    outcome.finished = !outcome.changes.is_full;
    if retention.delivery_days == 0 {
        return Ok(outcome);
    }
    let cursor = properties::get(conn, RETENTION_CURSOR)?.and_then(|id| id.parse().ok()).unwrap_or(0);
    let (page, last) = expired::page(conn, cursor, ago(retention.delivery_days))?;
    outcome.looked_at = page.len();
    let droppable = droppable(conn, page)?;
    outcome.dropped = droppable.len();
    let keys: Vec<_> = droppable.iter().map(|old| (old.source.as_str(), old.event_key.as_str())).collect();
    seen_ids::remember(conn, &keys, now)?;
    expired::drop(conn, &droppable)?;
    outcome.finished &= last.is_none();
    properties::set(conn, RETENTION_CURSOR, &last.unwrap_or(0).to_string())?;
    Ok(outcome)
}

fn droppable(conn: &mut Conn, page: Vec<OldDelivery>) -> Result<Vec<OldDelivery>, DbError> {
    let read = |old: &OldDelivery| Source::named(&old.source).map(|source| source.read(&old.body));
    let (mut droppable, mut speaking) = (Vec::new(), Vec::new());
    for old in page {
        match read(&old) {
            // An event that does not concern directories, or that has no effect.
            _ if old.disposition == 1 => droppable.push(old),
            Some(Ok(Reading::Nothing)) => droppable.push(old),
            Some(Ok(Reading::Fact(observation, _))) => speaking.push((old, observation)),
            // A later version may understand it, so it is not deleted.
            Some(Err(_)) | None => {}
        }
    }
    let state = load::slice(conn, speaking.iter().map(|(old, observation)| (old.id, &**observation)))?;
    let pairs: Vec<(String, String)> =
        speaking.iter().flat_map(|(_, observation)| pairs_of(observation)).collect();
    let claim_ids: Vec<i64> = state.claims().map(|claim| claim.id).collect();
    let mut evidence: NeededEvidence = tables::memberships::evidence(conn, &pairs)?.into_iter().collect();
    evidence.extend(tables::roles::evidence(conn, &claim_ids)?);
    let gone =
        speaking.into_iter().filter(|(old, observation)| !needed(&state, old.id, observation, &evidence));
    droppable.extend(gone.map(|(old, _)| old));
    Ok(droppable)
}

fn pairs_of(observation: &Observation) -> Vec<(String, String)> {
    let pair = |change: &Membership| (change.group_id.clone(), change.user_id.clone());
    match observation {
        Observation::Membership { membership, .. } => vec![pair(membership)],
        Observation::Members { changes, .. } => changes.iter().map(pair).collect(),
        _ => Vec::new(),
    }
}
