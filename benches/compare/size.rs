//! The same turn on an empty database and beside everybody of a very large host.

use std::time::Instant;

use rosterd::{
    broker::Source,
    db::{Database, Url},
    inbox::{Delivery, insert::append},
    runtime::clock::Clock,
    simulate::{DEFAULT_START, Event, Plan},
};

use crate::{
    Options, Outcome,
    contender::Contender,
    events::stream,
    report::{Aim, Report, median},
    store::Store,
    throughput::turn,
};

const A_WEEK_MS: i64 = 7 * 24 * 3_600 * 1_000;

pub fn measure(options: &Options, report: &mut Report) -> Outcome<()> {
    let contender = Contender::RosterdPostgres;
    let large = contender.store(options)?;
    fill(options, &large, report)?;

    let mut costs = [Vec::new(), Vec::new()];
    for n in 1..=options.turns {
        let stream = stream(options.events, 100 + n as u64);
        let empty = contender.store(options)?;
        for (store, costs) in [&empty, &large].into_iter().zip(&mut costs) {
            let turn = turn(contender, options, store, &stream)?;
            eprintln!("turn {n}: {turn:.2?}");
            costs.push(1.0 / turn.end_to_end);
        }
    }
    let [empty, large] = costs.map(|costs| median(costs.into_iter()));
    report.figure(
        "cost of an event in a full database, to an empty one",
        large / empty,
        " ×",
        Aim::at_most(1.3, 1.1),
    );
    Ok(())
}

/// The first syncs of all tenants. They come through the log and not over the wire, which is not measured here.
fn fill(options: &Options, store: &Store, report: &mut Report) -> Outcome<()> {
    let running = Contender::RosterdPostgres.start(options, store)?;
    let (users, tenants) = (options.users, options.tenants);
    // A day of the broker's time, and over before the turns begin: a newer event has a newer id.
    let start = DEFAULT_START - A_WEEK_MS;
    let mut world = Plan { tenants, users, events: 0, seed: 3, start }.events();
    let database = Database::new(&Url::parse(&store.url())?, 1);
    let (begun, mut events) = (Instant::now(), 0);
    loop {
        let some: Vec<Delivery> = world.by_ref().take(1_000).map(delivery).collect();
        if some.is_empty() {
            break;
        }
        events += some.len();
        append(&database, &some)?;
        // Not so far ahead that the disk fills with what waits.
        if events % 200_000 == 0 {
            eprintln!("{events} events, {:.0} s", begun.elapsed().as_secs_f64());
            store.wait_until_settled(Contender::RosterdPostgres)?;
        }
    }
    store.wait_until_settled(Contender::RosterdPostgres)?;
    report.note(format!(
        "{users} users of {tenants} tenants: {events} events applied in {:.0} s, rosterd at {:.0} MiB, {:.0} at most",
        begun.elapsed().as_secs_f64(),
        running.memory().now,
        running.memory().peak
    ));
    drop(running);
    // What autovacuum has done by itself long before a host is that large.
    store.execute("VACUUM ANALYZE")?;
    store.execute("CHECKPOINT")
}

fn delivery(event: Event) -> Delivery {
    Delivery::new(Source::WorkOs, event.body.into(), Clock::System.now())
}
