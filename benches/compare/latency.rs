//! At 1,000 events a second: from a request to its 200, and from a leaver's request to the commit of their row.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use diesel::{
    Connection, ExpressionMethods, PgConnection, QueryableByName, RunQueryDsl, insert_into, sql_query,
    sql_types::{BigInt, Text},
};
use hdrhistogram::Histogram;
use rosterd::simulate::Event;
use serde_json::Value;

use crate::{
    Options, Outcome,
    contender::Contender,
    events::{request, stream},
    load,
    report::{Aim, Report, median},
    store::Store,
};

const RATE: u32 = 1_000;
const EVENTS: u64 = 40_000;

/// One turn's latencies, in microseconds.
struct Turn {
    bare: Histogram<u64>,
    answers: Histogram<u64>,
    leavers: Histogram<u64>,
}

pub fn measure(options: &Options, report: &mut Report) -> Outcome<()> {
    let mut turns = Vec::new();
    for n in 1..=options.turns {
        let turn = turn(options)?;
        report.note(format!(
            "turn {n}: INSERT, COMMIT on a bare connection, {RATE}/s: {}",
            percentiles(&turn.bare)
        ));
        report.note(format!("turn {n}: request to 200, {RATE}/s: {}", percentiles(&turn.answers)));
        let (leavers, to_row) = (turn.leavers.len(), percentiles(&turn.leavers));
        report.note(format!(
            "turn {n}: a leaver's request to their row, {RATE}/s, {leavers} leavers: {to_row}"
        ));
        turns.push(turn);
    }
    let p99 = |of: fn(&Turn) -> &Histogram<u64>| {
        median(turns.iter().map(|turn| of(turn).value_at_quantile(0.99) as f64))
    };
    report.figure(
        "p99 to 200, to a bare INSERT, COMMIT",
        p99(|turn| &turn.answers) / p99(|turn| &turn.bare),
        " ×",
        Aim::at_most(5.0, 3.0),
    );
    report.figure(
        "p99 to a leaver's row",
        p99(|turn| &turn.leavers) / 1_000.0,
        " ms",
        Aim::at_most(100.0, 25.0),
    );
    Ok(())
}

fn turn(options: &Options) -> Outcome<Turn> {
    let bare = bare_insert(options)?;
    let store = Contender::RosterdPostgres.store(options)?;
    let running = Contender::RosterdPostgres.start(options, &store)?;
    let events = stream(EVENTS, 1).events;
    let (sync, life) = events.split_at(events.len() / 2);
    let requests: Vec<_> = sync.iter().map(request).collect();
    load::flat_out(running.address, 64, requests.into_iter())?.all_accepted()?;
    store.wait_until_settled(Contender::RosterdPostgres)?;

    let sent: Arc<Mutex<Vec<i64>>> = Arc::default();
    let noting = sent.clone();
    let note = move |_| noting.lock().unwrap_or_else(PoisonError::into_inner).push(now_micros());
    // The last one ends a whole directory.
    let life = life.split_last().map_or(life, |(_, life)| life);
    let requests = life.iter().map(request).collect();
    let answers = load::paced(running.address, 64, RATE, requests, note)?.all_accepted()?;
    store.wait_until_settled(Contender::RosterdPostgres)?;

    let sent = sent.lock().unwrap_or_else(PoisonError::into_inner);
    let leavers = leavers(life, &sent, &store)?;
    Ok(Turn { bare, answers: answers.latency, leavers })
}

diesel::table! {
    bare (id) {
        id -> BigInt,
        body -> Text,
    }
}

/// What the disk and PostgreSQL need in any case.
fn bare_insert(options: &Options) -> Outcome<Histogram<u64>> {
    let store = Store::postgres(options)?;
    store.execute("CREATE TABLE bare (id bigint PRIMARY KEY, body text NOT NULL)")?;
    let mut connection = PgConnection::establish(&store.url())?;
    let body = "b".repeat(1_200);
    let mut latency = Histogram::new(3)?;
    let begun = Instant::now();
    for n in 0..10 * RATE {
        let due = begun + Duration::from_secs(1) * n / RATE;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        let sent = Instant::now();
        insert_into(bare::table)
            .values((bare::id.eq(i64::from(n)), bare::body.eq(&body)))
            .execute(&mut connection)?;
        latency.record(sent.elapsed().as_micros() as u64)?;
    }
    Ok(latency)
}

#[derive(QueryableByName)]
struct Left {
    #[diesel(sql_type = Text)]
    id: String,
    /// Microseconds of the epoch, by the commit log of PostgreSQL.
    #[diesel(sql_type = BigInt)]
    committed_at: i64,
}

/// Of everybody whose last event took their access away.
fn leavers(events: &[Event], sent: &[i64], store: &Store) -> Outcome<Histogram<u64>> {
    let mut last: HashMap<String, Option<i64>> = HashMap::new();
    for (event, sent) in events.iter().zip(sent) {
        let body: Value = serde_json::from_slice(&event.body)?;
        let data = body.get("data").unwrap_or(&Value::Null);
        let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
        let user = data.get("user").unwrap_or(data);
        let Some(id) = text(user.get("id")) else { continue };
        let leaves = event.kind == "dsync.user.deleted"
            || (event.kind == "dsync.user.updated" && text(data.get("state")).as_deref() == Some("inactive"));
        last.insert(id, leaves.then_some(*sent));
    }
    let mut connection = PgConnection::establish(&store.url())?;
    let left: Vec<Left> = sql_query(
        "SELECT id, CAST(extract(epoch FROM pg_xact_commit_timestamp(xmin)) * 1000000 AS bigint) AS committed_at \
         FROM rosterd.users WHERE status = 'inactive'",
    )
    .load(&mut connection)?;
    let mut latency = Histogram::new(3)?;
    for Left { id, committed_at } in left {
        if let Some(sent) = last.get(&id).copied().flatten() {
            latency.record(u64::try_from(committed_at - sent)?)?;
        }
    }
    Ok(latency)
}

fn now_micros() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros() as i64)
}

pub fn percentiles(latency: &Histogram<u64>) -> String {
    let at = |quantile| latency.value_at_quantile(quantile) as f64 / 1_000.0;
    format!("p50 {:.2} ms, p99 {:.2} ms, most {:.2} ms", at(0.5), at(0.99), at(1.0))
}
