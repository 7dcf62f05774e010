//! Tell, for as long as there is somebody to be told; SMTP time is spent here and nowhere else, so a slow mail server
//! delays mail and no leaver.

use std::{sync::Arc, thread::JoinHandle, time::Duration};

use super::restart;
use crate::{
    config::MailSettings,
    db::Database,
    notify::{Notifier, NotifyStep},
    runtime::{clock::Clock, metrics::Metrics, shared::Shared, wake::Wake},
};

const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(5);

/// `settings` have made a notifier before. A shift has one of its own: that of a shift that is left behind may hold its
/// locks. What that one sent and could not record is sent once more when its lease is over, under the same Message-ID.
pub fn start(
    settings: Shared<MailSettings>,
    database: &Database,
    clock: Clock,
    metrics: Arc<Metrics>,
    wake: Wake,
    poll: Duration,
) -> std::io::Result<JoinHandle<()>> {
    let (database, watch) = database.watched();
    let (calls, bell) = (database.clone(), wake.clone());
    restart::start("notify", (database, watch), wake, move |shift| match Notifier::new(&settings.get()) {
        Ok(mut notifier) => {
            let mut used = settings.get();
            while !shift.is_over() {
                let newest = settings.get();
                if !Arc::ptr_eq(&used, &newest) {
                    if let Err(error) = notifier.use_settings(&newest) {
                        tracing::error!(error = %error, "the former settings for mails stay in force");
                    }
                    used = newest;
                }
                match notifier.step(&calls, clock.now(), &metrics) {
                    Ok(NotifyStep::Worked) => {}
                    Ok(NotifyStep::Idle) => bell.wait(poll),
                    Err(error) => {
                        tracing::error!(error = %error, "notices could not be read; they wait in the outbox");
                        bell.wait(PAUSE_AFTER_FAILURE);
                    }
                }
            }
        }
        Err(error) => tracing::error!(error = %error, "notices are not sent; they wait in the outbox"),
    })
}
