//! The commands as an operator runs them, and `serve` with an API key.

use serde_json::Value;

use super::{
    api::{KEY, TestApi},
    reconciled::world,
};
use crate::{
    binary::list,
    harness::{
        Backend, TestDatabase,
        broker::{event, user},
        process::{Served, eventually, output, rosterd, stdout},
        schema::assert_fits,
    },
};

fn command(store: &TestDatabase, api: &TestApi, arguments: &[&str]) -> std::process::Command {
    let mut command = rosterd();
    command
        .env("DATABASE_URL", store.url())
        .env("WORKOS_API_KEY", KEY)
        .env("WORKOS_API_URL", format!("http://{}", api.address))
        .args(arguments);
    command
}

#[test]
fn backfill_reconcile_and_status_say_what_they_found() {
    for backend in Backend::offered() {
        let (store, api) = (TestDatabase::create(backend), TestApi::start());
        api.emit(&world(3));
        let backfilled = stdout(&output(&mut command(&store, &api, &["backfill", "--format", "json"])));
        let backfilled: Value = serde_json::from_str(&backfilled).unwrap();
        assert_fits("schemas/backfill.schema.json", &backfilled);
        assert_eq!((&backfilled[0]["people"], &backfilled[0]["complete"]), (&3.into(), &true.into()));
        assert_eq!(list(&store, "users", "org_1").len(), 3);

        api.emit(&[event("x", "dsync.user.deleted", 100, user("u2", "active", 100))]);
        api.broker(|broker| broker.tick(10));
        let dry = ["reconcile", "--dry-run", "--format", "json", "--detailed-exitcode"];
        let dry = output(&mut command(&store, &api, &dry));
        assert_eq!(dry.status.code(), Some(2));
        let report: Value = serde_json::from_slice(&dry.stdout).unwrap();
        assert_fits("schemas/reconcile.schema.json", &report);
        let found = report["directories"][0].as_object().unwrap();
        let fields: Vec<&str> = found.keys().map(String::as_str).collect();
        assert_eq!(
            fields,
            [
                "compared_at",
                "complete",
                "differences",
                "directory_id",
                "groups",
                "memberships",
                "people",
                "reason",
                "tenant_id"
            ]
        );
        let differences = found["differences"].as_array().unwrap();
        let gone = differences.iter().find(|difference| difference["kind"] == "user").unwrap();
        assert_eq!(
            (&gone["id"], &gone["done"], &gone["broker"]),
            (&"u2".into(), &"none".into(), &"absent".into())
        );

        let unknown = output(&mut command(&store, &api, &["reconcile", "--directory", "Directory dir1"]));
        let said = String::from_utf8_lossy(&unknown.stderr).into_owned();
        assert!(said.contains("there is no directory Directory dir1 (did you mean dir_1"), "{said}");
        let healed = output(&mut command(&store, &api, &["reconcile", "--directory", "directory DIR_1"]));
        assert_eq!(healed.status.code(), Some(0), "{healed:?}");
        let status = stdout(&output(&mut command(&store, &api, &["sync", "status", "--format", "json"])));
        let status: Value = serde_json::from_str(&status).unwrap();
        assert_fits("schemas/sync-status.schema.json", &status);
        assert_eq!((&status[0]["people"], &status[0]["healed"]), (&2.into(), &2.into()), "{status}");
        let active = list(&store, "users", "org_1").iter().filter(|user| user["status"] == "active").count();
        assert_eq!(active, 2);
        let log = stdout(&output(&mut command(
            &store,
            &api,
            &["audit", "log", "--tenant", "org_1", "--format", "json"],
        )));
        assert!(log.contains("directory.compared"), "{log}");
    }
}

#[test]
fn reconcile_without_a_key_says_what_to_set_and_doctor_tries_the_key() {
    let (store, api) = (TestDatabase::create(Backend::Sqlite), TestApi::start());
    stdout(&output(&mut command(&store, &api, &["migrate"])));
    let refused = output(command(&store, &api, &["reconcile"]).env_remove("WORKOS_API_KEY"));
    assert_eq!(refused.status.code(), Some(78));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("set WORKOS_API_KEY"));

    let doctor = |key: &str| {
        let shown = output(command(&store, &api, &["doctor", "--format", "json"]).env("WORKOS_API_KEY", key));
        let findings: Vec<Value> = serde_json::from_slice(&shown.stdout).unwrap();
        findings.into_iter().find(|finding| finding["check"] == "broker").unwrap()
    };
    assert_eq!(doctor("sk_wrong")["verdict"], "fail");
    assert_ne!(doctor(KEY)["verdict"], "fail");
}

#[test]
fn serve_applies_events_that_no_webhook_brought() {
    for backend in Backend::offered() {
        let (store, api) = (TestDatabase::create(backend), TestApi::start());
        let world = world(3);
        api.emit(&world);
        stdout(&output(&mut command(&store, &api, &["backfill"])));
        let served = Served::start(|command| {
            command
                .env("DATABASE_URL", store.url())
                .env("WORKOS_API_KEY", KEY)
                .env("WORKOS_API_URL", format!("http://{}", api.address))
                .env("ROSTERD_POLL_SECONDS", "1");
        });
        api.emit(&[event("x", "dsync.user.deleted", 100, user("u2", "active", 100))]);
        eventually("the leaver is found", || {
            list(&store, "users", "org_1")
                .iter()
                .any(|user| user["id"] == "u2" && user["status"] == "inactive")
        });
        served.signal("-TERM");
        let (status, _) = served.end();
        assert!(status.success());
    }
}
