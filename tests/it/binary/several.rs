//! Several processes on one PostgreSQL database.

use std::collections::BTreeSet;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rosterd::simulate::{DEFAULT_START, Plan};
use serde_json::Value;

use super::{drained, list, tenants};
use crate::{
    crash::load::Load,
    harness::{
        Backend, TestDatabase,
        process::{Served, eventually, get, output, rosterd, stdout},
    },
};

fn applied(served: &Served) -> u64 {
    let metrics = get(served.admin_address, "/metrics");
    let count = metrics.lines().find_map(|line| line.strip_prefix("rosterd_applied_total "));
    count.unwrap().trim().parse().unwrap()
}

#[test]
#[cfg_attr(feature = "sqlite-only", ignore = "PostgreSQL is left out")]
fn lesson_42_processes_that_write_of_one_tenant_at_once_leave_one_unforked_chain() {
    let store = TestDatabase::create(Backend::Postgres);
    let served: Vec<Served> = (0..3).map(|_| Served::on(&store)).collect();
    let plan = Plan { tenants: 1, users: 300, events: 3_000, seed: 11, start: DEFAULT_START };
    let events: Vec<_> = plan.events().collect();
    let load = Load::start(&events, &mut ChaCha8Rng::seed_from_u64(11));
    served.iter().for_each(|served| load.add(served.address));
    let run = |arguments: &[&str]| output(rosterd().env("DATABASE_URL", store.url()).args(arguments));

    load.allow(400);
    load.wait_for(400);
    eventually("somebody and a role", || {
        tenants(&store).first().is_some_and(|tenant| {
            list(&store, "roles", tenant).len() > 1
                && list(&store, "users", tenant).iter().any(|user| user["status"] == "active")
        })
    });
    let tenant = tenants(&store).remove(0);
    let active = list(&store, "users", &tenant).into_iter().find(|user| user["status"] == "active").unwrap();
    let user = active["id"].as_str().unwrap();
    let role = list(&store, "roles", &tenant)[0]["slug"].as_str().unwrap().to_owned();
    load.allow(load.len());
    // Operators write to the chain beside the workers.
    for _ in 0..4 {
        let whom = ["--tenant", &tenant, user, &role];
        stdout(&run(&[&["roles", "grant"][..], &whom, &["--reason", "on call"]].concat()));
        stdout(&run(&[&["roles", "revoke"][..], &whom, &["--reason", "over"]].concat()));
    }
    load.wait_for(load.len());
    eventually("everything applied", || served.iter().all(drained));
    let wrote: Vec<u64> = served.iter().map(applied).collect();
    for served in served {
        served.signal("-TERM");
        assert!(served.end().0.success());
    }

    assert!(wrote.iter().filter(|applied| **applied > 0).count() >= 2, "one process did it all: {wrote:?}");
    let chains: Vec<Value> =
        serde_json::from_str(&stdout(&run(&["audit", "verify", "--format", "json"]))).unwrap();
    let chain = chains.iter().find(|chain| chain["tenant"] == tenant.as_str()).unwrap();
    assert_eq!(chain["verdict"], "ok", "{chain}");
    let log = stdout(&run(&["audit", "log", "--tenant", &tenant, "--limit", "100000", "--format", "json"]));
    let log: Vec<Value> = serde_json::from_str(&log).unwrap();
    let places: Vec<u64> = log.iter().map(|entry| entry["seq"].as_u64().unwrap()).collect();
    assert_eq!(places, (1..=chain["entries"].as_u64().unwrap()).collect::<Vec<_>>());
    let actors: BTreeSet<&str> =
        log.iter().filter_map(|entry| entry["actor"].as_str()?.split(' ').next()).collect();
    assert!(actors.contains("event") && actors.contains("operator"), "{actors:?}");
}
