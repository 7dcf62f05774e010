//! What the wire promises: statuses, problems, health, metrics.

use reqwest::StatusCode;
use serde_json::json;

use crate::harness::{
    SECRET, both,
    broker::{event, signature, user},
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
            // Lesson 20: milliseconds taken for seconds.
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
    fn the_window_is_closed_on_both_sides(app) {
        for (n, offset) in [-180_000, 180_000].into_iter().enumerate() {
            let body = event(&format!("e{n}"), "dsync.user.created", 1, user("u1", "active", 1)).to_string();
            let header = signature(SECRET, app.clock.now().millis() + offset, body.as_bytes());

            assert_eq!(app.post("/webhooks/workos", Some(&header), body).status, StatusCode::OK);
        }
    }
}

both! {
    fn a_body_changed_on_its_way_is_refused_and_not_kept(app) {
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
        // Exactly at the limit is read, verified and kept (as a dead letter: blanks are no event).
        assert_eq!(app.send(vec![b' '; 1 << 20]).status, StatusCode::OK);
    }
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
    fn metrics_count_what_was_kept_and_applied(app) {
        app.play(&[event("e1", "dsync.user.created", 1, user("u1", "active", 1))]);

        let metrics = app.get("/metrics").body;

        for line in ["rosterd_deliveries_total{outcome=\"accepted\"} 1", "rosterd_applied_total 1", "rosterd_inbox_waiting 0"] {
            assert!(metrics.lines().any(|l| l == line), "{line} in\n{metrics}");
        }
    }
}
