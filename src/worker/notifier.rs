//! Tell, for as long as there is somebody to be told; SMTP time is spent here and nowhere else, so a slow mail server
//! delays mail and no leaver.

use std::{sync::Arc, thread::JoinHandle, time::Duration};

use crate::{
    db::Database,
    notify::{Notifier, NotifyStep},
    runtime::{clock::Clock, metrics::Metrics, wake::Wake},
};

const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(5);

pub fn start(
    notifier: Notifier,
    database: Database,
    clock: Clock,
    metrics: Arc<Metrics>,
    wake: Wake,
    poll: Duration,
) -> std::io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name("notify".to_owned()).spawn(move || {
        while !wake.is_stopping() {
            match notifier.step(&database, clock.now(), &metrics) {
                Ok(NotifyStep::Worked) => {}
                Ok(NotifyStep::Idle) => wake.wait(poll),
                Err(error) => {
                    tracing::error!(error = %error, "notices could not be read; they wait in the outbox");
                    wake.wait(PAUSE_AFTER_FAILURE);
                }
            }
        }
    })
}
