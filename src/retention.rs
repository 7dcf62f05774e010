//! Retention: the inbox is compacted as a log is, in small steps, by whichever worker is idle.
//!
//! An applied delivery older than the setting goes when nothing rests on it (`decide::needed`); what stays folds to the
//! same tables, so `rebuild` stays exact. Of what goes, the id stays for as long as a broker may repeat it. Dead
//! letters stay until an operator has decided, and discarded ones for the record. A step is one transaction, and where
//! it ended is kept in it.

use std::collections::HashSet;

use diesel::{ExpressionMethods, OptionalExtension, QueryDsl, QueryResult, RunQueryDsl};

use crate::{
    apply::{ApplyError, load},
    broker::Source,
    clock::Timestamp,
    db::{
        Conn, Database, DbError,
        bulk::Rows,
        schema::{dead_letters, inbox, inbox_queue, properties},
    },
    decide::needed::{Evidence, needed},
    fact::{Observation, Reading},
    inbox::forgotten,
    tables,
};

/// Deliveries looked at in one step.
const STEP: i64 = 500;
const CURSOR: &str = "retention_cursor";
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

struct Old {
    id: i64,
    source: String,
    event_key: String,
    disposition: i16,
    body: Vec<u8>,
}

pub fn step(database: &Database, retention: Retention, now: Timestamp) -> Result<Compacted, ApplyError> {
    database.write_in_turn(|conn| Ok(compact(conn, retention, now)?))
}

fn compact(conn: &mut Conn, retention: Retention, now: Timestamp) -> Result<Compacted, DbError> {
    let ago = |days: u32| now.plus_seconds(-i64::from(days) * DAY);
    let mut outcome = Compacted { looked_at: 0, dropped: 0, forgotten: 0, finished: true };
    if retention.event_id_days > 0 {
        outcome.forgotten = forgotten::expire(conn, ago(retention.event_id_days))?;
    }
    if retention.delivery_days == 0 {
        return Ok(outcome);
    }
    let cursor = cursor(conn)?;
    let (page, last) = old_deliveries(conn, cursor, ago(retention.delivery_days))?;
    outcome.looked_at = page.len();
    let droppable = droppable(conn, page)?;
    outcome.dropped = droppable.len();
    let keys: Vec<_> = droppable.iter().map(|old| (old.source.as_str(), old.event_key.as_str())).collect();
    forgotten::remember(conn, &keys, now)?;
    Rows::of(&droppable)
        .integer("id", |old| old.id)
        .execute(conn, "DELETE FROM inbox WHERE id IN (SELECT r.id FROM {rows})")?;
    outcome.finished = last.is_none();
    set_cursor(conn, last.unwrap_or(0))?;
    Ok(outcome)
}

/// The next deliveries after `cursor` that are old and neither waiting nor set aside, and where to go on; nowhere when
/// the walk has come to young ones. Ids grow with the time of receipt.
fn old_deliveries(conn: &mut Conn, cursor: i64, before: Timestamp) -> QueryResult<(Vec<Old>, Option<i64>)> {
    let rows: Vec<(i64, i64)> = inbox::table
        .filter(inbox::id.gt(cursor))
        .order(inbox::id)
        .select((inbox::id, inbox::received_at))
        .limit(STEP)
        .load(conn)?;
    let full = rows.len() as i64 == STEP;
    let old: Vec<i64> =
        rows.iter().take_while(|(_, received)| *received < before.micros()).map(|(id, _)| *id).collect();
    let last = old.last().copied().filter(|_| full && old.len() == rows.len());
    let waiting: Vec<i64> = inbox_queue::table
        .filter(inbox_queue::inbox_id.eq_any(&old))
        .select(inbox_queue::inbox_id)
        .load(conn)?;
    let dead: Vec<i64> = dead_letters::table
        .filter(dead_letters::inbox_id.eq_any(&old))
        .select(dead_letters::inbox_id)
        .load(conn)?;
    let busy: HashSet<i64> = waiting.into_iter().chain(dead).collect();
    let wanted: Vec<i64> = old.into_iter().filter(|id| !busy.contains(id)).collect();
    let page: Vec<(i64, String, String, i16, Vec<u8>)> = inbox::table
        .filter(inbox::id.eq_any(wanted))
        .order(inbox::id)
        .select((inbox::id, inbox::source, inbox::event_key, inbox::disposition, inbox::body))
        .load(conn)?;
    let old = |(id, source, event_key, disposition, body)| Old { id, source, event_key, disposition, body };
    Ok((page.into_iter().map(old).collect(), last))
}

fn droppable(conn: &mut Conn, page: Vec<Old>) -> Result<Vec<Old>, DbError> {
    let read = |old: &Old| Source::named(&old.source).map(|source| source.read(&old.body));
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
    let mut evidence: Evidence = tables::memberships::evidence(conn, &pairs)?.into_iter().collect();
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

fn cursor(conn: &mut Conn) -> QueryResult<i64> {
    let kept: Option<String> =
        properties::table.find(CURSOR).select(properties::value).first(conn).optional()?;
    Ok(kept.and_then(|text| text.parse().ok()).unwrap_or(0))
}

fn set_cursor(conn: &mut Conn, id: i64) -> QueryResult<()> {
    Rows::of(&[id.to_string()]).text("value", String::as_str).execute(
        conn,
        &format!(
            "INSERT INTO properties (name, value) SELECT '{CURSOR}', r.value FROM {{rows}} WHERE true \
             ON CONFLICT (name) DO UPDATE SET value = excluded.value"
        ),
    )?;
    Ok(())
}
