//! `simulate`: sends the events of a simulated broker.

use std::{
    net::{SocketAddr, TcpListener},
    process::ExitCode,
    time::Duration,
};

use clap::Args;

use super::{Failure, serve::wait_for_signal};
use crate::simulate::{
    self, DEFAULT_START,
    api::{Api, Faults},
};

#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    simulation: simulate::Options,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
}

/// The same delay as the broker's.
const HELD_BACK_SECONDS: i64 = 5;

pub(super) fn run(options: &Arguments) -> Result<ExitCode, Failure> {
    let simulation = &options.simulation;
    let api = simulation.api.map(|address| listen(address, &simulation.api_key)).transpose()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let report = runtime.block_on(simulate::run_in(simulation, api.as_ref()))?;
    if options.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        println!("{report}");
    }
    if let (Some(api), Some(address)) = (api, simulation.api) {
        eprintln!("the API serves on http://{address} until you press ctrl-c");
        // The simulated clock advances, so that events are not held back for ever and a list is of the current time.
        std::thread::Builder::new().name("clock".to_owned()).spawn(move || {
            loop {
                std::thread::sleep(Duration::from_secs(1));
                api.broker.lock().tick(1);
            }
        })?;
        wait_for_signal()?;
    }
    Ok(if report.is_complete() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn listen(address: SocketAddr, key: &str) -> Result<Api, Failure> {
    let listener = TcpListener::bind(address)
        .map_err(|error| format!("cannot listen on {address}: {error}; give --api another address"))?;
    serve(
        listener,
        key,
        Faults { held_back_seconds: HELD_BACK_SECONDS, limits_rate: true, ..Faults::default() },
    )
}

/// Serves the API on a thread of its own until the process ends.
pub(super) fn serve(listener: TcpListener, key: &str, faults: Faults) -> Result<Api, Failure> {
    let api = Api::new(key, faults);
    // Not older than its first event, as no broker is.
    api.broker.lock().tick(DEFAULT_START / 1_000);
    let served = api.clone();
    std::thread::Builder::new().name("api".to_owned()).spawn(move || {
        actix_web::rt::System::new().block_on(async move {
            match served.serve(listener) {
                Ok(server) => drop(server.await),
                Err(error) => eprintln!("the API stopped: {error}"),
            }
        });
    })?;
    Ok(api)
}
