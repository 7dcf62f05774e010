//! Parses bodies into observations. Pure, so it runs before the serialized transaction begins.

use std::{collections::HashSet, ops::RangeInclusive};

use crate::{
    broker::Source,
    decide::fact::{Observation, Reading},
    inbox::{
        dead_letters::{self, DeadLetter},
        queue::{Queued, QueuedBatch},
    },
    runtime::clock::Timestamp,
};

/// A fact with a time far in the future would win over all true facts until that time. A retry of such a dead letter
/// works after its time. A rebuild decides the same, because it runs later.
const MOST_AHEAD_SECONDS: i64 = 24 * 3_600;

/// Values of a delivery that cannot be stored, each with a description.
#[derive(Debug, PartialEq, Eq)]
pub struct LeftOut {
    pub event_key: String,
    pub values: Vec<String>,
}

/// The observation of one delivery.
#[derive(Debug)]
pub struct ParsedObservation {
    pub inbox_id: i64,
    /// Failed attempts so far.
    pub attempts: i16,
    pub observation: Box<Observation>,
}

/// The contents of a batch of deliveries.
#[derive(Debug, Default)]
pub struct ParsedBatch {
    /// In ascending order.
    pub inbox_ids: Vec<i64>,
    /// For the log.
    pub event_keys: Vec<String>,
    pub received_at: Vec<Timestamp>,
    /// Observations of the deliveries that are readable and contain a fact.
    pub observations: Vec<ParsedObservation>,
    /// Unreadable deliveries do not stop the others (lesson 16).
    pub dead_letters: Vec<DeadLetter>,
    /// With the id of the delivery.
    pub left_out: Vec<(i64, LeftOut)>,
    /// Whether the batch has reached its limit.
    pub is_full: bool,
}

impl ParsedBatch {
    /// The ids from the first delivery to the last.
    pub fn span(&self) -> RangeInclusive<i64> {
        let (first, last) = (self.inbox_ids.first(), self.inbox_ids.last());
        first.copied().unwrap_or_default()..=last.copied().unwrap_or_default()
    }

    /// The batch without deliveries that other processes have applied meanwhile.
    pub fn still_queued(mut self, queued: &[i64]) -> Self {
        if queued.len() < self.inbox_ids.len() {
            let queued: HashSet<i64> = queued.iter().copied().collect();
            let remaining: Vec<bool> = self.inbox_ids.iter().map(|id| queued.contains(id)).collect();
            let (mut keys, mut times) = (remaining.iter(), remaining.iter());
            self.event_keys.retain(|_| keys.next().copied().unwrap_or_default());
            self.received_at.retain(|_| times.next().copied().unwrap_or_default());
            self.inbox_ids.retain(|id| queued.contains(id));
            self.observations.retain(|parsed| queued.contains(&parsed.inbox_id));
            self.dead_letters.retain(|letter| queued.contains(&letter.inbox_id));
            self.left_out.retain(|(id, _)| queued.contains(id));
        }
        self
    }
}

pub fn read(taken: QueuedBatch, now: Timestamp) -> ParsedBatch {
    let mut batched = ParsedBatch { is_full: taken.is_full, ..ParsedBatch::default() };
    for Queued { inbox_id, event_key, source, attempts, received_at, body } in taken.queued {
        let not_understood = |detail| DeadLetter {
            inbox_id,
            reason: dead_letters::NOT_UNDERSTOOD,
            detail,
            attempts,
            claims: None,
            retry_at: None,
        };
        match Source::named(&source).map(|source| source.read(&body)) {
            Some(Ok(Reading::Fact(observation, _)))
                if observation.emitted() > now.plus_seconds(MOST_AHEAD_SECONDS) =>
            {
                batched.dead_letters.push(DeadLetter {
                    inbox_id,
                    reason: dead_letters::TIME_AHEAD,
                    detail: format!(
                        "its time, {}, is more than a day ahead of this service's clock, {now}; look at both clocks. A \
                         retry applies it when that time has come",
                        observation.emitted()
                    ),
                    attempts,
                    claims: None,
            retry_at: None,
                });
            }
            Some(Ok(Reading::Fact(observation, left_out))) => {
                if !left_out.is_empty() {
                    let left_out = LeftOut { event_key: event_key.clone(), values: left_out };
                    batched.left_out.push((inbox_id, left_out));
                }
                batched.observations.push(ParsedObservation { inbox_id, attempts, observation });
            }
            Some(Ok(Reading::Nothing)) => {}
            Some(Err(error)) => batched.dead_letters.push(not_understood(error.to_string())),
            None => batched.dead_letters.push(not_understood(format!("no broker is named {source}"))),
        }
        batched.inbox_ids.push(inbox_id);
        batched.event_keys.push(event_key);
        batched.received_at.push(received_at);
    }
    batched
}
