//! rosterd beside handlers that teams write by hand, and beside the database's own limit: the same events, one machine,
//! one run, in turns. `benches/run` starts a PostgreSQL for it and prepares the others.

mod bare;

mod contender;

mod events;

mod idle;

mod latency;

mod load;

mod overload;

mod report;

mod size;

mod store;

mod throughput;

mod usage;

use clap::{Parser, ValueEnum};
use report::Report;

/// Anything that keeps a figure from being measured; told and the end of it.
pub type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Figure {
    /// Events a second, CPU and memory, against the others
    Throughput,
    /// From request to 200 and from a leaver's request to their row, at 1,000 events a second
    Latency,
    /// 512 connections flat out for a minute, then quiet
    Overload,
    /// What a service with nothing to do costs
    Idle,
    /// The cost of an event with a million users in the tables
    Size,
}

#[derive(Debug, Parser)]
pub struct Options {
    /// A PostgreSQL server on which databases may be made
    #[arg(long, env = "ROSTERD_BENCH_POSTGRES_URL")]
    postgres: String,
    /// The folder of the hand-written handlers' builds (see benches/run)
    #[arg(long, env = "ROSTERD_BENCH_PEERS")]
    peers: std::path::PathBuf,
    /// An earlier build of rosterd, which takes part as `before` and `before-sqlite`
    #[arg(long, env = "ROSTERD_BENCH_BEFORE")]
    before: Option<std::path::PathBuf>,
    /// What to measure; everything when none is named
    #[arg(value_enum)]
    figures: Vec<Figure>,
    /// Of how many turns the median is taken
    #[arg(long, default_value_t = 5)]
    turns: usize,
    /// Events in a turn
    #[arg(long, default_value_t = 40_000)]
    events: u64,
    /// Deliveries under way at once
    #[arg(long, default_value_t = 256)]
    connections: usize,
    /// Only these contenders, by name
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Users, and tenants, in the tables for the figure `size`
    #[arg(long, default_value_t = 1_000_000)]
    users: u32,
    #[arg(long, default_value_t = 10_000)]
    tenants: u32,
    /// How long the overload lasts
    #[arg(long, default_value_t = 60)]
    overload_seconds: u64,
    /// `cargo bench` adds it
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> Outcome<()> {
    let options = Options::parse();
    let wanted = |figure| options.figures.is_empty() || options.figures.contains(&figure);
    let mut report = Report::begin(&options);
    if wanted(Figure::Throughput) {
        throughput::measure(&options, &mut report)?;
    }
    if wanted(Figure::Latency) {
        latency::measure(&options, &mut report)?;
    }
    if wanted(Figure::Overload) {
        overload::measure(&options, &mut report)?;
    }
    if wanted(Figure::Idle) {
        idle::measure(&options, &mut report)?;
    }
    if wanted(Figure::Size) {
        size::measure(&options, &mut report)?;
    }
    report.print();
    Ok(())
}
