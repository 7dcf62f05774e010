//! `serve`: until a signal asks to stop.

use std::process::ExitCode;

use tokio::signal::unix::{SignalKind, signal};

use super::Failure;
use crate::{
    app::{self, Workers},
    clock::Clock,
    config::Config,
};

pub(super) fn run(config: &Config) -> Result<ExitCode, Failure> {
    let app = app::start(config, Clock::System, Workers::Threads)?;
    tracing::info!(
        listen = %app.address,
        admin = %app.admin_address,
        database = %config.database_url,
        mail = ?config.mail.url,
        "rosterd serves"
    );
    wait_for_signal()?;
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

/// SIGTERM from a supervisor, SIGINT from a keyboard.
pub(super) fn wait_for_signal() -> std::io::Result<()> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        tokio::select! {
            _ = term.recv() => {}
            _ = int.recv() => {}
        }
        Ok(())
    })
}
