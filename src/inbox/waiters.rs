//! Requests that wait until their delivery is applied. In memory only: a request ends with its process.

use std::{collections::HashMap, sync::Arc};

use parking_lot::Mutex;
use tokio::sync::oneshot;

/// The waiting requests by event id. Cheap to clone; all clones share them.
#[derive(Clone, Debug, Default)]
pub struct Waiters(Arc<Mutex<HashMap<String, oneshot::Sender<()>>>>);

impl Waiters {
    /// Begins to wait. It must be called before the delivery is committed.
    pub fn wait_for(&self, event_key: &str) -> oneshot::Receiver<()> {
        let (applied, waiting) = oneshot::channel();
        self.0.lock().insert(event_key.to_owned(), applied);
        waiting
    }

    /// Whether a request waits.
    pub fn any(&self) -> bool {
        !self.0.lock().is_empty()
    }

    /// Ends the waiting for applied deliveries.
    pub fn applied<'a>(&self, event_keys: impl IntoIterator<Item = &'a str>) {
        let mut waiting = self.0.lock();
        if waiting.is_empty() {
            return;
        }
        for event_key in event_keys {
            if let Some(applied) = waiting.remove(event_key) {
                // A request that no longer waits has been answered.
                let _ = applied.send(());
            }
        }
    }

    /// Forgets a request that no longer waits.
    pub fn forget(&self, event_key: &str) {
        self.0.lock().remove(event_key);
    }
}
