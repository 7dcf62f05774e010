//! Which records an endpoint gets next. The file is pure.
//!
//! Records of one lane are sent one after the other; lanes are independent. When a record fails, its lane pauses: the record
//! and all later ones of the lane get rows of `endpoint_waiting`, so the position of the endpoint moves on. A record that
//! fails for too long while others succeed is given up. A course is held in memory by the process that has the lease, and is
//! read again from the tables by the next one: it then may send records once more, and never leaves one out.

mod progress;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    sync::Arc,
};

use super::{EndpointLimits, answer::Outcome, circuit::Circuit, pause, waiting::Waiting};
use crate::runtime::clock::Timestamp;

pub use progress::{Counts, Progress};

const FIRST_PAUSE: i64 = 5_000;
const LONGEST_PAUSE: i64 = 3_600_000;

/// Records in memory that have no row of `endpoint_waiting`.
const WINDOW: usize = 2_000;
/// The same while the circuit is open.
const WINDOW_WHILE_OPEN: usize = 64;
/// Numbers between the position and the newest record in memory, above which the oldest records get rows. So a slow answer
/// does not stop the position.
const SPAN: i64 = 10_000;

type LaneName = Arc<str>;

#[derive(Debug)]
struct Item {
    lane: LaneName,
    attempts: i64,
    since: Option<Timestamp>,
    has_row: bool,
}

#[derive(Debug, Default)]
struct Lane {
    queue: BTreeSet<i64>,
    sending: Option<i64>,
    due_at: Option<Timestamp>,
}

/// The result for a record that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is settled.
    Settled,
    /// It is sent again.
    Waits,
    /// It failed for too long.
    GivenUp,
    /// The endpoint wants no more webhooks.
    Gone,
}

/// The records of an endpoint that are not settled, as far as they were read.
#[derive(Debug)]
pub struct Course {
    limits: EndpointLimits,
    circuit: Circuit,
    last_success_at: Option<Timestamp>,
    read_to: i64,
    items: BTreeMap<i64, Item>,
    /// Those without a row.
    rowless: BTreeSet<i64>,
    lanes: HashMap<LaneName, Lane>,
    /// Lanes of which the first record was not tried, or was tried by an earlier process.
    ready: VecDeque<LaneName>,
    /// Lanes that pause.
    due: BTreeSet<(Timestamp, LaneName)>,
    in_flight: usize,
    unstored: progress::Unstored,
}

impl Course {
    /// Begins behind `settled_seq`, with these rows.
    pub fn new(
        limits: EndpointLimits,
        settled_seq: i64,
        (circuit, last_success_at): (Circuit, Option<Timestamp>),
        rows: Vec<Waiting>,
    ) -> Self {
        let mut course = Self {
            limits,
            circuit,
            last_success_at,
            read_to: settled_seq,
            items: BTreeMap::new(),
            rowless: BTreeSet::new(),
            lanes: HashMap::new(),
            ready: VecDeque::new(),
            due: BTreeSet::new(),
            in_flight: 0,
            unstored: progress::Unstored::new(settled_seq, circuit),
        };
        for row in rows {
            let lane: LaneName = row.lane.as_str().into();
            let (attempts, since) = (row.attempts, row.since());
            course.items.insert(row.seq, Item { lane: lane.clone(), attempts, since, has_row: true });
            let entry = course.lanes.entry(lane).or_default();
            entry.queue.insert(row.seq);
            entry.due_at = entry.due_at.max(row.due_at());
        }
        let names: BTreeMap<i64, LaneName> = course
            .lanes
            .iter()
            .filter_map(|(name, lane)| Some((*lane.queue.first()?, name.clone())))
            .collect();
        names.into_values().for_each(|name| course.queue(&name));
        course
    }

    /// The newest record that was read.
    pub fn read_to(&self) -> i64 {
        self.read_to
    }

    /// The circuit.
    pub fn circuit(&self) -> Circuit {
        self.circuit
    }

    /// Requests under way.
    pub fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// How many further records may be read now.
    pub fn room(&self) -> usize {
        let window = if self.circuit.is_open() { WINDOW_WHILE_OPEN } else { WINDOW };
        let free = window.saturating_sub(self.rowless.len());
        // Not in small pages.
        if free < window / 4 || self.items.len() - self.rowless.len() >= self.limits.most_waiting {
            0
        } else {
            free
        }
    }

    /// Failed attempts of a record.
    pub fn attempts(&self, seq: i64) -> i64 {
        self.items.get(&seq).map_or(0, |item| item.attempts)
    }

    /// The records up to this one were deleted before they were read.
    pub fn skip_to(&mut self, seq: i64) {
        self.unstored.counts.lost += (seq - self.read_to).max(0);
        self.read_to = self.read_to.max(seq);
    }

    /// Adds the records up to `read_to`: number and lane of each that the endpoint wants.
    pub fn read<'a>(
        &mut self,
        records: impl IntoIterator<Item = (i64, &'a str)>,
        read_to: i64,
        now: Timestamp,
    ) {
        for (seq, lane) in records {
            // It has a row already.
            if seq <= self.read_to || self.items.contains_key(&seq) {
                continue;
            }
            let name: LaneName = lane.into();
            self.items.insert(seq, Item { lane: name.clone(), attempts: 0, since: None, has_row: false });
            self.rowless.insert(seq);
            let lane = self.lanes.entry(name.clone()).or_default();
            lane.queue.insert(seq);
            if lane.due_at.is_some() {
                self.store(seq, Some(now));
            } else if lane.queue.len() == 1 && lane.sending.is_none() {
                self.ready.push_back(name);
            }
        }
        self.read_to = self.read_to.max(read_to);
    }

    /// The next record to send; `None` if nothing may be sent now.
    pub fn next(&mut self, now: Timestamp) -> Option<i64> {
        if self.in_flight >= self.circuit.allowance(self.limits.in_flight, now) {
            return None;
        }
        let name = match self.circuit.is_open() {
            // Another record than those that failed, if there is one: it tells more.
            true => self.ready.pop_front().or_else(|| self.due.pop_first().map(|(_, name)| name)),
            false => self.pop_due(now).or_else(|| self.ready.pop_front()),
        }?;
        let lane = self.lanes.get_mut(&name)?;
        let seq = *lane.queue.first()?;
        lane.sending = Some(seq);
        self.in_flight += 1;
        Some(seq)
    }

    fn pop_due(&mut self, now: Timestamp) -> Option<LaneName> {
        match self.due.first().is_some_and(|(due_at, _)| *due_at <= now) {
            true => self.due.pop_first().map(|(_, name)| name),
            false => None,
        }
    }

    /// When `next` may have something although nothing else happens.
    pub fn wakes_at(&self) -> Option<Timestamp> {
        match self.circuit.open_until {
            Some(_) if self.in_flight > 0 || self.ready.is_empty() && self.due.is_empty() => None,
            Some(until) => Some(until),
            None => self.due.first().map(|(due_at, _)| *due_at),
        }
    }

    /// The result of a request.
    pub fn settle(&mut self, seq: i64, outcome: &Outcome, now: Timestamp) -> Fate {
        let Some(name) = self.end_request(seq) else { return Fate::Settled };
        match outcome {
            Outcome::Delivered => {
                self.circuit.succeeded();
                self.last_success_at = Some(now);
                self.unstored.counts.delivered += 1;
                self.remove(seq, &name);
                Fate::Settled
            }
            Outcome::Gone => Fate::Gone,
            Outcome::Failed { retry_after } => {
                let was_open = self.circuit.is_open();
                // Another failure of one record says nothing about the endpoint.
                if was_open || self.attempts(seq) == 0 {
                    self.circuit.failed(self.limits.failures_until_pause, seq, now);
                }
                if let Some(seconds) = retry_after {
                    self.circuit.wait(*seconds, now);
                }
                self.fail(seq, &name, was_open, now)
            }
        }
    }

    /// The record is not stored any more.
    pub fn lose(&mut self, seq: i64) {
        if let Some(name) = self.end_request(seq) {
            self.unstored.counts.lost += 1;
            self.remove(seq, &name);
        }
    }

    fn end_request(&mut self, seq: i64) -> Option<LaneName> {
        let name = self.items.get(&seq)?.lane.clone();
        self.in_flight = self.in_flight.saturating_sub(1);
        self.lanes.get_mut(&name)?.sending = None;
        Some(name)
    }

    fn fail(&mut self, seq: i64, name: &LaneName, was_open: bool, now: Timestamp) -> Fate {
        let Some(item) = self.items.get_mut(&seq) else { return Fate::Settled };
        item.attempts += 1;
        let since = *item.since.get_or_insert(now);
        // While nothing succeeds, the failure says nothing about the record.
        let others_succeed = !was_open && self.last_success_at.is_some_and(|at| at >= since);
        if others_succeed && now.seconds_since(since) >= self.limits.give_up_seconds {
            self.unstored.counts.given_up += 1;
            self.remove(seq, name);
            return Fate::GivenUp;
        }
        let pause = pause::millis(FIRST_PAUSE, LONGEST_PAUSE, item.attempts, seq);
        let due_at = Timestamp::from_micros(now.micros().saturating_add(pause * 1_000));
        let Some(lane) = self.lanes.get_mut(name) else { return Fate::Settled };
        lane.due_at = Some(due_at);
        let behind: Vec<i64> = lane.queue.iter().copied().collect();
        behind.into_iter().for_each(|one| self.store(one, Some(now)));
        self.unstored.changed.insert(seq);
        self.due.insert((due_at, name.clone()));
        Fate::Waits
    }

    /// Takes a record out. The next one of its lane may go.
    fn remove(&mut self, seq: i64, name: &LaneName) {
        if self.items.remove(&seq).is_some_and(|item| item.has_row) {
            self.unstored.changed.remove(&seq);
            self.unstored.removed.push(seq);
        }
        self.rowless.remove(&seq);
        let Some(lane) = self.lanes.get_mut(name) else { return };
        lane.queue.remove(&seq);
        lane.due_at = None;
        match lane.queue.is_empty() {
            true => drop(self.lanes.remove(name)),
            false => self.queue(name),
        }
    }

    fn queue(&mut self, name: &LaneName) {
        match self.lanes.get(name).and_then(|lane| lane.due_at) {
            Some(due_at) => drop(self.due.insert((due_at, name.clone()))),
            None => self.ready.push_back(name.clone()),
        }
    }

    /// Gives a record a row.
    fn store(&mut self, seq: i64, since: Option<Timestamp>) {
        let Some(item) = self.items.get_mut(&seq) else { return };
        item.since = item.since.or(since);
        if !item.has_row {
            item.has_row = true;
            self.rowless.remove(&seq);
            self.unstored.changed.insert(seq);
        }
    }
}
