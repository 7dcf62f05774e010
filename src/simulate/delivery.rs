//! Tests of deliveries to a small receiver with answers from the test.

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use indicatif::ProgressBar;
use reqwest::Url;

use super::attempt::{Endpoint, now_unix_ms};
use super::send::{Pace, deliver};
use super::{Options, Plan, SIGNATURE_HEADER, run, signature_header};

/// Answers each request with the result of `answer` for its number, signature header and body. Each connection has a
/// thread. Counts the connections.
fn receiver(
    answer: impl Fn(usize, &str, &[u8]) -> String + Send + Sync + 'static,
) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/webhooks/workos", listener.local_addr().unwrap());
    let (connections, requests) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
    let (answer, counted) = (Arc::new(answer), Arc::clone(&connections));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (requests, answer) = (Arc::clone(&requests), Arc::clone(&answer));
            let counted = Arc::clone(&counted);
            std::thread::spawn(move || {
                let mut stream = stream.unwrap();
                let mut reader = BufReader::new(stream.try_clone().unwrap());
                let mut first = true;
                while let Some((signature, body)) = request(&mut reader) {
                    // A connection without a request is the check before the start.
                    if std::mem::take(&mut first) {
                        counted.fetch_add(1, Ordering::Relaxed);
                    }
                    let number = requests.fetch_add(1, Ordering::Relaxed);
                    stream.write_all(answer(number, &signature, &body).as_bytes()).unwrap();
                }
            });
        }
    });
    (url, connections)
}

fn request(reader: &mut impl BufRead) -> Option<(String, Vec<u8>)> {
    let (mut signature, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        match line.trim_end().split_once(": ") {
            Some((name, value)) if name.eq_ignore_ascii_case(SIGNATURE_HEADER) => {
                value.clone_into(&mut signature);
            }
            Some(("content-length", value)) => length = value.parse().unwrap(),
            None if line.trim_end().is_empty() => break,
            _ => {}
        }
    }
    let mut body = vec![0; length];
    Read::read_exact(reader, &mut body).ok()?;
    Some((signature, body))
}

fn response(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\n{headers}content-length: {}\r\n\r\n{body}", body.len())
}

fn accepted() -> String {
    response("200 OK", "", r#"{"status":"accepted"}"#)
}

fn block<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

#[test]
fn every_delivery_is_signed_at_its_time_and_counted_as_answered() {
    let (url, connections) = receiver(|number, signature, body| {
        let time: i64 = signature.split(['=', ',']).nth(1).unwrap().parse().unwrap();
        let fresh = (now_unix_ms() - time).abs() < 60_000;
        if !fresh || signature != signature_header("whsec", time, body) {
            response("401 Unauthorized", "", "")
        } else if number.is_multiple_of(10) {
            response("200 OK", "", r#"{"status":"duplicate"}"#)
        } else {
            accepted()
        }
    });
    let options =
        Options { duplicates: 10, shuffle: true, concurrency: 4, ..Options::new(url, "whsec,older") };
    let report = block(run(&options)).unwrap();
    assert!(report.sent > 400, "{report}");
    assert_eq!(report.duplicates, report.sent.div_ceil(10));
    assert_eq!(report.accepted + report.duplicates, report.sent, "{report}");
    assert!(connections.load(Ordering::Relaxed) <= 4, "connections are not kept alive");
    assert_eq!(report.per_second.iter().sum::<u64>(), report.sent);
}

#[test]
fn a_busy_receiver_is_tried_again_and_nothing_is_lost() {
    let seen = Mutex::new(HashSet::new());
    // Every third event fails at its first attempt. With every third request instead, one of 400 events could fail at
    // all attempts.
    let (url, _) = receiver(move |_, _, body| {
        let mut seen = seen.lock().unwrap();
        match seen.insert(body.to_vec()) && seen.len().is_multiple_of(3) {
            true => response("503 Service Unavailable", "retry-after: 0\r\n", "busy"),
            false => accepted(),
        }
    });
    let report = block(run(&Options::new(url, "whsec"))).unwrap();
    assert_eq!((report.accepted, report.failed, report.refused), (400, 0, 0), "{report}");
    assert_eq!(report.retried, 133, "{report}");
}

#[test]
fn a_refusal_is_not_tried_again() {
    let (url, _) = receiver(|number, _, _| match number {
        5 => response("413 Content Too Large", "", "too large"),
        _ => accepted(),
    });
    let report = block(run(&Options::new(url, "whsec"))).unwrap();
    assert_eq!((report.accepted, report.refused, report.retried), (399, 1, 0), "{report}");
    assert!(report.first_problem.unwrap().contains("too large"));
}

#[test]
fn a_wrong_secret_ends_the_run_with_what_to_do() {
    let (url, _) = receiver(|_, _, _| response("401 Unauthorized", "", "wrong signature"));
    let error = block(run(&Options::new(url, "whsec"))).unwrap_err();
    assert!(error.to_string().contains("WORKOS_WEBHOOK_SECRET"), "{error}");
}

#[test]
fn an_absent_server_is_reported_at_once() {
    let error = block(run(&Options::new("http://127.0.0.1:1/webhooks/workos", "whsec"))).unwrap_err();
    assert!(error.to_string().contains("is `rosterd serve` running"), "{error}");
}

#[test]
fn latency_counts_from_the_schedule_even_when_all_workers_wait() {
    // One worker, 20 ms for each answer, one delivery due each 5 ms: the 40th delivery is 600 ms late, not 20.
    let (url, _) = receiver(|_, _, _| {
        std::thread::sleep(Duration::from_millis(20));
        accepted()
    });
    let plan = Plan { tenants: 1, users: 0, events: 0, seed: 1, start: 0 };
    let event = Arc::new(plan.events().next().unwrap());
    let endpoint = Endpoint::new(Url::parse(&url).unwrap(), "s", 1).unwrap();
    let feed = Arc::new(Mutex::new(std::iter::repeat_n(event, 40)));
    let report =
        block(deliver(endpoint, Pace { rate: 200, concurrency: 1 }, feed, ProgressBar::hidden())).unwrap();
    assert!(report.latency_ms.max > 500.0, "{report}");
}

#[test]
fn a_receiver_that_no_longer_takes_anything_ends_the_run_early() {
    let (url, _) = receiver(|number, _, _| match number {
        0..100 => accepted(),
        _ => response("503 Service Unavailable", "retry-after: 0\r\n", "disk full"),
    });
    let options = Options { concurrency: 2, ..Options::new(url, "whsec") };
    let report = block(run(&options)).unwrap();
    assert!(report.gave_up && !report.is_complete(), "{report}");
    assert_eq!((report.accepted, report.expected), (100, None), "{report}");
    assert!(report.to_string().contains("disk full"), "{report}");
}
