//! The structure of the code, where a promise depends on it.

mod graph;
mod source;
mod tables;

use std::path::Path;

use source::{Source, files, head, is_test, module, src, text};

/// Modules that are pure as a whole. In other modules the head of a file contains "pure".
const PURE: [&str; 2] = ["decide", "broker"];

#[test]
fn pure_files_know_no_database_no_network_no_mail_no_files_and_no_clock() {
    for file in files(&src()).iter().filter(|file| !is_test(file)) {
        let says_so =
            head(&text(file)).split_whitespace().any(|word| matches!(word, "pure." | "pure;" | "Pure:"));
        if *file == "lib.rs"
            || !(says_so || PURE.contains(&module(file)) || file.starts_with("notify/render"))
        {
            continue;
        }
        let source = Source::read(file);
        for name in [
            "diesel",
            "actix_web",
            "lettre",
            "reqwest",
            "rand",
            "Clock",
            "Utc",
            "SystemTime",
            "metrics",
            "telemetry",
            "failpoint",
        ] {
            assert!(!source.names().contains(name), "{name} in {file}");
        }
        assert!(!source.after("Instant").contains("now"), "Instant::now in {file}");
        for (root, names) in [
            ("std", &["fs", "net", "env", "thread", "process"][..]),
            ("crate", &["db", "tables", "inbox", "receive", "worker", "app", "cli"]),
        ] {
            let used = source.after(root);
            for name in names {
                assert!(!used.contains(*name), "{root}::{name} in {file}");
            }
        }
    }
}

#[test]
fn nothing_past_the_edge_knows_workos() {
    for file in files(&src()) {
        let edge = ["broker", "simulate", "config", "cli", "app", "lib"].contains(&module(&file));
        if edge || file == "receive/problem.rs" {
            continue;
        }
        let source = Source::read(&file);
        let named = source.names().into_iter().chain(source.texts());
        let found = named.into_iter().find(|name| name.to_lowercase().contains("workos"));
        assert_eq!(found, None, "in {file}");
    }
}

#[test]
fn both_databases_have_the_same_migrations() {
    let folders = |side: &str| {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(side);
        let mut names: Vec<_> =
            std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    assert_eq!(folders("sqlite"), folders("postgres"));
}
