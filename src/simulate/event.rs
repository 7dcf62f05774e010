//! One event of the simulated broker, and the broker that stamps it: its clock, its ids, its dice.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::body::{Envelope, Nothing, Timestamp};
use super::ids::Ids;
use super::plan::{Plan, Stream};

/// An event as it is pushed: the same bytes on every attempt and in every duplicate.
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
    /// When the event is emitted.
    now: i64,
    /// When that happened which the event tells: a little earlier, but after the event before it.
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

    /// Moves broker time on by some of `milliseconds` (at least 2): no two events share an instant.
    pub(super) fn wait(&mut self, milliseconds: std::ops::Range<i64>) {
        let step = self.dice.random_range(milliseconds);
        self.changed_at = self.now + step / 2;
        self.now += step;
    }

    pub(super) fn event(&mut self, kind: &'static str, data: impl serde::Serialize) -> Event {
        let id = self.ids.ulid("event", self.now);
        let envelope =
            Envelope { id: &id, event: kind, data, created_at: Timestamp(self.now), context: Nothing {} };
        // Writing plain structs to memory has no way to fail.
        let body = serde_json::to_vec(&envelope).unwrap_or_default();
        Event { id, kind, body }
    }
}
