//! SQL about a table is in one place, so that a change of the table is a change there.

use std::collections::BTreeSet;

use super::source::{Source, files, is_test, src};

/// Tables that are not owned by `tables/`, with the directory or file that owns them.
const OWNERS: [(&str, &[&str]); 6] = [
    ("inbox", &["inbox", "inbox_queue", "dead_letters", "seen_ids"]),
    ("outbox", &["outbox", "mails"]),
    ("audit", &["audit", "audit_heads"]),
    ("feed", &["changes", "changes_head", "consumers"]),
    ("endpoints", &["endpoints", "endpoint_waiting", "endpoint_attempts"]),
    ("tables", &[]),
];

/// Statements that join tables of several owners, each with its reason.
const JOINS: [(&str, &str); 7] = [
    ("operator/rebuild/", "fills a second database from the log and copies whole tables back"),
    ("db/probe.rs", "tries all that applying needs, and rolls it back"),
    (
        "worker/pending_work.rs",
        "asks for all kinds of work at once: an idle service runs this statement alone",
    ),
    ("outbox/bundle.rs", "a bundle waits while its directory is recomputed"),
    ("outbox/still_true.rs", "a notice stands while its person is without access"),
    ("audit/report.rs", "the review lists what the application's tables hold"),
    ("audit/leaver_receipt.rs", "a receipt ends with the mail"),
];

fn owner(table: &str) -> &'static str {
    OWNERS.iter().find(|(_, tables)| tables.contains(&table)).map_or("tables", |(owner, _)| owner)
}

/// The tables of both migrations.
fn tables() -> BTreeSet<String> {
    let migrations = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations/sqlite");
    let mut found = BTreeSet::new();
    for migration in std::fs::read_dir(migrations).unwrap() {
        let sql = std::fs::read_to_string(migration.unwrap().path().join("up.sql")).unwrap();
        let created = sql.lines().filter_map(|line| line.strip_prefix("CREATE TABLE "));
        found.extend(created.map(|rest| rest.split([' ', '(']).next().unwrap().to_owned()));
    }
    assert!(found.contains("users") && found.contains("inbox_queue"), "{found:?}");
    found
}

/// The tables that the SQL in a text names.
fn in_sql<'a>(text: &str, tables: &'a BTreeSet<String>) -> BTreeSet<&'a str> {
    let words: Vec<&str> =
        text.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty()).collect();
    let named = words.windows(2).filter(|pair| matches!(pair[0], "FROM" | "JOIN" | "INTO" | "UPDATE"));
    named.filter_map(|pair| tables.get(pair[1]).map(String::as_str)).collect()
}

#[test]
fn sql_about_a_table_stands_with_its_owner() {
    let tables = tables();
    let mut strangers = Vec::new();
    for file in files(&src()).iter().filter(|file| !is_test(file) && *file != "db/schema.rs") {
        let source = Source::read(file);
        let mut named: BTreeSet<&str> = source.texts().flat_map(|text| in_sql(&text, &tables)).collect();
        let imported = source.after("schema");
        named.extend(tables.iter().filter(|table| imported.contains(*table)).map(String::as_str));
        let joins = JOINS.iter().any(|(joining, _)| file.starts_with(joining));
        for table in named {
            if !joins && super::module(file) != owner(table) {
                strangers.push(format!("{file} names {table}, which belongs to {}", owner(table)));
            }
        }
    }
    assert_eq!(strangers, Vec::<String>::new());
}
