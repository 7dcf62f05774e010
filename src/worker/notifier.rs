//! Sends notices while there are any. Only this thread waits for the mail server, so a slow mail server delays mails
//! and no deprovisioning.

use std::{sync::Arc, thread::JoinHandle, time::Duration};

use super::watchdog;
use crate::{
    config::MailSettings,
    db::Database,
    notify::{Notifier, NotifyStep},
    runtime::{clock::Clock, metrics::Metrics, shared::Shared, wake::Wake},
};

const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(5);

/// `settings` have made a notifier before, at the start. Each shift makes its own notifier, because an abandoned shift
/// may hold locks of the last one. Mails that an abandoned shift sent and could not record are sent once more after
/// their lease, under the same Message-ID.
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
    watchdog::start("notify", (database, watch), wake, move |shift| match Notifier::new(&settings.get()) {
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
