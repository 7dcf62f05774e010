//! `rosterd changes` and `rosterd consumers`.

use std::{
    io::{BufRead, BufReader},
    process::{Output, Stdio},
};

use serde_json::Value;

use super::member;
use crate::harness::{
    TestApp, both,
    broker::{event, organization, user},
    process::{output, rosterd, stdout},
};

fn command(app: &TestApp, arguments: &[&str]) -> Output {
    output(rosterd().env("DATABASE_URL", app.store.url()).args(arguments))
}

fn lines(app: &TestApp, arguments: &[&str]) -> Vec<Value> {
    let printed = stdout(&command(app, &[&["changes", "tail", "--until-idle"], arguments].concat()));
    printed.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn numbers(lines: &[Value]) -> Vec<i64> {
    lines.iter().map(|line| line["seq"].as_i64().unwrap()).collect()
}

fn error(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

both! {
    fn the_tail_prints_records_from_a_number_on_of_one_tenant_or_all(app) {
        member(app);
        app.play(&[event("o2", "organization.created", 0, organization("org_2", 0))]);

        assert_eq!(numbers(&lines(app, &[])), (1..=8).collect::<Vec<_>>());
        assert_eq!(numbers(&lines(app, &["--from", "0", "--format", "jsonl"])).len(), 8);
        assert_eq!(numbers(&lines(app, &["--from", "6"])), [6, 7, 8]);
        assert_eq!(numbers(&lines(app, &["--from", "7", "--tenant", "Org org_1"])), [7]);
        assert_eq!(numbers(&lines(app, &["--tenant", "org_2"])), [8]);
        assert_eq!(lines(app, &["--from", "9"]), Vec::<Value>::new());
        let first = &lines(app, &[])[0];
        let keys: Vec<&String> = first.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["after", "at", "before", "cause", "kind", "seq", "subject", "tenant_id"]);
        let head: Value = serde_json::from_str(&stdout(&command(app, &["changes", "head", "--format", "json"]))).unwrap();
        assert_eq!(head[0], serde_json::json!({"seq": 8, "first_seq": 1}));
    }
}

both! {
    fn the_tail_follows_and_ends_with_its_reader(app) {
        member(app);
        let mut tail = rosterd()
            .env("DATABASE_URL", app.store.url())
            .args(["changes", "tail", "--from", "7"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(tail.stdout.take().unwrap()).lines();
        let mut next = || serde_json::from_str::<Value>(&lines.next().unwrap().unwrap()).unwrap();
        assert_eq!(next()["kind"], "membership.added");

        app.play(&[event("u2", "dsync.user.created", 20, user("u2", "active", 20))]);

        assert_eq!(next()["kind"], "user.created");
        assert_eq!(next()["kind"], "role.granted");
        drop(lines);
        app.play(&[event("u3", "dsync.user.created", 21, user("u3", "active", 21))]);
        assert!(tail.wait().unwrap().success());
    }
}

both! {
    fn consumers_are_added_confirm_and_are_removed(app) {
        member(app);
        let listed = || -> Vec<(String, i64, i64)> {
            let printed = stdout(&command(app, &["consumers", "list", "--format", "json"]));
            let all: Vec<Value> = serde_json::from_str(&printed).unwrap();
            let one = |one: &Value| {
                (one["name"].as_str().unwrap().to_owned(), one["seq"].as_i64().unwrap(), one["lag"].as_i64().unwrap())
            };
            all.iter().map(one).collect()
        };
        assert!(command(app, &["consumers", "add", "billing"]).status.success());
        assert!(command(app, &["consumers", "add", "search", "--seq", "0"]).status.success());
        assert_eq!(listed(), [("billing".to_owned(), 7, 0), ("search".to_owned(), 0, 7)]);
        assert!(error(&command(app, &["consumers", "add", "billing"])).contains("already"));
        assert!(error(&command(app, &["consumers", "add", "x", "--seq", "8"])).contains("the newest is 7"));

        assert!(command(app, &["consumers", "ack", "search", "5"]).status.success());
        assert!(error(&command(app, &["consumers", "ack", "search", "4"])).contains("has confirmed 5"));
        assert!(error(&command(app, &["consumers", "ack", "search", "9"])).contains("the newest is 7"));
        assert!(error(&command(app, &["consumers", "ack", "nobody", "5"])).contains("rosterd consumers list"));
        assert_eq!(listed()[1], ("search".to_owned(), 5, 2));
        assert!(command(app, &["consumers", "remove", "search"]).status.success());
        assert_eq!(listed().len(), 1);
    }
}
