#!/usr/bin/env bash
# crates.io rusqlite 0.43.0 with jiff 0.2.46, time 0.3.55 and chrono 0.4.45 (cargo 1.95, SQLite 3.40 of Debian 12, seen on 2026-11-28):
#
# SQLite has no type for time; rusqlite writes `jiff::Timestamp`, `time::UtcDateTime`, `time::OffsetDateTime` and `chrono::DateTime<Utc>` as text in UTC. SQL compares
# texts byte by byte, and ISO 8601 texts of one form are in the order of time. Expected: `ORDER BY`, `max` and `<=` give the order of the instants that were written.
#
# The two types that can be nothing but UTC are compared wrongly within a second. Both end in `Z` behind a fraction of varying length, and `Z` is greater than `.` and
# than any digit. The types with an offset are compared rightly, since `+` is smaller:
#
# - With `jiff::Timestamp` an event at the full second is the latest of its second, and `<=` with a later instant of that second does not find it.
# - With both types .05 s is later than .051 s. `julianday(…)` around the column orders rightly, without the column's index.
#
# rusqlite's documentation gives the form of `jiff::Timestamp` as YYYY-MM-DDTHH:MM:SS.SSSZ, with three digits, which would be in order.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
mkdir src
cat > Cargo.toml <<'TOML'
[package]
name = "probe"
version = "0.0.0"
edition = "2024"

[dependencies]
chrono = { version = "=0.4.45", default-features = false }
jiff = "=0.2.46"
rusqlite = { version = "=0.43.0", default-features = false, features = ["chrono", "jiff", "time"] }
time = "=0.3.55"
TOML
cat > src/main.rs <<'RUST'
use rusqlite::{Connection, ToSql};

const SECOND: i128 = 1_795_000_000_000_000_000;
// In the order of time.
const NANOSECONDS: [i128; 5] = [0, 50_000_000, 51_000_000, 500_000_000, 999_999_000];

fn show<T: ToSql>(name: &str, instant: impl Fn(i128) -> T) {
    let database = Connection::open_in_memory().unwrap();
    database.execute_batch("CREATE TABLE events (number INTEGER, at TEXT)").unwrap();
    for (number, nanoseconds) in NANOSECONDS.into_iter().enumerate() {
        database.execute("INSERT INTO events VALUES (?1, ?2)", (number as i64 + 1, instant(SECOND + nanoseconds))).unwrap();
    }
    let text = |sql: &str| database.query_row(sql, [], |row| row.get::<_, String>(0)).unwrap();
    let order = text("SELECT group_concat(number, ' ') FROM (SELECT number FROM events ORDER BY at)");
    let by_day = text("SELECT group_concat(number, ' ') FROM (SELECT number FROM events ORDER BY julianday(at))");
    let forms = text("SELECT group_concat(substr(at, 18), ' ') FROM (SELECT at FROM events WHERE number < 4 ORDER BY number)");
    let latest = text("SELECT number || '' FROM events ORDER BY at DESC LIMIT 1");
    let found: i64 =
        database.query_row("SELECT count(*) FROM events WHERE at <= ?1", [instant(SECOND + NANOSECONDS[3])], |row| row.get(0)).unwrap();
    println!("{name}: written [{forms}], ORDER BY at: {order}, by julianday: {by_day}, latest: {latest}, not after the fourth: {found}");
}

fn main() {
    show("jiff::Timestamp", |at| jiff::Timestamp::from_nanosecond(at).unwrap());
    show("time::UtcDateTime", |at| time::UtcDateTime::from_unix_timestamp_nanos(at).unwrap());
    show("time::OffsetDateTime", |at| time::OffsetDateTime::from_unix_timestamp_nanos(at).unwrap());
    show("chrono::DateTime<Utc>", |at| chrono::DateTime::from_timestamp_nanos(at as i64));
}
RUST
cargo run --quiet > seen

diff - seen <<'EXPECTED' && echo "unchanged" && cat seen
jiff::Timestamp: written [40Z 40.05Z 40.051Z], ORDER BY at: 3 2 4 5 1, by julianday: 1 2 3 4 5, latest: 1, not after the fourth: 3
time::UtcDateTime: written [40.0Z 40.05Z 40.051Z], ORDER BY at: 3 2 1 4 5, by julianday: 1 2 3 4 5, latest: 5, not after the fourth: 4
time::OffsetDateTime: written [40.0+00:00 40.05+00:00 40.051+00:00], ORDER BY at: 1 2 3 4 5, by julianday: 1 2 3 4 5, latest: 5, not after the fourth: 4
chrono::DateTime<Utc>: written [40+00:00 40.050+00:00 40.051+00:00], ORDER BY at: 1 2 3 4 5, by julianday: 1 2 3 4 5, latest: 5, not after the fourth: 4
EXPECTED
