//! The process dies at chosen points of a write. Each answered write is in the tables afterwards, and a client that repeats
//! an unanswered one makes no second person.

use std::{os::unix::process::ExitStatusExt, time::Duration};

use serde_json::Value;

use super::client::user;
use crate::harness::{
    Backend, TestDatabase,
    process::{Served, eventually, output, rosterd, stdout},
};

/// In the order of the data's path.
const POINTS: [&str; 5] = ["appended", "provisioning", "provisioned", "folded", "applied"];

struct Directory {
    id: String,
    token: String,
}

fn serve(store: &TestDatabase, point: &str) -> (Served, String) {
    let served = Served::start(|command| {
        command
            .env("DATABASE_URL", store.url())
            .env("ROSTERD_SCIM_LISTEN", "127.0.0.1:0")
            .env("ROSTERD_FAIL_AT", point);
    });
    let line: Value = serde_json::from_str(served.seen.last().unwrap()).unwrap();
    let address = line["scim"].as_str().unwrap().to_owned();
    (served, address)
}

fn run(backend: Backend) {
    let store = TestDatabase::create(backend);
    stdout(&output(rosterd().arg("migrate").env("DATABASE_URL", store.url())));
    let mut add = rosterd();
    add.args([
        "directories",
        "add",
        "--tenant",
        "org_1",
        "--name",
        "Lumen",
        "--provider",
        "okta",
        "--format",
        "json",
    ]);
    let made: Value = serde_json::from_str(&stdout(&output(add.env("DATABASE_URL", store.url())))).unwrap();
    let text = |key: &str| made[key].as_str().unwrap().to_owned();
    let directory = Directory { id: text("directory_id"), token: text("token") };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(20)).build().unwrap();
    let post = |address: &str, name: &str| {
        let url = format!("http://{address}/scim/v2/{}/Users", directory.id);
        let request = client.post(url).bearer_auth(&directory.token).body(user(name).to_string());
        runtime.block_on(async { request.send().await.ok().map(|answer| answer.status().as_u16()) })
    };
    let (mut answered, mut number) = (0, 0);
    for point in POINTS {
        let (served, address) = serve(&store, point);
        // The write during which the process dies has no answer.
        let unanswered = loop {
            number += 1;
            let name = format!("u{number}");
            match post(&address, &name) {
                Some(status) => {
                    assert_eq!(status, 201, "{point}");
                    answered += 1;
                }
                None => break name,
            }
        };
        let (status, log) = served.end();
        assert_eq!(status.signal(), Some(6), "{point}: {log:?}");
        let (served, address) = serve(&store, "");
        let repeated = post(&address, &unanswered);
        assert!(matches!(repeated, Some(201 | 409)), "{point}: {repeated:?}");
        let mut list = rosterd();
        list.args(["users", "list", "--tenant", "org_1", "--format", "json"])
            .env("DATABASE_URL", store.url());
        eventually("every person is in the tables, once", || {
            let users: Vec<Value> = serde_json::from_str(&stdout(&output(&mut list))).unwrap();
            let mut names: Vec<&str> = users.iter().map(|user| user["username"].as_str().unwrap()).collect();
            let all = names.len();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), all, "{point}: somebody is there twice: {names:?}");
            all == number
        });
        drop(served);
    }
    assert!(answered + POINTS.len() == number, "{answered} of {number}");
}

#[test]
fn a_process_that_dies_during_a_write_loses_no_answered_one_and_makes_nobody_twice_on_sqlite() {
    run(Backend::Sqlite);
}

#[test]
#[cfg_attr(feature = "sqlite-only", ignore = "PostgreSQL is left out")]
fn a_process_that_dies_during_a_write_loses_no_answered_one_and_makes_nobody_twice_on_postgres() {
    run(Backend::Postgres);
}
