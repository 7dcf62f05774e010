//! Ids in the forms that brokers and identity providers use, drawn from the plan's seed.

use rand::{Rng, RngExt};
use rand_chacha::ChaCha8Rng;

use super::plan::{Plan, Stream};

const CROCKFORD: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const ALPHANUMERIC: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Each ULID has 80 random bits, so different seeds or entities do not get the same id.
#[derive(Debug)]
pub(super) struct Ids(ChaCha8Rng);

impl Ids {
    pub(super) fn new(plan: &Plan, stream: Stream) -> Self {
        Self(plan.random(stream))
    }

    /// `<prefix>_<ULID>`: 48 bits of time, 80 random bits.
    pub(super) fn ulid(&mut self, prefix: &str, unix_ms: i64) -> String {
        let time = u128::from(unix_ms.unsigned_abs() & 0xffff_ffff_ffff);
        let chance = (u128::from(self.0.next_u64()) << 16) | u128::from(self.0.next_u32() & 0xffff);
        let bits = (time << 80) | chance;
        let mut id = String::with_capacity(prefix.len() + 27);
        id.push_str(prefix);
        id.push('_');
        id.extend((0..26).rev().map(|digit| symbol(CROCKFORD, (bits >> (digit * 5)) as usize & 31)));
        id
    }

    /// An Okta user id: `00u` and 17 letters or digits.
    pub(super) fn okta(&mut self) -> String {
        let mut id = String::from("00u");
        id.extend((0..17).map(|_| symbol(ALPHANUMERIC, self.0.random_range(0..62))));
        id
    }

    /// An Entra object id: a version 4 UUID.
    pub(super) fn uuid(&mut self) -> String {
        let (high, low) = (self.0.next_u64(), self.0.next_u64());
        format!(
            "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
            high >> 32,
            (high >> 16) & 0xffff,
            high & 0xfff,
            0x8000 | ((low >> 48) & 0x3fff),
            low & 0xffff_ffff_ffff
        )
    }

    /// A Google id: 21 digits.
    pub(super) fn google(&mut self) -> String {
        format!("1{:020}", self.0.next_u64())
    }

    /// A directory's external key: nine letters or digits.
    pub(super) fn key(&mut self) -> String {
        (0..9).map(|_| symbol(ALPHANUMERIC, self.0.random_range(0..62))).collect()
    }
}

fn symbol(alphabet: &[u8], place: usize) -> char {
    char::from(alphabet.get(place).copied().unwrap_or(b'0'))
}
