//! `serve`: runs until a signal stops it.

use std::process::ExitCode;

use tokio::{
    runtime::Runtime,
    signal::unix::{Signal, SignalKind, signal},
};

use super::Failure;
use crate::{
    app::{self, Workers},
    config::Config,
    db,
    runtime::clock::Clock,
};

pub(super) fn run(config: &Config) -> Result<ExitCode, Failure> {
    let _alone = db::serve_alone(&config.database_url)?;
    let app = app::start(config, Clock::System, Workers::Threads)?;
    // The handlers are installed before the message that rosterd serves, because a reader of the message may send a
    // signal.
    let stop = Stop::listen()?;
    tracing::info!(
        listen = %app.address,
        admin = %app.admin_address,
        database = %config.database_url,
        mail = ?config.mail.url,
        "rosterd serves"
    );
    stop.wait();
    tracing::info!("stopping: no new deliveries, finishing what is in flight");
    if app.stop() {
        tracing::info!("stopped");
    } else {
        tracing::warn!("stopped before everything in flight was finished; the next start continues it");
    }
    Ok(ExitCode::SUCCESS)
}

/// SIGTERM from a supervisor and SIGINT from a keyboard. From `listen` on they request a stop and do not end the
/// process.
struct Stop {
    runtime: Runtime,
    term: Signal,
    int: Signal,
}

impl Stop {
    fn listen() -> std::io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (term, int) = {
            let _inside = runtime.enter();
            (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?)
        };
        Ok(Self { runtime, term, int })
    }

    fn wait(mut self) {
        self.runtime.block_on(async {
            tokio::select! {
                _ = self.term.recv() => {}
                _ = self.int.recv() => {}
            }
        });
    }
}

pub(super) fn wait_for_signal() -> std::io::Result<()> {
    Stop::listen()?.wait();
    Ok(())
}
