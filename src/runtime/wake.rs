//! Wakes a thread when there is work. In memory only: each thread also polls, so a crash loses no work.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use parking_lot::{Condvar, Mutex};

/// The longest usual time between two commits under load, even on a slow disk. After a longer time, the load has ended.
const SILENCE: Duration = Duration::from_millis(20);

/// Cheap to clone; all clones are one bell.
#[derive(Clone, Default)]
pub struct Wake {
    bell: Arc<Bell>,
}

#[derive(Default)]
struct Bell {
    rung: Mutex<bool>,
    changed: Condvar,
    stopping: AtomicBool,
}

impl Wake {
    /// Signals work. Without a waiting thread, the next `wait` returns at once.
    pub fn ring(&self) {
        *self.bell.rung.lock() = true;
        self.bell.changed.notify_all();
    }

    /// Whether it has rung since the last call of `wait` or `take_ring`. The caller must look for work afterwards.
    pub fn take_ring(&self) -> bool {
        std::mem::take(&mut *self.bell.rung.lock())
    }

    /// Asks all listening threads to finish their current work and end.
    pub fn stop(&self) {
        self.bell.stopping.store(true, Ordering::SeqCst);
        self.ring();
    }

    /// Whether [`Wake::stop`] was called.
    pub fn is_stopping(&self) -> bool {
        self.bell.stopping.load(Ordering::SeqCst)
    }

    /// Waits while it continues to ring, at most for `length`. Returns early when it stops.
    pub fn pause(&self, length: Duration) {
        let until = Instant::now() + length;
        let mut rung = self.bell.rung.lock();
        while !self.is_stopping() && Instant::now() < until {
            let silent = Instant::now() + SILENCE;
            if self.bell.changed.wait_until(&mut rung, until.min(silent)).timed_out() {
                return;
            }
        }
    }

    /// Waits until it rings, at most for `at_most`.
    pub fn wait(&self, at_most: Duration) {
        let mut rung = self.bell.rung.lock();
        if !*rung && !self.is_stopping() {
            self.bell.changed.wait_for(&mut rung, at_most);
        }
        *rung = false;
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::mpsc, thread};

    use super::*;

    const LONG: Duration = Duration::from_secs(3_600);

    /// Fails instead of hanging, when a pause does not end.
    fn ends(work: impl FnOnce() + Send + 'static) -> bool {
        let (done, ended) = mpsc::channel();
        thread::spawn(move || {
            work();
            done.send(())
        });
        ended.recv_timeout(Duration::from_secs(20)).is_ok()
    }

    #[test]
    fn a_pause_ends_when_nothing_rings() {
        assert!(ends(|| Wake::default().pause(LONG)));
    }

    #[test]
    fn the_end_cuts_a_pause_short_however_much_it_rings() {
        let wake = Wake::default();
        let (pausing, ringing) = (wake.clone(), wake.clone());
        let rings = thread::spawn(move || {
            while !ringing.is_stopping() {
                ringing.ring();
                thread::yield_now();
            }
        });
        wake.stop();
        assert!(ends(move || pausing.pause(LONG)));
        rings.join().unwrap();
    }
}
