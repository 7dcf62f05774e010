//! Append and apply alone, without HTTP: what one event costs in each, on one database.
//!
//!   cargo bench --bench stages -- sqlite:///tmp/stages.db [events] [batch]
//!
//! The database must be empty; a SQLite file is deleted first.

use std::time::{Duration, Instant};

use rosterd::{
    apply::{self, Batch, prefetch_batch::Prefetcher},
    broker::Source,
    db::{Database, Url, migrate::migrate},
    decide::Rules,
    inbox::{Delivery, insert::append},
    runtime::clock::Clock,
    simulate::{DEFAULT_START, Event, Plan},
};

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let Some(url) = arguments.first() else {
        println!("give a database URL");
        return Ok(());
    };
    let number = |place: usize, default: u64| arguments.get(place).map_or(Ok(default), |text| text.parse());
    let (events, batch) = (number(1, 40_000)?, number(2, 1_000)? as usize);
    if let Some(path) = url.strip_prefix("sqlite://") {
        for end in ["", "-wal", "-shm"] {
            drop(std::fs::remove_file(format!("{path}{end}")));
        }
    }
    let database = Database::new(&Url::parse(url)?, 4);
    migrate(&database)?;

    let users = (events / 8) as u32;
    let events: Vec<Event> =
        Plan { tenants: 3, users, events, seed: 1, start: DEFAULT_START }.events().collect();
    let deliveries: Vec<Delivery> = events.into_iter().map(delivery).collect();
    let begun = Instant::now();
    for some in deliveries.chunks(batch) {
        append(&database, some)?;
    }
    print_row("append", begun.elapsed(), deliveries.len());

    let batch = Batch { deliveries: batch, ..Batch::default() };
    let begun = Instant::now();
    let prefetcher = Prefetcher::default();
    while apply::step(&database, &Rules::default(), batch, &prefetcher, Clock::System.now())?.deliveries > 0 {
    }
    print_row("apply", begun.elapsed(), deliveries.len());
    Ok(())
}

fn delivery(event: Event) -> Delivery {
    Delivery::new(Source::WorkOs, event.body.into(), Clock::System.now())
}

fn print_row(stage: &str, took: Duration, events: usize) {
    let micros = took.as_secs_f64() * 1e6 / events as f64;
    println!("{stage:<8} {micros:>7.1} µs an event, {:>8.0} events/s", 1e6 / micros);
}
