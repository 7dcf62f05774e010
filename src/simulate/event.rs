//! One event of the simulated broker, and the source of its times, ids and random numbers.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::body::{Envelope, Nothing, Timestamp};
use super::ids::Ids;
use super::plan::{Plan, Stream};

/// An event as it is sent: the same bytes in every attempt and every duplicate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    pub id: String,
    /// `dsync.user.created` and so on.
    pub kind: &'static str,
    pub body: Vec<u8>,
}

#[derive(Debug)]
pub(super) struct Broker {
    pub dice: ChaCha8Rng,
    pub ids: Ids,
    /// The time of the event, in milliseconds since 1970.
    now: i64,
    /// The time of the change in the event: a little earlier than the event, but after the previous event.
    pub changed_at: i64,
}

impl Broker {
    pub(super) fn new(plan: &Plan) -> Self {
        Self {
            dice: plan.random(Stream::Choices),
            ids: Ids::new(plan, Stream::Ids),
            now: plan.start,
            changed_at: plan.start,
        }
    }

    /// Advances the broker's clock by a random part of `milliseconds` (at least 2), so no two events have the same
    /// time.
    pub(super) fn wait(&mut self, milliseconds: std::ops::Range<i64>) {
        let step = self.dice.random_range(milliseconds);
        self.changed_at = self.now + step / 2;
        self.now += step;
    }

    pub(super) fn event(&mut self, kind: &'static str, data: impl serde::Serialize) -> Event {
        let id = self.ids.ulid("event", self.now);
        let envelope =
            Envelope { id: &id, event: kind, data, created_at: Timestamp(self.now), context: Nothing {} };
        // Writing plain structs to memory cannot fail.
        let body = serde_json::to_vec(&envelope).unwrap_or_default();
        Event { id, kind, body }
    }
}
