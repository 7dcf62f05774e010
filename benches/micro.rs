//! The pure stages one by one: verify, label, read, decide. `cargo bench --bench micro`

use std::hint::black_box;

use divan::{
    Bencher,
    counter::{BytesCount, ItemsCount},
};
use rosterd::{
    broker::{Secret, Source},
    config::Product,
    decide::{
        Rules,
        context::Context,
        fact::{EntityKind, Observation, Reading},
        fold_facts::{claim_of, fold},
        newest_fact::{Home, Homes},
        ownership::{place, settle},
        state::{FirstSighting, OwnershipClaim, StateSlice, UNSPOKEN},
        users,
    },
    notify::{
        preview,
        render::{self, News},
    },
    outbox::NoticeKind,
    runtime::clock::Timestamp,
    simulate::{DEFAULT_START, Event, Plan, signature_header},
};

const SECRET: &str = "whsec_bench_5a1f";
const NOW: i64 = DEFAULT_START;
const BATCH: usize = 1_000;

fn main() {
    divan::main();
}

fn events() -> Vec<Event> {
    Plan { tenants: 3, users: 400, events: BATCH as u64, seed: 1, start: DEFAULT_START }.events().collect()
}

/// Of the first user.
fn body() -> Vec<u8> {
    events()
        .into_iter()
        .find(|event| event.kind == "dsync.user.created")
        .map(|event| event.body)
        .unwrap_or_default()
}

#[divan::bench]
fn verify(bencher: Bencher<'_, '_>) {
    let (body, now) = (body(), Timestamp::from_millis(NOW));
    let header = signature_header(SECRET, NOW, &body);
    let secrets: Vec<Secret> = Secret::new(SECRET).into_iter().collect();
    bencher.counter(BytesCount::of_slice(&body)).bench_local(|| {
        Source::WorkOs.verify(Some(black_box(header.as_bytes())), black_box(&body), &secrets, 180_000, now)
    });
}

#[divan::bench]
fn label(bencher: Bencher<'_, '_>) {
    let body = body();
    bencher.counter(BytesCount::of_slice(&body)).bench_local(|| Source::WorkOs.label(black_box(&body)));
}

#[divan::bench]
fn read(bencher: Bencher<'_, '_>) {
    let body = body();
    bencher.counter(BytesCount::of_slice(&body)).bench_local(|| Source::WorkOs.read(black_box(&body)));
}

fn observations(events: &[Event]) -> Vec<Observation> {
    let read = |event: &Event| match Source::WorkOs.read(&event.body) {
        Ok(Reading::Fact(observation, _)) => Some(*observation),
        _ => None,
    };
    events.iter().filter_map(read).collect()
}

/// As `apply::load` leaves it for directories met for the first time.
fn unspoken(observations: &[Observation]) -> StateSlice {
    let mut state = StateSlice::default();
    for (directory_id, organization_id) in observations.iter().filter_map(claim_of) {
        if state.claim_between(directory_id, organization_id, 0).is_none() {
            state.insert_claim(OwnershipClaim {
                id: state.claims().count() as i64 + 1,
                directory_id: directory_id.to_owned(),
                organization_id: organization_id.to_owned(),
                tenure: 0,
                first: FirstSighting {
                    rank: UNSPOKEN,
                    at: Timestamp::from_micros(i64::MAX),
                    event: String::new(),
                },
                first_inbox_id: 0,
                revealed_by: None,
                tenant_id: None,
                fresh: true,
            });
        }
    }
    state
}

/// A batch of a first sync: folded, its directories placed, its users derived.
#[divan::bench]
fn decide(bencher: Bencher<'_, '_>) {
    let (events, rules) = (events(), Rules::default());
    bencher
        .counter(ItemsCount::new(events.len()))
        .with_inputs(|| {
            let observations = observations(&events);
            (unspoken(&observations), observations)
        })
        .bench_local_values(|(mut state, observations)| {
            for (n, observation) in observations.into_iter().enumerate() {
                fold(&mut state, n as i64, observation);
            }
            settle(&mut state, &rules);
            let homes: Homes = state
                .directories()
                .map(|id| (id.clone(), Home { place: place(&state, id, &rules), provider: None }))
                .collect();
            let context = Context::new(&homes, &rules.mapping);
            let users = state.touched.entities.iter().filter(|(kind, _)| *kind == EntityKind::User);
            users.map(|(_, id)| users::derive(&state, id, &[], &context).changes.len()).sum::<usize>()
        });
}

/// Subject, text and HTML.
#[divan::bench]
fn mail_of_50_people(bencher: Bencher<'_, '_>) {
    let mut news = preview::example(NoticeKind::Deprovisioned);
    if let News::Leavers(digest) = &mut news {
        digest.leavers = digest.leavers.iter().cycle().take(50).cloned().collect();
        digest.total = 50;
    }
    bencher.bench_local(|| render::news(&Product::default(), black_box(&news)));
}
