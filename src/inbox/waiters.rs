//! Requests that wait until their delivery is applied. In memory only: a request ends with its process.

use std::{collections::HashMap, sync::Arc};

use parking_lot::Mutex;
use tokio::sync::oneshot;

/// The waiting requests by event id. Cheap to clone; all clones share them.
#[derive(Clone, Debug, Default)]
pub struct Waiters(Arc<Mutex<HashMap<String, oneshot::Sender<()>>>>);

impl Waiters {
    /// Begins to wait. It must be called before the delivery is committed.
    pub fn wait_for(&self, event_key: &str) -> Waiting {
        let (sender, applied) = oneshot::channel();
        self.0.lock().insert(event_key.to_owned(), sender);
        Waiting { waiters: self.clone(), event_key: event_key.to_owned(), applied }
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
}

/// A request that waits. It is forgotten when it is dropped, also because its client has disconnected.
#[derive(Debug)]
pub struct Waiting {
    waiters: Waiters,
    event_key: String,
    applied: oneshot::Receiver<()>,
}

impl Waiting {
    /// Ends when this process has applied the delivery. It may be called again after a time limit.
    pub async fn applied(&mut self) {
        // An error means that nobody will say it any more; the caller looks into the queue.
        if (&mut self.applied).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.waiters.0.lock().remove(&self.event_key);
    }
}

#[cfg(test)]
mod tests {
    use std::{
        pin::pin,
        task::{Context, Waker},
    };

    use super::*;

    fn is_applied(waiting: &mut Waiting) -> bool {
        pin!(waiting.applied()).poll(&mut Context::from_waker(Waker::noop())).is_ready()
    }

    #[test]
    fn a_request_waits_for_its_own_delivery() {
        let waiters = Waiters::default();
        let mut waiting = waiters.wait_for("event_1");
        waiters.applied(["event_2"]);
        assert!(!is_applied(&mut waiting) && waiters.any());
        waiters.applied(["event_2", "event_1"]);
        assert!(is_applied(&mut waiting) && !waiters.any());
    }

    #[test]
    fn a_dropped_request_is_forgotten() {
        let waiters = Waiters::default();
        drop(waiters.wait_for("event_1"));
        assert!(!waiters.any());
    }
}
