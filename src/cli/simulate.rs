//! `simulate`: a broker on the wire.

use std::process::ExitCode;

use clap::Args;

use super::Failure;
use crate::simulate;

#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    simulation: simulate::Options,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(options: &Arguments) -> Result<ExitCode, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let report = runtime.block_on(simulate::run(&options.simulation))?;
    if options.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        println!("{report}");
    }
    Ok(if report.is_complete() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
