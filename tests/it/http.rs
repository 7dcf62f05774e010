//! The HTTP contract: statuses, problems, health, metrics.

use reqwest::StatusCode;
use serde_json::json;

use crate::harness::{
    SECRET, both,
    broker::{event, signature, user},
    socket::Socket,
};

both! {
    fn each_reason_to_refuse_a_signature_has_its_status_its_problem_and_its_counter(app) {
        let body = event("e1", "dsync.user.created", 1, user("u1", "active", 1)).to_string();
        let now = app.clock.now().millis();
        let hex = |secret: &str, at: i64| signature(secret, at, body.as_bytes());
        let cases = [
            (None, 400, "signature-missing"),
            (Some("nonsense".to_owned()), 400, "signature-malformed"),
            (Some(hex("wrong", now)), 401, "signature-mismatch"),
            (Some(hex(SECRET, now - 180_001)), 401, "signature-too-old"),
            (Some(hex(SECRET, now + 180_001)), 401, "signature-too-new"),
            // Lesson 20: milliseconds instead of seconds.
            (Some(hex(SECRET, now / 1_000)), 401, "signature-in-seconds"),
        ];

        for (header, status, problem) in cases {
            let answer = app.post("/webhooks/workos", header.as_deref(), body.clone());

            assert_eq!((answer.status.as_u16(), answer.problem().as_str()), (status, problem));
            let counter = format!("rosterd_refused_total{{reason=\"{problem}\"}} 1");
            assert!(app.get("/metrics").body.contains(&counter), "{counter}");
        }
        assert_eq!(app.inbox(), []);
    }
}

both! {
    fn a_signature_header_is_judged_before_a_byte_of_the_body_is_sent(app) {
        let now = app.clock.now().millis();
        let old = format!("WorkOS-Signature: {}\r\n", signature(SECRET, now - 180_001, b""));
        let seconds = format!("WorkOS-Signature: {}\r\n", signature(SECRET, now / 1_000, b""));
        let cases = [
            ("", 400, "header is missing", "signature-missing"),
            ("WorkOS-Signature: nonsense\r\n", 400, "no t", "signature-malformed"),
            (old.as_str(), 401, "older than the window", "signature-too-old"),
            (seconds.as_str(), 401, "looks like seconds; it must be milliseconds", "signature-in-seconds"),
        ];
        for (header, status, sentence, problem) in cases {
            let mut socket = Socket::connect(app.address());
            socket.write(format!("POST /webhooks/workos HTTP/1.1\r\nHost: x\r\n{header}Content-Length: 1000000\r\n\r\n"));

            let answer = socket.answer();

            assert_eq!((answer.status, answer.problem()), (status, problem.to_owned()), "{header}");
            assert!(answer.body.contains(sentence), "{}", answer.body);
        }
    }
}

both! {
    fn several_signature_lines_are_one_list(app) {
        let body = event("e1", "dsync.user.created", 1, user("u1", "active", 1)).to_string();
        let header = signature(SECRET, app.clock.now().millis(), body.as_bytes());
        let (time, digest) = header.split_once(", ").unwrap();
        let send = |lines: &[&str]| {
            let lines: String = lines.iter().map(|line| format!("WorkOS-Signature: {line}\r\n")).collect();
            let mut socket = Socket::connect(app.address());
            socket.write(format!("POST /webhooks/workos HTTP/1.1\r\nHost: x\r\n{lines}Content-Length: {}\r\n\r\n{body}", body.len()));
            socket.answer()
        };

        assert_eq!(send(&[time, digest]).json(), json!({"status": "accepted"}));
        assert_eq!(send(&[digest, time]).json(), json!({"status": "duplicate"}));
        // With the whole header twice, the signed time is ambiguous.
        assert_eq!((send(&[&header, &header]).status, send(&[time, time, digest]).status), (400, 400));
        assert_eq!(send(&[time]).problem(), "signature-malformed");
    }
}

both! {
    fn bytes_in_flight_are_bounded_and_the_broker_is_asked_to_come_again(app, |config| {
        (config.http.max_body_bytes, config.http.max_bytes_in_flight) = (8_000, 12_000);
    }) {
        let head = |length: usize| format!(
            "POST /webhooks/workos HTTP/1.1\r\nHost: x\r\nWorkOS-Signature: {}\r\nContent-Length: {length}\r\n\r\n",
            signature(SECRET, app.clock.now().millis(), b"another body"),
        );
        let mut stranger = Socket::connect(app.address());
        stranger.write(head(8_000));
        stranger.write(" ".repeat(7_000));
        // One thread serves these requests in turn, so a few are enough until the stranger's bytes are read.
        let refused = (0..1_000).map(|_| app.send(vec![b' '; 6_000])).find(|answer| answer.status != StatusCode::OK).unwrap();

        assert_eq!((refused.status.as_u16(), refused.problem().as_str()), (503, "no-room"));
        assert!(refused.retry_after.is_some());
        assert_eq!(app.send(vec![b' '; 4_000]).status, StatusCode::OK, "what fits is taken");

        stranger.write(" ".repeat(1_000));
        assert_eq!(stranger.answer().problem(), "signature-mismatch");
        assert_eq!(app.send(vec![b' '; 6_000]).status, StatusCode::OK, "the room is given back");
    }
}

both! {
    fn the_window_is_closed_on_both_sides(app) {
        for (n, offset) in [-180_000, 180_000].into_iter().enumerate() {
            let body = event(&format!("e{n}"), "dsync.user.created", 1, user("u1", "active", 1)).to_string();
            let header = signature(SECRET, app.clock.now().millis() + offset, body.as_bytes());

            assert_eq!(app.post("/webhooks/workos", Some(&header), body).status, StatusCode::OK);
        }
    }
}

both! {
    fn a_body_changed_in_transit_is_refused_and_not_stored(app) {
        let body = event("e1", "dsync.user.created", 1, user("u1", "active", 1)).to_string();
        let header = signature(SECRET, app.clock.now().millis(), body.as_bytes());

        let answer = app.post("/webhooks/workos", Some(&header), body.replace("active", "Active"));

        assert_eq!((answer.status, answer.problem().as_str()), (StatusCode::UNAUTHORIZED, "signature-mismatch"));
        assert_eq!(app.inbox(), []);
    }
}

both! {
    fn an_unknown_source_and_an_unknown_page_are_404_problems(app) {
        assert_eq!(app.post("/webhooks/nobody", None, "{}").problem(), "unknown-source");
        let answer = app.get("/admin");
        assert_eq!((answer.status, answer.problem().as_str()), (StatusCode::NOT_FOUND, "no-such-page"));
    }
}

both! {
    fn a_body_over_the_limit_is_413_announced_or_not(app) {
        let answer = app.send(vec![b' '; 2 << 20]);
        assert_eq!((answer.status, answer.problem().as_str()), (StatusCode::PAYLOAD_TOO_LARGE, "too-large"));
        // A chunked body has no announced length.
        let mut chunked = Socket::connect(app.address());
        chunked.write(chunked_head(app));
        let chunk = format!("{:x}\r\n{}\r\n", 1 << 18, " ".repeat(1 << 18));
        for _ in 0..4 {
            chunked.write(&chunk);
        }
        chunked.write("1\r\n \r\n");
        let answer = chunked.answer();
        assert_eq!((answer.status, answer.problem().as_str()), (413, "too-large"));
        // A body of exactly the limit is read, verified and stored (as a dead letter: blanks are no event).
        assert_eq!(app.send(vec![b' '; 1 << 20]).status, StatusCode::OK);
    }
}

both! {
    fn a_body_that_breaks_off_is_400_and_one_that_comes_too_slowly_408(app, |config| {
        config.http.body_timeout_seconds = 1;
    }) {
        let mut broken = Socket::connect(app.address());
        broken.write(chunked_head(app));
        broken.write("4\r\n{\"id\r\n");
        broken.end_writing();
        let answer = broken.answer();
        assert_eq!((answer.status, answer.problem().as_str()), (400, "unreadable"));

        let mut slow = Socket::connect(app.address());
        slow.write(chunked_head(app));
        slow.write("4\r\n{\"id\r\n");
        let answer = slow.answer();
        assert_eq!((answer.status, answer.problem().as_str()), (408, "too-slow"));
        assert_eq!(app.inbox(), []);
    }
}

fn chunked_head(app: &crate::harness::TestApp) -> String {
    let header = signature(SECRET, app.clock.now().millis(), b"another body");
    format!(
        "POST /webhooks/workos HTTP/1.1\r\nHost: x\r\nWorkOS-Signature: {header}\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
}

both! {
    fn health_and_readiness_tell_what_waits(app) {
        assert_eq!(app.get("/healthz").json(), json!({"status": "alive"}));
        app.deliver(&event("e1", "dsync.user.created", 1, user("u1", "active", 1)));
        app.send("not an event");
        app.clock.advance_seconds(7);

        let ready = app.get("/readyz");

        assert_eq!(ready.status, StatusCode::OK);
        let ready = ready.json();
        assert_eq!(ready["inbox"], json!({"count": 1, "oldest_seconds": 7}));
        assert_eq!(ready["dead_letters"], json!({"count": 1, "oldest_seconds": 7}));
        app.drain();
        assert_eq!(app.get("/readyz").json()["inbox"], json!({"count": 0, "oldest_seconds": null}));
    }
}

both! {
    fn the_public_port_says_ready_and_no_more_to_get_and_head_with_or_without_a_slash(app) {
        let ask = |method: &str, path: &str| {
            let mut socket = Socket::connect(app.address());
            socket.write(format!("{method} {path} HTTP/1.1\r\nHost: x\r\n\r\n"));
            if method == "HEAD" {
                let head = socket.head();
                assert_eq!(socket.rest(), 0, "HEAD has no body");
                return (head.split(' ').nth(1).unwrap().to_owned(), String::new(), head);
            }
            let answer = socket.answer();
            (answer.status.to_string(), answer.body, answer.head)
        };
        for slash in ["", "/"] {
            for (path, body) in [("/readyz", r#"{"status":"ready"}"#), ("/healthz", r#"{"status":"alive"}"#)] {
                let path = format!("{path}{slash}");
                let (status, got, head) = ask("GET", &path);
                assert_eq!((status.as_str(), got.as_str()), ("200", body));
                let length = format!("content-length: {}\r\n", body.len());
                assert!(head.contains(&length));
                let (status, _, head) = ask("HEAD", &path);
                assert!(status == "200" && head.contains(&length), "{head}");
                let (status, _, head) = ask("DELETE", &path);
                assert!(status == "405" && head.contains("allow: get, head\r\n"), "{head}");
            }
            for method in ["GET", "PUT"] {
                let (status, body, head) = ask(method, &format!("/webhooks/workos{slash}"));
                assert!(status == "405" && head.contains("allow: post\r\n"), "{head}");
                assert!(body.contains("only signed deliveries by POST"), "{body}");
            }
            assert_eq!(ask("GET", &format!("/webhooks/nobody{slash}")).0, "404");
        }
        let body = event("e1", "dsync.user.created", 1, user("u1", "active", 1)).to_string();
        let header = signature(SECRET, app.clock.now().millis(), body.as_bytes());
        assert_eq!(app.post("/webhooks/workos/", Some(&header), body).status, StatusCode::OK);
    }
}

both! {
    fn idle_strangers_keep_the_broker_out_no_longer_than_the_head_timeout(app, |config| {
        (config.http.max_connections, config.http.head_timeout_seconds) = (16, 1);
        config.http.keep_alive_seconds = 1;
    }) {
        // More connections than allowed. Some send nothing, some begin a request, some have an answer.
        let strangers: Vec<Socket> = (0..48)
            .map(|n| {
                let mut socket = Socket::connect(app.address());
                socket.write(match n % 3 {
                    0 => "",
                    1 => "POST /webhooks/workos HTTP/1.1\r\n",
                    // Only the broker may begin a second request.
                    _ => "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /he",
                });
                socket
            })
            .collect();
        let begun = std::time::Instant::now();

        app.deliver(&event("e1", "dsync.user.created", 1, user("u1", "active", 1)));

        assert!(begun.elapsed() < std::time::Duration::from_secs(15), "{:?}", begun.elapsed());
        assert_eq!(app.get("/readyz").status, StatusCode::OK, "the admin listener has its own");
        for mut stranger in strangers {
            stranger.rest();
        }
    }
}

both! {
    fn metrics_count_stored_and_applied_deliveries(app) {
        app.play(&[event("e1", "dsync.user.created", 1, user("u1", "active", 1))]);

        let metrics = app.get("/metrics").body;

        for line in ["rosterd_deliveries_total{outcome=\"accepted\"} 1", "rosterd_applied_total 1", "rosterd_inbox_waiting 0"] {
            assert!(metrics.lines().any(|l| l == line), "{line} in\n{metrics}");
        }
    }
}

both! {
    fn metrics_are_plain_text_unless_open_metrics_is_asked_for(app) {
        app.play(&[event("e1", "dsync.user.created", 1, user("u1", "active", 1))]);

        let plain = app.metrics("*/*");
        assert_eq!(plain.status, StatusCode::OK);
        assert_eq!(plain.content_type, "text/plain; version=0.0.4; charset=utf-8");
        assert!(plain.body.contains("# TYPE rosterd_applied_total counter\nrosterd_applied_total 1\n"), "{}", plain.body);
        assert!(!plain.body.contains("# EOF") && !plain.body.contains("# UNIT"), "{}", plain.body);

        let open = app.metrics("application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1");
        assert_eq!(open.content_type, "application/openmetrics-text; version=1.0.0; charset=utf-8");
        assert!(open.body.contains("# TYPE rosterd_applied counter\nrosterd_applied_total 1\n"), "{}", open.body);
        assert!(open.body.ends_with("# EOF\n"), "{}", open.body);
    }
}

both! {
    fn metrics_show_the_version_the_readiness_and_the_newest_delivery(app) {
        let newest = |metrics: &str| {
            let line = metrics.lines().find_map(|line| line.strip_prefix("rosterd_newest_delivery_timestamp_seconds "));
            line.unwrap().parse::<f64>().unwrap()
        };
        let before = app.get("/metrics").body;
        assert_eq!(newest(&before), 0.0);

        app.play(&[event("e1", "dsync.user.created", 1, user("u1", "active", 1))]);

        let after = app.get("/metrics").body;
        assert_eq!((newest(&after) * 1e6).round() as i64, app.clock.now().micros());
        let build = format!("rosterd_build_info{{version=\"{}\"}} 1", env!("CARGO_PKG_VERSION"));
        for line in ["rosterd_ready 1", "rosterd_directories_silent 0", "rosterd_holds_open 0", &build] {
            assert!(after.lines().any(|seen| seen == line), "{line} in\n{after}");
        }
        assert!(after.contains("process_start_time_seconds "), "{after}");
    }
}
