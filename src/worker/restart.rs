//! A worker whose calls of the database are watched. A connection that falls silent holds its caller for as long as it
//! likes, so a shift that waits for an answer too long is left behind, and the next one begins with new connections.
//!
//! The one left behind does no harm if it wakes: it is as another process on the same database would be, and its
//! transaction stands or falls as a whole.

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

/// Longer than the wait for the serialized transaction may last (`lock_timeout`): such a wait is no silence.
const BOUND: Duration = Duration::from_secs(22);

/// With several left behind it is perhaps no silence but a database that is very slow.
const MOST_LEFT_BEHIND: usize = 4;
const LONG_BOUND: Duration = Duration::from_secs(90);

/// At the end of the service a call that lasts longer than this is not waited for: what it writes is rolled back.
const BOUND_AT_END: Duration = Duration::from_secs(5);

const LOOK: Duration = Duration::from_millis(250);

/// What a worker asks between its steps.
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

/// Runs `work`, again and again if need be; it ends when its shift is over. `watch` sees its calls of `database`.
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
    /// Each is disconnected when its shift ends after all.
    abandoned: Vec<Receiver<()>>,
}

/// A shift, and the end of it.
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
                    "the database does not answer, and its answer is not waited for"
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
                "the database did not answer; whether the last change was made is not known, and it is looked for by new connections"
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
    if abandoned < MOST_LEFT_BEHIND { BOUND } else { LONG_BOUND }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_for_the_turn_is_no_silence_and_many_left_behind_are_waited_for_longer() {
        assert!(bound(0) > Duration::from_secs(20));
        assert_eq!(bound(MOST_LEFT_BEHIND), LONG_BOUND);
    }
}
