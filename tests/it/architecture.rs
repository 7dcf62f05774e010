//! The shape of the code, where it carries a promise.

use std::path::{Path, PathBuf};

fn sources(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

fn src() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

#[test]
fn decisions_and_what_they_call_know_no_database_no_network_no_mail_and_no_clock() {
    let pure = ["decide", "broker"].iter().flat_map(|room| {
        let mut files = sources(&src().join(room));
        files.push(src().join(format!("{room}.rs")));
        files
    });
    for file in pure.chain([
        src().join("audit/chain.rs"),
        src().join("audit/change.rs"),
        src().join("fact.rs"),
        src().join("notify/render.rs"),
        src().join("notify/retry.rs"),
    ]) {
        let text = std::fs::read_to_string(&file).unwrap();
        for word in [
            "diesel",
            "actix",
            "lettre",
            "Clock",
            "::now(",
            "Utc",
            "rand",
            "std::fs",
            "std::net",
            "std::env",
            "crate::db",
            "crate::tables",
            "crate::inbox",
        ] {
            let line = text.lines().find(|line| line.contains(word) && !line.trim_start().starts_with("//"));
            assert_eq!(line, None, "{} in {}", word, file.display());
        }
    }
}

#[test]
fn nothing_past_the_edge_knows_workos() {
    let edge = [
        "broker",
        "simulate",
        "config",
        "cli",
        "app.rs",
        "broker.rs",
        "simulate.rs",
        "config.rs",
        "cli.rs",
        "lib.rs",
    ];
    for file in sources(&src()) {
        let inside = file.strip_prefix(src()).unwrap();
        if edge.iter().any(|part| inside.starts_with(part)) {
            continue;
        }
        let text = std::fs::read_to_string(&file).unwrap();
        let line = text.lines().find(|line| {
            let line = line.trim_start();
            line.to_lowercase().contains("workos") && !line.starts_with("//")
        });
        assert!(line.is_none() || inside == Path::new("http/problem.rs"), "{line:?} in {}", file.display());
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
