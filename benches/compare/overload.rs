//! More than it can take, for a minute; then quiet.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use rosterd::simulate::{DEFAULT_START, Plan};

use crate::{
    Options, Outcome,
    contender::{Contender, Running},
    events::request,
    latency::percentiles,
    load,
    report::{Aim, Report},
};

const CONNECTIONS: usize = 512;
const QUIET: u32 = 200;

pub fn measure(options: &Options, report: &mut Report) -> Outcome<()> {
    let store = Contender::RosterdPostgres.store(options)?;
    let running = Contender::RosterdPostgres.start(options, &store)?;
    let mut events =
        Plan { tenants: 5, users: 50_000, events: u64::from(u32::MAX), seed: 7, start: DEFAULT_START }
            .events();
    let mut quietly = |running: &Running| {
        let requests = events.by_ref().take(QUIET as usize * 5).map(|event| request(&event)).collect();
        load::paced(running.address, 64, QUIET, requests, |_| {})?.all_accepted()
    };
    let before = quietly(&running)?;

    let until = Instant::now() + Duration::from_secs(options.overload_seconds);
    let mut more =
        Plan { tenants: 6, users: 50_000, events: u64::from(u32::MAX), seed: 7, start: DEFAULT_START }
            .events();
    let requests = std::iter::from_fn(move || {
        (Instant::now() < until).then(|| more.next().map(|event| request(&event))).flatten()
    });
    let (answers, memory) = std::thread::scope(|scope| {
        let over = Arc::new(AtomicBool::new(false));
        let watch = scope.spawn({
            let (over, running) = (over.clone(), &running);
            move || watch(running, &over)
        });
        let answers = load::flat_out(running.address, CONNECTIONS, requests);
        over.store(true, Ordering::Relaxed);
        (answers, watch.join().unwrap_or_default())
    });
    let answers = answers?;
    let drain = Instant::now();
    store.wait_until_settled(Contender::RosterdPostgres)?;
    let drained = drain.elapsed();
    let after = quietly(&running)?;

    report.note(format!(
        "overload, {CONNECTIONS} connections, {} s: {} accepted ({:.0}/s), {} refused by 503 with Retry-After, {} other \
         answers; {}; backlog drained in {:.1} s",
        options.overload_seconds,
        answers.accepted,
        answers.accepted as f64 / answers.took.as_secs_f64(),
        answers.refused,
        answers.wrong,
        percentiles(&answers.latency),
        drained.as_secs_f64()
    ));
    let quarter = memory.len() / 4;
    let mean = |part: &[f64]| part.iter().sum::<f64>() / part.len().max(1) as f64;
    let (early, late) = (
        mean(memory.get(quarter..2 * quarter).unwrap_or(&memory)),
        mean(memory.get(3 * quarter..).unwrap_or(&memory)),
    );
    report.note(format!("memory in the second quarter {early:.0} MiB, in the last {late:.0} MiB"));
    report.note(format!(
        "{QUIET}/s before: {}; after: {}",
        percentiles(&before.latency),
        percentiles(&after.latency)
    ));
    report.figure(
        "overload: answers that are neither 200 nor 503 with Retry-After",
        answers.wrong as f64,
        "",
        Aim::at_most(0.0, 0.0),
    );
    report.figure("overload: the most memory", running.memory().peak, " MiB", Aim::at_most(96.0, 48.0));
    report.figure(
        "overload: growth of memory, last quarter to second",
        late / early,
        " ×",
        Aim::at_most(1.1, 1.0),
    );
    Ok(())
}

fn watch(running: &Running, over: &AtomicBool) -> Vec<f64> {
    let mut memory = Vec::new();
    while !over.load(Ordering::Relaxed) {
        memory.push(running.memory().now);
        std::thread::sleep(Duration::from_millis(500));
    }
    memory
}
