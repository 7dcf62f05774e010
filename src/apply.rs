//! Applying: one write transaction a batch.
//!
//! What was delivered becomes standing words, rows that the host sees, notices in the outbox, and the end of the
//! queue entry, all in one transaction: after a crash a batch has happened or it has not. Batches run one at a time
//! over the whole database (`Database::write_in_turn`), however many processes there are, so each decides on what the
//! last one left; no leader, no lease: whoever is next takes the oldest deliveries.

pub mod derive;
pub mod load;
pub mod poison;
pub mod refresh;

use std::collections::{BTreeSet, HashMap};

use crate::{
    broker::Source,
    clock::Timestamp,
    db::{Conn, Database, DbError},
    decide::{
        Rules,
        fold::{claim_of, fold},
        place::{Place, place, settle},
        state::State,
    },
    fact::{Observation, Reading},
    failpoint,
    inbox::{
        dead::{self, DeadLetter},
        queue::{self, Queued},
    },
    outbox,
    tables::{claims, memberships, memberships::NewMembership, refreshes, roles, words},
};

/// How much one transaction takes on.
#[derive(Clone, Copy, Debug)]
pub struct Batch {
    pub deliveries: usize,
    pub bytes: usize,
    /// People and groups derived again in one step of a refresh.
    pub entities: usize,
}

impl Default for Batch {
    fn default() -> Self {
        Self { deliveries: 1_000, bytes: 8 << 20, entities: 500 }
    }
}

/// What a batch did, for logs and metrics.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Applied {
    pub deliveries: usize,
    pub set_aside: Vec<DeadLetter>,
    pub leavers: usize,
    /// Whether directories are to be refreshed now.
    pub refreshes: usize,
    /// When the oldest delivery of the batch was received is not known here; its key is, for the log.
    pub event_keys: Vec<String>,
}

#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    #[error("{0}")]
    Database(#[from] DbError),
}

impl From<diesel::result::Error> for ApplyError {
    fn from(error: diesel::result::Error) -> Self {
        Self::Database(error.into())
    }
}

/// Applies the oldest deliveries that are due. `Ok` with none applied means that the queue is empty.
pub fn step(database: &Database, rules: &Rules, batch: Batch, now: Timestamp) -> Result<Applied, ApplyError> {
    let applied = database.write_in_turn::<_, ApplyError>(|conn| {
        let queued = queue::take(conn, now, batch.deliveries, batch.bytes)?;
        Ok(apply(conn, rules, queued, now)?)
    })?;
    failpoint::reach("applied");
    Ok(applied)
}

/// Applies these deliveries inside the caller's transaction.
pub fn apply(
    conn: &mut Conn,
    rules: &Rules,
    queued: Vec<Queued>,
    now: Timestamp,
) -> Result<Applied, DbError> {
    let mut applied = Applied { deliveries: queued.len(), ..Applied::default() };
    if queued.is_empty() {
        return Ok(applied);
    }
    let ids: Vec<i64> = queued.iter().map(|delivery| delivery.inbox_id).collect();
    let observations = read(queued, &mut applied);

    let mut state = load::slice(conn, observations.iter().map(|(_, _, observation)| observation))?;
    let before = places(&state, rules);
    let mut spoken = Vec::with_capacity(observations.len());
    for (inbox_id, attempts, observation) in observations {
        spoken.extend(claim_of(&observation).map(|(d, o)| (inbox_id, attempts, d.to_owned(), o.to_owned())));
        fold(&mut state, inbox_id, observation);
    }
    let moved = settle(&mut state, rules);
    for (inbox_id, attempts, directory_id, organization_id) in spoken {
        let lost =
            state.claim_between(&directory_id, &organization_id).is_some_and(|c| c.tenant_id.is_none());
        if lost {
            let detail = format!("directory {directory_id} belongs to another tenant than {organization_id}");
            applied.set_aside.push(DeadLetter { inbox_id, reason: dead::OTHER_TENANT, detail, attempts });
        }
    }
    write_words(conn, &state)?;
    failpoint::reach("folded");
    let left: BTreeSet<String> = moved.iter().filter_map(|moved| moved.left.clone()).collect();
    if !moved.is_empty() {
        let joined = moved.iter().map(|moved| place(&state, &moved.directory_id, rules).tenant_id);
        let concerned: Vec<String> = left.iter().cloned().chain(joined).collect();
        roles::settle(conn, &concerned)?;
    }

    let (homes, mut changed) = derive::directories(conn, &mut state, rules, &before, &left)?;
    changed.extend(moved.into_iter().map(|moved| moved.directory_id));
    let changed: Vec<String> = changed.into_iter().collect();
    refreshes::request(conn, &changed)?;
    applied.refreshes = changed.len();

    let leavers = derive::people(conn, &mut state, &homes)?;
    outbox::enqueue(conn, &leavers, now)?;
    failpoint::reach("noticed");
    applied.leavers = leavers.len();
    dead::bury(conn, &applied.set_aside, now)?;
    queue::done(conn, &ids)?;
    Ok(applied)
}

/// Bodies to observations; what cannot be read is set aside and does not hold up the rest (lesson 16).
fn read(queued: Vec<Queued>, applied: &mut Applied) -> Vec<(i64, i16, Observation)> {
    let mut observations = Vec::with_capacity(queued.len());
    for delivery in queued {
        let reading = Source::named(&delivery.source).map(|source| source.read(&delivery.body));
        let failed = |detail: String| DeadLetter {
            inbox_id: delivery.inbox_id,
            reason: dead::NOT_UNDERSTOOD,
            detail,
            attempts: delivery.attempts,
        };
        match reading {
            Some(Ok(Reading::Fact(observation))) => {
                observations.push((delivery.inbox_id, delivery.attempts, *observation));
            }
            Some(Ok(Reading::Nothing)) => {}
            Some(Err(error)) => applied.set_aside.push(failed(error.to_string())),
            None => applied.set_aside.push(failed(format!("no broker is named {}", delivery.source))),
        }
        applied.event_keys.push(delivery.event_key);
    }
    observations
}

fn places(state: &State, rules: &Rules) -> HashMap<String, Place> {
    state.directories().map(|id| (id.clone(), place(state, id, rules))).collect()
}

fn write_words(conn: &mut Conn, state: &State) -> Result<(), DbError> {
    let touched = &state.touched;
    let changed: Vec<_> = touched.claims.iter().filter_map(|id| state.claim(*id)).collect();
    claims::update(conn, &changed)?;

    let standing: Vec<_> = touched
        .words
        .iter()
        .filter_map(|((kind, id), claim_id)| {
            let word = state.words(*kind, id).iter().find(|word| word.claim_id == *claim_id)?;
            Some((id.as_str(), *kind, word))
        })
        .collect();
    words::upsert(conn, &standing)?;

    let newest: Vec<_> = touched
        .memberships
        .iter()
        .map(|((_, _, claim_id), (membership, inbox_id))| NewMembership {
            membership,
            claim_id: *claim_id,
            inbox_id: *inbox_id,
        })
        .collect();
    memberships::upsert(conn, &newest)?;

    let mentions: Vec<_> = touched.mentions.iter().collect();
    roles::mention(conn, &mentions)?;
    Ok(())
}
