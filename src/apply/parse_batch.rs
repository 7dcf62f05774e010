//! Bodies to observations. Pure, so it runs before the serialized transaction begins.

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

/// A fact from further ahead of the clock would win over every true fact until then. A retry of such a dead letter helps once
/// its time has come, and a rebuild says the same, since time goes on.
const MOST_AHEAD_SECONDS: i64 = 24 * 3_600;

/// Values of a delivery that cannot be stored, each in words.
#[derive(Debug, PartialEq, Eq)]
pub struct LeftOut {
    pub event_key: String,
    pub values: Vec<String>,
}

/// The observation of one delivery.
#[derive(Debug)]
pub struct ParsedObservation {
    pub inbox_id: i64,
    /// How often the delivery failed so far.
    pub attempts: i16,
    pub observation: Box<Observation>,
}

/// The contents of a batch of deliveries.
#[derive(Debug, Default)]
pub struct ParsedBatch {
    /// In order.
    pub inbox_ids: Vec<i64>,
    /// For the log.
    pub event_keys: Vec<String>,
    pub received_at: Vec<Timestamp>,
    /// Of the deliveries that can be read and say something.
    pub observations: Vec<ParsedObservation>,
    /// Deliveries that cannot be read do not hold up the others (lesson 16).
    pub set_aside: Vec<DeadLetter>,
    /// By delivery.
    pub left_out: Vec<(i64, LeftOut)>,
    /// Whether it is as large as a batch may be.
    pub is_full: bool,
}

impl ParsedBatch {
    /// The ids from the first delivery to the last.
    pub fn span(&self) -> RangeInclusive<i64> {
        let (first, last) = (self.inbox_ids.first(), self.inbox_ids.last());
        first.copied().unwrap_or_default()..=last.copied().unwrap_or_default()
    }

    /// The same without deliveries that other processes have applied meanwhile.
    pub fn still_queued(mut self, queued: &[i64]) -> Self {
        if queued.len() < self.inbox_ids.len() {
            let queued: HashSet<i64> = queued.iter().copied().collect();
            let kept: Vec<bool> = self.inbox_ids.iter().map(|id| queued.contains(id)).collect();
            let (mut keys, mut times) = (kept.iter(), kept.iter());
            self.event_keys.retain(|_| keys.next().copied().unwrap_or_default());
            self.received_at.retain(|_| times.next().copied().unwrap_or_default());
            self.inbox_ids.retain(|id| queued.contains(id));
            self.observations.retain(|parsed| queued.contains(&parsed.inbox_id));
            self.set_aside.retain(|letter| queued.contains(&letter.inbox_id));
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
                batched.set_aside.push(DeadLetter {
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
            Some(Err(error)) => batched.set_aside.push(not_understood(error.to_string())),
            None => batched.set_aside.push(not_understood(format!("no broker is named {source}"))),
        }
        batched.inbox_ids.push(inbox_id);
        batched.event_keys.push(event_key);
        batched.received_at.push(received_at);
    }
    batched
}
