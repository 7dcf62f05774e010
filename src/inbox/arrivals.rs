//! Whether webhooks arrive: the appender records it for the thread that reads the same events from the API
//! (`worker::event_poller`). In memory only.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicI64, Ordering},
};

use crate::runtime::clock::Timestamp;

/// The time of the last webhook. Cheap to clone; all clones share it.
#[derive(Clone, Debug, Default)]
pub struct Arrivals(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    is_wanted: AtomicBool,
    last: AtomicI64,
}

impl Arrivals {
    /// Makes the appender check for repetitions from now on, because this process also reads the events from the API.
    pub fn want(&self) {
        self.0.is_wanted.store(true, Ordering::SeqCst);
    }

    pub(super) fn is_wanted(&self) -> bool {
        self.0.is_wanted.load(Ordering::SeqCst)
    }

    pub(super) fn note(&self, received_at: Timestamp) {
        self.0.last.fetch_max(received_at.micros(), Ordering::SeqCst);
    }

    /// When this process received the last webhook.
    pub fn last(&self) -> Option<Timestamp> {
        Some(self.0.last.load(Ordering::SeqCst)).filter(|last| *last > 0).map(Timestamp::from_micros)
    }
}
