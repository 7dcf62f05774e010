//! `serve`: until a signal asks to stop.

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
    // Before it says that it serves: whoever has read that may send a signal.
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
        tracing::warn!(
            "stopped before everything in flight was finished; it will be taken up at the next start"
        );
    }
    Ok(ExitCode::SUCCESS)
}

/// SIGTERM from a supervisor, SIGINT from a keyboard: requests from `listen` on, and no longer the end of the process.
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
