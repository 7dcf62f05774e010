//! The order of deliveries, which differs from the order of events: duplicates come later, and a shuffle gives a
//! random order.

use std::collections::BTreeMap;
use std::sync::Arc;

use rand::RngExt;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::event::Event;

/// The maximum number of deliveries between an event and its duplicate.
const FARTHEST: u64 = 1000;

/// Delivers a percentage of the events a second time, later. Only these are in memory.
#[derive(Debug)]
pub(super) struct Duplicates<I> {
    events: I,
    percent: u32,
    dice: ChaCha8Rng,
    delivered: u64,
    /// By the index at which they are due, then by the index of the original.
    waiting: BTreeMap<(u64, u64), Arc<Event>>,
}

impl<I: Iterator<Item = Event>> Duplicates<I> {
    pub(super) fn new(events: I, percent: u8, dice: ChaCha8Rng) -> Self {
        Self { events, percent: u32::from(percent.min(100)), dice, delivered: 0, waiting: BTreeMap::new() }
    }

    pub(super) fn events(&self) -> &I {
        &self.events
    }

    /// All remaining deliveries in a random order. All events are in memory.
    pub(super) fn shuffled(&mut self) -> Vec<Arc<Event>> {
        let mut all: Vec<_> = self.collect();
        all.shuffle(&mut self.dice);
        all
    }

    /// The approximate number of remaining deliveries.
    pub(super) fn expected(&self) -> u64 {
        let events = self.events.size_hint().0 as u64;
        events + events * u64::from(self.percent) / 100 + self.waiting.len() as u64
    }
}

impl<I: Iterator<Item = Event>> Iterator for Duplicates<I> {
    type Item = Arc<Event>;

    fn next(&mut self) -> Option<Arc<Event>> {
        let place = self.delivered;
        self.delivered += 1;
        if self.waiting.first_key_value().is_some_and(|((due, _), _)| *due <= place) {
            return self.waiting.pop_first().map(|(_, event)| event);
        }
        let Some(event) = self.events.next() else {
            return self.waiting.pop_first().map(|(_, event)| event);
        };
        let event = Arc::new(event);
        if self.dice.random_ratio(self.percent, 100) {
            let due = place + self.dice.random_range(1..=FARTHEST);
            self.waiting.insert((due, place), Arc::clone(&event));
        }
        Some(event)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulate::plan::{Plan, Stream};

    const PLAN: Plan = Plan { tenants: 2, users: 200, events: 3000, seed: 4, start: 0 };

    fn wire(percent: u8) -> Duplicates<impl Iterator<Item = Event>> {
        Duplicates::new(PLAN.events(), percent, PLAN.random(Stream::Wire))
    }

    fn ids(deliveries: &[Arc<Event>]) -> Vec<&str> {
        deliveries.iter().map(|event| event.id.as_str()).collect()
    }

    #[test]
    fn a_tenth_of_the_events_comes_again_and_never_before_itself() {
        let deliveries: Vec<_> = wire(10).collect();
        let mut seen = std::collections::HashMap::<&str, u32>::new();
        let emitted: Vec<_> = PLAN.events().map(|event| event.id).collect();
        let mut first_times = Vec::new();
        for event in &deliveries {
            let times = seen.entry(&event.id).or_default();
            *times += 1;
            if *times == 1 {
                first_times.push(event.id.clone());
            }
        }
        assert_eq!(first_times, emitted);
        assert!(seen.values().all(|times| *times <= 2));
        let again = deliveries.len() - emitted.len();
        assert!((200..400).contains(&again), "{again} of {} came again", emitted.len());
    }

    #[test]
    fn a_shuffle_keeps_the_deliveries_and_is_repeatable() {
        let (plain, shuffled, repeated) =
            (wire(10).collect::<Vec<_>>(), wire(10).shuffled(), wire(10).shuffled());
        assert_eq!(ids(&shuffled), ids(&repeated));
        assert_ne!(ids(&shuffled), ids(&plain));
        let (mut plain, mut shuffled) = (ids(&plain), ids(&shuffled));
        plain.sort_unstable();
        shuffled.sort_unstable();
        assert_eq!(plain, shuffled);
    }
}
