//! All events happen, but some of their webhooks are never sent.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::{
    api::Api,
    event::Event,
    world::{Census, World},
};

/// The events with a webhook that is sent.
pub(super) struct DeliveredEvents {
    world: World,
    /// The API knows all events.
    api: Option<Api>,
    percent: u32,
    dice: ChaCha8Rng,
}

impl DeliveredEvents {
    pub(super) fn new(world: World, api: Option<Api>, percent: u8, dice: ChaCha8Rng) -> Self {
        Self { world, api, percent: u32::from(percent.min(100)), dice }
    }

    pub(super) fn census(&self) -> Census {
        self.world.census()
    }
}

impl Iterator for DeliveredEvents {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        loop {
            let event = self.world.next()?;
            if let Some(api) = &self.api {
                api.broker.lock().emit(&event);
            }
            if !self.dice.random_ratio(self.percent, 100) {
                return Some(event);
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let (events, most) = self.world.size_hint();
        (events * (100 - self.percent as usize) / 100, most)
    }
}
