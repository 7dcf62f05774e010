//! Limits the bytes of bodies in memory, from the first received byte to the commit.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// The limit, and the bytes in use. All requests share it; cheap to clone.
#[derive(Clone, Debug)]
pub struct Room {
    taken: Arc<AtomicUsize>,
    most: usize,
}

/// The bytes of one body. Released when dropped.
#[derive(Debug)]
pub struct RoomTaken {
    room: Room,
    bytes: usize,
}

impl Room {
    /// Room for `most` bytes.
    pub fn new(most: usize) -> Self {
        Self { taken: Arc::default(), most }
    }

    /// Begins a body of which no byte has arrived yet.
    pub fn enter(&self) -> RoomTaken {
        RoomTaken { room: self.clone(), bytes: 0 }
    }
}

impl RoomTaken {
    /// Takes room for more bytes. Without enough room it takes none and returns false. Only received bytes count, because
    /// the sender of a `Content-Length` is not verified yet.
    pub fn grow(&mut self, bytes: usize) -> bool {
        let fits = |taken: usize| taken.checked_add(bytes).filter(|taken| *taken <= self.room.most);
        let grown = self.room.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits).is_ok();
        if grown {
            self.bytes += bytes;
        }
        grown
    }
}

impl Drop for RoomTaken {
    fn drop(&mut self) {
        self.room.taken.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_share_the_room_and_give_it_back() {
        let room = Room::new(10);
        let (mut first, mut second) = (room.enter(), room.enter());
        assert!(first.grow(6) && second.grow(4));
        assert!(!second.grow(1) && !first.grow(usize::MAX));
        drop(first);
        assert!(second.grow(6) && !second.grow(1));
        drop(second);
        assert_eq!(room.taken.load(Ordering::Relaxed), 0);
    }
}
