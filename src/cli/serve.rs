//! `serve`: runs until a signal stops it, and reads its settings again at SIGHUP.

use std::process::ExitCode;

use tokio::{
    runtime::Runtime,
    signal::unix::{Signal, SignalKind, signal},
};

use super::Failure;
use crate::{
    app::{self, App, Reloaded, Workers},
    config::{ConfigError, Settings},
    db,
    runtime::{clock::Clock, telemetry},
};

/// `read` reads the settings, again at each SIGHUP.
pub(super) fn run(read: impl Fn() -> Result<Settings, ConfigError>) -> Result<ExitCode, Failure> {
    let started = read()?;
    let config = &started.config;
    telemetry::start(&config.log);
    let _alone = db::serve_alone(&config.database_url)?;
    let app = app::start(config, Clock::System, Workers::Threads)?;
    // The handlers are installed before the message that rosterd serves, because a reader of the message may send a
    // signal.
    let mut signals = Signals::listen()?;
    tracing::info!(
        listen = %app.address,
        admin = %app.admin_address,
        scim = app.scim_address.map(tracing::field::display),
        database = %config.database_url,
        mail = config.mail.url.as_ref().map(|url| format!("{url:?}")),
        "rosterd serves"
    );
    let mut current = started.clone();
    while signals.wait() == Wanted::Reload {
        if let Some(new) = reload(&app, &started, &current, read()) {
            current = new;
        }
    }
    tracing::info!("stopping: no new deliveries, finishing what is in flight");
    if app.stop() {
        tracing::info!("stopped");
    } else {
        tracing::warn!("stopped before everything in flight was finished; the next start continues it");
    }
    Ok(ExitCode::SUCCESS)
}

/// Returns the settings in force, unless the former ones stay.
fn reload(
    app: &App,
    started: &Settings,
    current: &Settings,
    read: Result<Settings, ConfigError>,
) -> Option<Settings> {
    let stay = |error: String| {
        tracing::error!(error, "the settings were not reloaded: the former ones stay in force");
        None
    };
    let new = match read {
        Ok(new) => new,
        Err(error) => return stay(error.to_string()),
    };
    match app.reload(started, current, &new) {
        Ok(Reloaded { reloaded, after_restart }) => {
            if reloaded.is_empty() {
                tracing::info!("the settings were read again, and none that can be reloaded has changed");
            } else {
                tracing::info!(reloaded = reloaded.join(", "), "the settings were reloaded");
            }
            if !after_restart.is_empty() {
                tracing::warn!(keys = after_restart.join(", "), "these settings change with the next start");
            }
            Some(new)
        }
        Err(error) => stay(error.to_string()),
    }
}

/// The request of a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    Stop,
    Reload,
}

/// SIGTERM from a supervisor and SIGINT from a keyboard request a stop, SIGHUP requests that settings are read. From `listen` on
/// none of them ends the process.
struct Signals {
    runtime: Runtime,
    term: Signal,
    int: Signal,
    hup: Signal,
}

impl Signals {
    fn listen() -> std::io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (term, int, hup) = {
            let _inside = runtime.enter();
            (
                signal(SignalKind::terminate())?,
                signal(SignalKind::interrupt())?,
                signal(SignalKind::hangup())?,
            )
        };
        Ok(Self { runtime, term, int, hup })
    }

    fn wait(&mut self) -> Wanted {
        let Self { runtime, term, int, hup } = self;
        runtime.block_on(async {
            tokio::select! {
                _ = term.recv() => Wanted::Stop,
                _ = int.recv() => Wanted::Stop,
                _ = hup.recv() => Wanted::Reload,
            }
        })
    }
}

pub(super) fn wait_for_signal() -> std::io::Result<()> {
    Signals::listen()?.wait();
    Ok(())
}
