//! A worker whose database calls are watched. A silent connection blocks its caller without a limit. So a shift that
//! waits too long for an answer is abandoned, and the next shift begins with new connections.
//!
//! An abandoned shift does no harm when it continues: it is like another process on the same database, and its
//! transaction is atomic.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, RecvTimeoutError, TryRecvError, channel},
    },
    thread::{Builder, JoinHandle},
    time::{Duration, Instant},
};

use crate::{
    db::{Database, Watch},
    runtime::wake::Wake,
};

/// Longer than the wait for the serialized transaction can last (`lock_timeout`): such a wait is no silence.
const BOUND: Duration = Duration::from_secs(22);

/// When so many shifts are abandoned, the database is probably slow and not silent.
const MOST_ABANDONED: usize = 4;
const LONG_BOUND: Duration = Duration::from_secs(90);

/// At the end of the service, a call that takes longer than this is abandoned. Its changes are rolled back.
const BOUND_AT_END: Duration = Duration::from_secs(5);

const LOOK: Duration = Duration::from_millis(250);

/// Asked by a worker between its steps.
#[derive(Clone)]
pub struct Shift {
    wake: Wake,
    abandoned: Arc<AtomicBool>,
}

impl Shift {
    pub fn is_over(&self) -> bool {
        self.wake.is_stopping() || self.abandoned.load(Ordering::SeqCst)
    }
}

/// Runs `work`, and again after a shift was abandoned, until the service stops. `watch` sees the work's calls of
/// `database`.
pub fn start(
    name: &'static str,
    (database, watch): (Database, Watch),
    wake: Wake,
    work: impl Fn(&Shift) + Send + Sync + 'static,
) -> std::io::Result<JoinHandle<()>> {
    let mut shifts = Shifts { name, database, watch, wake, work: Arc::new(work), abandoned: Vec::new() };
    let first = shifts.begin()?;
    Builder::new().name(format!("{name}-watch")).spawn(move || shifts.attend(first))
}

struct Shifts<W> {
    name: &'static str,
    database: Database,
    watch: Watch,
    wake: Wake,
    work: Arc<W>,
    /// One for each abandoned shift, disconnected when that shift ends.
    abandoned: Vec<Receiver<()>>,
}

/// A shift, and the channel that is disconnected when it ends.
type Begun = (Shift, Receiver<()>);

impl<W: Fn(&Shift) + Send + Sync + 'static> Shifts<W> {
    fn begin(&self) -> std::io::Result<Begun> {
        let shift = Shift { wake: self.wake.clone(), abandoned: Arc::default() };
        let (ended, end) = channel::<()>();
        let (work, of_thread) = (self.work.clone(), shift.clone());
        Builder::new().name(self.name.to_owned()).spawn(move || {
            work(&of_thread);
            drop(ended);
        })?;
        Ok((shift, end))
    }

    fn attend(&mut self, mut begun: Begun) {
        while begun.1.recv_timeout(LOOK) == Err(RecvTimeoutError::Timeout) {
            let longest = self.watch.longest(Instant::now());
            if self.wake.is_stopping() && longest >= BOUND_AT_END {
                tracing::warn!(
                    worker = self.name,
                    "the database does not answer; the service stops without its answer"
                );
                return;
            }
            self.abandoned.retain(|end| end.try_recv() == Err(TryRecvError::Empty));
            if longest < bound(self.abandoned.len()) {
                continue;
            }
            tracing::error!(
                worker = self.name,
                seconds = longest.as_secs(),
                "the database did not answer, so it is unknown whether the last change was committed; new connections continue from the stored state"
            );
            self.watch.forget();
            self.database.renew();
            match self.begin() {
                Ok(next) => {
                    let (shift, end) = std::mem::replace(&mut begun, next);
                    shift.abandoned.store(true, Ordering::SeqCst);
                    self.abandoned.push(end);
                }
                Err(error) => tracing::error!(error = %error, "a thread could not be started"),
            }
        }
    }
}

fn bound(abandoned: usize) -> Duration {
    if abandoned < MOST_ABANDONED { BOUND } else { LONG_BOUND }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_for_the_serialized_transaction_is_no_silence_and_the_bound_grows_with_abandoned_shifts() {
        assert!(bound(0) > Duration::from_secs(20));
        assert_eq!(bound(MOST_ABANDONED), LONG_BOUND);
    }
}
