//! The plan of a simulation: sizes, the seed, the broker's first time. All randomness comes from the seed, so equal
//! plans give equal bytes.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use super::world::World;

/// 2026-01-01T00:00:00Z. The start is fixed, so every event of a second run is a duplicate.
pub const DEFAULT_START: i64 = 1_767_225_600_000;

/// The size of a simulation and its seed.
///
/// Two plans with different `seed`, `tenants` or `users` share no id. Two plans that differ only in `events` share
/// their beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// Organizations, each with one directory.
    pub tenants: u32,
    /// People over all tenants.
    pub users: u32,
    /// Events over all tenants. A first sync is always complete: if this number is smaller, the stream is only the
    /// first sync.
    pub events: u64,
    pub seed: u64,
    /// Broker time of the first event, in milliseconds since the epoch.
    pub start: i64,
}

/// The independent sources of randomness. More of one thing does not change another.
#[derive(Debug, Clone, Copy)]
pub(super) enum Stream {
    Choices,
    Ids,
    /// Duplicates and order.
    Wire,
    /// Webhooks that never arrive.
    Lost,
    /// Ids of the last event. A longer simulation does not have it at that position.
    Ending,
}

impl Plan {
    /// The events in the order in which the broker emits them.
    pub fn events(&self) -> World {
        World::new(*self)
    }

    pub(super) fn random(&self, stream: Stream) -> ChaCha8Rng {
        let sizes = (u64::from(self.tenants) << 32) | u64::from(self.users);
        let number = match stream {
            Stream::Choices => 0,
            Stream::Ids => 1,
            Stream::Wire => 2,
            Stream::Lost => u64::MAX,
            Stream::Ending => 3_u64.wrapping_add(self.events),
        };
        let words = [self.seed, sizes, number, 0];
        let mut key = [0; 32];
        for (place, byte) in key.iter_mut().zip(words.into_iter().flat_map(u64::to_le_bytes)) {
            *place = byte;
        }
        ChaCha8Rng::from_seed(key)
    }
}
