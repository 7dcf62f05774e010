//! Events a second, accepted and end to end; CPU and memory beside it.

use std::time::{Duration, Instant};

use crate::{
    Options, Outcome,
    bare::{self, Limit},
    contender::Contender,
    events::{Stream, request, stream},
    load,
    report::{Aim, Report, median},
    store::Store,
};

#[derive(Clone, Copy, Debug)]
pub struct Turn {
    /// Committed and answered 200, a second.
    pub accepted: f64,
    /// From the first request until the tables hold everything.
    pub end_to_end: f64,
    /// CPU seconds for 1,000 events.
    pub cpu: f64,
    /// The most memory, in MiB.
    pub memory: f64,
}

type Figure = fn(&Turn) -> f64;

pub fn measure(options: &Options, report: &mut Report) -> Outcome<()> {
    let stream = stream(options.events, 1);
    let wanted = |name: &str| options.only.is_empty() || options.only.iter().any(|only| only == name);
    let is_there = |c: &Contender| !c.is_before() || options.before.is_some();
    let contenders: Vec<Contender> =
        Contender::ALL.into_iter().filter(|c| wanted(c.name())).filter(is_there).collect();
    let mut turns: Vec<(Contender, Vec<Turn>)> = contenders.iter().map(|c| (*c, Vec::new())).collect();
    let mut limits: Vec<Limit> = Vec::new();
    for n in 1..=options.turns {
        // First, so that it and rosterd, which follows, find the machine at much the same speed.
        if wanted("bare") {
            let limit = bare::measure(options, &stream)?;
            eprintln!("turn {n}: {limit:.0?}");
            limits.push(limit);
        }
        for (contender, turns) in &mut turns {
            let store = contender.store(options)?;
            let turn = turn(*contender, options, &store, &stream)?;
            eprintln!("turn {n}: {} {turn:.3?}", contender.name());
            turns.push(turn);
        }
    }
    tabulate(&turns, &limits, report);
    Ok(())
}

/// One contender takes all events and is held against what it should show.
pub fn turn(contender: Contender, options: &Options, store: &Store, stream: &Stream) -> Outcome<Turn> {
    let running = contender.start(options, store)?;
    let requests: Vec<Vec<u8>> = stream.events.iter().map(request).collect();
    let active = || {
        store.number(match contender.is_rosterd() {
            true => "SELECT count(*) AS number FROM users WHERE status = 'active'",
            false => "SELECT count(*) AS number FROM public.users WHERE state = 'active'",
        })
    };
    let others = active()?;
    let (begun, before) = (Instant::now(), running.cpu());
    let answers =
        load::flat_out(running.address, options.connections, requests.into_iter())?.all_accepted()?;
    if contender.is_rosterd() {
        store.wait_until_settled(contender)?;
    }
    let took = begun.elapsed();
    // What it does behind the answers, it may just be finishing.
    std::thread::sleep(Duration::from_millis(100));
    let cpu = running.cpu() - before;
    hold(active()? - others, stream, contender.name())?;
    let events = stream.events.len() as f64;
    Ok(Turn {
        accepted: answers.accepted as f64 / answers.took.as_secs_f64(),
        end_to_end: events / took.as_secs_f64(),
        cpu: cpu.as_secs_f64() * 1_000.0 / events,
        memory: running.memory().peak,
    })
}

/// Fast and wrong does not count. Handlers by hand are not held to the last user: they mistake what comes out of order.
pub fn hold(active: i64, stream: &Stream, name: &str) -> Outcome<()> {
    let expected = stream.census.active_users as i64;
    let strict = name.starts_with("rosterd");
    if (strict && active != expected) || (active - expected).abs() * 50 > expected {
        return Err(format!("{name} shows {active} active users, expected {expected}").into());
    }
    if active != expected {
        eprintln!("{name} shows {active} active users, expected {expected}");
    }
    Ok(())
}

fn tabulate(turns: &[(Contender, Vec<Turn>)], limits: &[Limit], report: &mut Report) {
    for (contender, turns) in turns {
        report.row(
            contender.name(),
            [
                median(turns.iter().map(|turn| turn.accepted)),
                median(turns.iter().map(|turn| turn.end_to_end)),
                median(turns.iter().map(|turn| turn.cpu)) * 1_000.0,
                median(turns.iter().map(|turn| turn.memory)),
            ],
        );
    }
    let of = |contender: Contender, figure: Figure| {
        let (_, turns) = turns.iter().find(|(c, _)| *c == contender)?;
        (!turns.is_empty()).then(|| median(turns.iter().map(figure)))
    };
    let limit = (!limits.is_empty()).then(|| median(limits.iter().map(|limit| limit.both_per_s)));
    if let Some(limit) = limit {
        let (append, fold) =
            (median(limits.iter().map(|l| l.append_per_s)), median(limits.iter().map(|l| l.fold_per_s)));
        report.note(format!(
            "one bare connection, set-based: append {append:.0}/s, fold {fold:.0}/s, both {limit:.0}/s"
        ));
    }
    use Contender::{
        BeforePostgres as Before, BeforeSqlite as EmbeddedBefore, Node, Python, RosterdPostgres as Ours,
        RosterdSqlite as Embedded, Rust,
    };
    let mut ratio = |name: &str, ours: Option<f64>, theirs: Option<f64>, aim: Aim| {
        if let (Some(ours), Some(theirs)) = (ours, theirs) {
            report.figure(name, ours / theirs, " ×", aim);
        }
    };
    let (accepted, end_to_end, cpu): (Figure, Figure, Figure) =
        (|turn| turn.accepted, |turn| turn.end_to_end, |turn| turn.cpu);
    ratio("accepted, to the build before", of(Ours, accepted), of(Before, accepted), Aim::at_least(1.4, 2.0));
    ratio(
        "end to end, to the build before",
        of(Ours, end_to_end),
        of(Before, end_to_end),
        Aim::at_least(1.6, 2.2),
    );
    ratio(
        "end to end on SQLite, to the build before",
        of(Embedded, end_to_end),
        of(EmbeddedBefore, end_to_end),
        Aim::at_least(1.4, 2.0),
    );
    ratio("CPU an event, to the build before", of(Ours, cpu), of(Before, cpu), Aim::at_most(0.65, 0.5));
    ratio("accepted, to the Rust handler's", of(Ours, accepted), of(Rust, accepted), Aim::at_least(4.0, 6.0));
    ratio(
        "end to end, to the Rust handler's",
        of(Ours, end_to_end),
        of(Rust, end_to_end),
        Aim::at_least(2.0, 2.7),
    );
    ratio("end to end, to Node's", of(Ours, end_to_end), of(Node, end_to_end), Aim::at_least(4.0, 6.0));
    ratio("end to end, to Python's", of(Ours, end_to_end), of(Python, end_to_end), Aim::at_least(4.0, 6.0));
    ratio("end to end, to the bare limit", of(Ours, end_to_end), limit, Aim::at_least(0.5, 0.7));
    ratio("CPU an event, to Node's", of(Ours, cpu), of(Node, cpu), Aim::at_most(0.25, 0.125));
    ratio("CPU an event, to the Rust handler's", of(Ours, cpu), of(Rust, cpu), Aim::at_most(1.0, 0.5));
    ratio(
        "end to end on SQLite, to PostgreSQL",
        of(Embedded, end_to_end),
        of(Ours, end_to_end),
        Aim::at_least(1.0, 2.0),
    );
    for contender in [Ours, Embedded] {
        if let Some(memory) = of(contender, |turn| turn.memory) {
            report.figure(
                &format!("memory at full load, {}", contender.name()),
                memory,
                " MiB",
                Aim::at_most(96.0, 48.0),
            );
        }
    }
}
