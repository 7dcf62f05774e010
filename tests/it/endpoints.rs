//! Webhooks to endpoints of the application: signed, in order for each person, at least once, whatever fails.

mod commands;
mod deaths;
mod failing;
mod operators;
mod receiver;

use std::{process::Output, sync::Arc, thread::JoinHandle};

use rosterd::{
    db::DbError,
    endpoints::{
        EndpointLimits,
        stored::{self, Endpoint},
        waiting,
    },
    feed::head,
    runtime::wake::Wake,
    worker::endpoint_sender,
};
use serde_json::Value;

use crate::harness::{
    TestApp, both,
    broker::{event, group, membership, user},
    feed::records,
    process::{eventually, output, rosterd, stdout},
};
use receiver::{Received, Receiver};

/// The sender in a thread of this process, with the clock of the test.
struct Sender(Wake, Option<JoinHandle<()>>);

impl Sender {
    fn start(app: &TestApp) -> Self {
        let limits = app.config.endpoints.limits();
        Self::with(app, limits)
    }

    fn with(app: &TestApp, limits: EndpointLimits) -> Self {
        let metrics = Arc::clone(&app.applier.metrics);
        let changes = app.applier.changes.clone();
        let (wake, thread) =
            endpoint_sender::start(app.database(), app.clock.clone(), limits, metrics, changes).unwrap();
        Self(wake, Some(thread))
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        self.0.stop();
        self.1.take().unwrap().join().unwrap();
    }
}

fn command(app: &TestApp, arguments: &[&str]) -> Output {
    output(rosterd().env("DATABASE_URL", app.store.url()).arg("endpoints").args(arguments))
}

/// Adds an endpoint for all records. Returns id and secret.
fn add(app: &TestApp, receiver: &Receiver, further: &[&str]) -> (String, String) {
    let url = receiver.url();
    let arguments = [&["add", &url, "--allow-private", "--format", "json"], further].concat();
    let printed: Value = serde_json::from_str(&stdout(&command(app, &arguments))).unwrap();
    (printed["id"].as_str().unwrap().to_owned(), printed["secret"].as_str().unwrap().to_owned())
}

fn listed(app: &TestApp) -> Vec<Value> {
    serde_json::from_str(&stdout(&command(app, &["list", "--format", "json"]))).unwrap()
}

fn endpoint(app: &TestApp, id: &str) -> Endpoint {
    app.database().read::<_, DbError>(|conn| Ok(stored::get(conn, id)?)).unwrap().unwrap()
}

fn newest(app: &TestApp) -> i64 {
    app.database().read::<_, DbError>(|conn| Ok(head::get(conn)?)).unwrap().seq
}

/// The numbers of the waiting records.
fn waiting_records(app: &TestApp, id: &str) -> Vec<i64> {
    let rows = app.database().read::<_, DbError>(|conn| Ok(waiting::of(conn, id)?)).unwrap();
    rows.iter().map(|row| row.seq).collect()
}

/// Waits until all records up to the newest are settled or waiting.
fn settled(app: &TestApp, id: &str) {
    let newest = newest(app);
    eventually("the position reaches the newest record", || endpoint(app, id).settled_seq == newest);
}

fn person(app: &TestApp, id: &str) {
    app.play(&[
        event(&format!("c-{id}"), "dsync.user.created", 1, user(id, "active", 1)),
        event(
            &format!("m-{id}"),
            "dsync.group.user_added",
            3,
            membership(user(id, "active", 1), group("g1", 2)),
        ),
    ]);
}

fn leaves(app: &TestApp, id: &str, at: i64) {
    app.play(&[event(&format!("x-{id}-{at}"), "dsync.user.updated", at, user(id, "inactive", at))]);
}

both! {
    fn each_record_arrives_signed_and_in_the_order_of_its_person(app) {
        let receiver = Receiver::start();
        let (id, secret) = add(app, &receiver, &[]);
        let _sender = Sender::start(app);
        crate::feed::member(app);
        for n in 0..30 {
            person(app, &format!("p{n}"));
        }
        for n in 0..30 {
            leaves(app, &format!("p{n}"), 9);
        }
        settled(app, &id);

        let all = records(app.database());
        let mut numbers = receiver.numbers();
        numbers.sort_unstable();
        assert_eq!(numbers, all.iter().map(|record| record.seq).collect::<Vec<_>>());
        receiver.assert_ordered();
        for one in receiver.all() {
            let record = all.iter().find(|record| record.seq == one.seq()).unwrap();
            assert!(one.is_signed_by(&[&secret]), "{one:?}");
            assert_eq!(one.seconds, app.clock.now().micros() / 1_000_000);
            assert!(one.id.starts_with(&format!("{id}_{}_", record.seq)), "{}", one.id);
            assert_eq!(one.body["data"], serde_json::to_value(record).unwrap());
            assert_eq!((one.body["type"].as_str(), one.body["timestamp"].as_str()), (Some(record.kind.as_str()), Some(record.at.as_str())));
        }
        let list = &listed(app)[0];
        assert_eq!((&list["state"], &list["waiting"], &list["lag"]), (&"active".into(), &0.into(), &0.into()));
        eventually("the count is written", || endpoint(app, &id).delivered == newest(app));
        assert!(app.get("/metrics").body.contains(&format!("rosterd_webhooks_total{{outcome=\"delivered\"}} {}", all.len())));
    }
}

both! {
    fn an_endpoint_gets_the_kinds_and_the_tenant_that_it_asked_for_from_the_record_on_that_it_named(app) {
        let (leavers, other, late) = (Receiver::start(), Receiver::start(), Receiver::start());
        crate::feed::member(app);
        app.play(&[event("o2", "organization.created", 0, crate::harness::broker::organization("org_2", 0))]);
        let (first, _) = add(app, &leavers, &["--events", "user.deprovisioned,role.revoked", "--from", "1", "--tenant", "Org org_1"]);
        let (second, _) = add(app, &other, &["--tenant", "org_2", "--from", "1"]);
        let (third, _) = add(app, &late, &[]);
        let _sender = Sender::start(app);
        leaves(app, "u1", 9);
        for id in [&first, &second, &third] {
            settled(app, id);
        }

        let brief = |receiver: &Receiver| {
            let mut all: Vec<String> = receiver.all().iter().map(Received::brief).collect();
            all.sort();
            all
        };
        assert_eq!(brief(&leavers), ["role.revoked member u1", "user.deprovisioned u1"]);
        assert_eq!(brief(&other), ["tenant.created"]);
        assert_eq!(brief(&late), ["membership.removed g1 u1", "role.revoked member u1", "user.deprovisioned u1"]);
        assert_eq!(late.numbers()[0], leavers.numbers()[0], "who loses access comes first");
    }
}
