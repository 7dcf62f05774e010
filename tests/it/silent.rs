//! Connections that fall silent without a reset, for example behind a firewall that has forgotten them. Work continues
//! over new connections, and a stop does not wait for the old ones.

use std::{
    process::Command,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread::sleep,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::harness::{
    Backend, SECRET, TestDatabase,
    broker::{event, signature, user},
    database::execute,
    process::{Served, eventually, eventually_within, get, output, rosterd, stdout},
    proxy::Proxy,
    server::Server,
};

/// The binary behind a proxy, and the proxy.
fn served(store: &TestDatabase) -> (Served, Proxy) {
    let url = url::Url::parse(&store.url()).unwrap();
    let proxy = Proxy::before(format!("{}:{}", url.host_str().unwrap(), url.port().unwrap_or(5432)));
    let mut through = url;
    through.set_host(Some("127.0.0.1")).unwrap();
    through.set_port(Some(proxy.port)).unwrap();
    let served = Served::start(|command: &mut Command| {
        command.env("DATABASE_URL", through.as_str());
    });
    (served, proxy)
}

fn deliver(webhook: &str, n: usize) -> bool {
    let body =
        event(&format!("e{n}"), "dsync.user.created", 1, user(&format!("u{n}"), "active", 1)).to_string();
    let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(12)).build().unwrap();
    let header = signature(SECRET, rosterd::runtime::clock::Clock::System.now().millis(), body.as_bytes());
    let request = client.post(webhook).header("WorkOS-Signature", header).body(body);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { request.send().await }).is_ok_and(|answer| answer.status() == 200)
}

fn users(store: &TestDatabase) -> Vec<Value> {
    let mut command = rosterd();
    command.env("DATABASE_URL", store.url()).args(["users", "list", "--tenant", "org_1", "--format", "json"]);
    let listed = output(&mut command);
    // Before the first event is applied, there is no such tenant.
    match String::from_utf8_lossy(&listed.stderr).contains("there is no tenant") {
        true => Vec::new(),
        false => serde_json::from_str(&stdout(&listed)).unwrap(),
    }
}

fn waits(served: &Served) -> bool {
    let ready: Value = serde_json::from_str(&get(served.admin_address, "/readyz")).unwrap_or_default();
    ready["inbox"]["count"] != 0
}

#[test]
#[cfg_attr(feature = "sqlite-only", ignore = "PostgreSQL is left out")]
fn applying_continues_within_thirty_seconds_after_connections_fell_silent_during_a_serialized_transaction() {
    let store = TestDatabase::create(Backend::Postgres);
    let (served, proxy) = served(&store);
    assert!(deliver(&served.webhook(), 0));
    eventually("applied", || !waits(&served));

    // The connection falls silent during a series of batches, so a silent connection holds the lock.
    let (webhook, next, done) = (served.webhook(), AtomicUsize::new(1), AtomicBool::new(false));
    let begun = std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !done.load(Ordering::SeqCst) {
                    deliver(&webhook, next.fetch_add(1, Ordering::SeqCst));
                }
            });
        }
        sleep(Duration::from_millis(700));
        proxy.silence();
        done.store(true, Ordering::SeqCst);
        Instant::now()
    });
    let (bound, last) = (Duration::from_secs(30), next.load(Ordering::SeqCst));
    let mut stored = deliver(&webhook, last);
    while !stored && begun.elapsed() < bound {
        stored = deliver(&webhook, last);
    }
    assert!(stored, "nothing is kept");
    let (id, left) = (format!("u{last}"), bound.saturating_sub(begun.elapsed()));
    eprintln!("kept after {:?}", begun.elapsed());
    eventually_within(left, "applied", || users(&store).iter().any(|user| user["id"] == *id));
    eprintln!("applied after {:?}", begun.elapsed());

    let stopping = Instant::now();
    served.signal("-TERM");
    let (status, log) = served.end();
    assert!(status.success(), "{log:?}");
    assert!(stopping.elapsed() < Duration::from_secs(10), "{:?} {log:?}", stopping.elapsed());
}

#[test]
#[cfg_attr(feature = "sqlite-only", ignore = "PostgreSQL is left out")]
fn a_server_that_stood_still_finds_the_work_left_behind_and_the_new_in_agreement() {
    let Some(server) = Server::start() else { return };
    execute(&server.url(), "CREATE DATABASE still");
    let store = TestDatabase::Postgres { server: server.url(), name: "still".to_owned() };
    let served = Served::on(&store);
    assert!(deliver(&served.webhook(), 0));
    eventually("applied", || !waits(&served));

    let (webhook, next, done) = (served.webhook(), AtomicUsize::new(1), AtomicBool::new(false));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !done.load(Ordering::SeqCst) {
                    deliver(&webhook, next.fetch_add(1, Ordering::SeqCst));
                }
            });
        }
        sleep(Duration::from_millis(700));
        server.freeze();
        done.store(true, Ordering::SeqCst);
    });
    // Long enough that a shift is abandoned. It wakes after the next shift has begun.
    sleep(Duration::from_secs(26));
    server.thaw();
    let (begun, last) = (Instant::now(), next.load(Ordering::SeqCst));
    // All events are sent again, as a broker does that got no 200.
    for n in 1..=last {
        eventually("stored", || deliver(&webhook, n));
    }
    eventually_within(Duration::from_secs(30), "applied", || users(&store).len() == last + 1);
    eprintln!("applied {:?} after the end of it", begun.elapsed());
    let differences = stdout(&output(rosterd().env("DATABASE_URL", store.url()).args([
        "rebuild",
        "--dry-run",
        "--format",
        "json",
    ])));
    assert_eq!(differences.trim(), "[]");

    server.freeze();
    sleep(Duration::from_millis(2_500));
    let stopping = Instant::now();
    served.signal("-TERM");
    let (status, log) = served.end();
    server.thaw();
    assert!(status.success(), "{log:?}");
    assert!(stopping.elapsed() < Duration::from_secs(15), "{:?} {log:?}", stopping.elapsed());
    eprintln!("stopped after {:?}", stopping.elapsed());
    assert!(log.iter().any(|line| line.contains("the database did not answer")), "{log:?}");
}

#[test]
#[cfg_attr(feature = "sqlite-only", ignore = "PostgreSQL is left out")]
fn a_stop_does_not_wait_for_connections_that_fell_silent() {
    let store = TestDatabase::create(Backend::Postgres);
    let (served, proxy) = served(&store);
    assert!(deliver(&served.webhook(), 0));
    eventually("applied", || !waits(&served));

    proxy.silence();
    // Both workers look for work every two seconds, and readiness is requested too.
    sleep(Duration::from_millis(2_500));
    let (address, admin) = (served.address, served.admin_address);
    for asked in [address, admin] {
        std::thread::spawn(move || get(asked, "/readyz"));
    }
    sleep(Duration::from_millis(200));

    let stopping = Instant::now();
    served.signal("-TERM");
    let (status, log) = served.end();
    assert!(status.success(), "{log:?}");
    assert!(stopping.elapsed() < Duration::from_secs(12), "{:?} {log:?}", stopping.elapsed());
    eprintln!("stopped after {:?}", stopping.elapsed());
}
