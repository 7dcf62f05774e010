//! Reads the change feed as a host does, and folds its records into tables.

use std::collections::BTreeMap;

use rosterd::{
    db::{Database, DbError},
    feed::{
        head,
        read::{self, Record},
    },
    tables::host_tables::{PublishedTable, TABLES},
};
use serde_json::{Map, Value};

/// Rows by table and key.
type Folded = BTreeMap<(&'static str, Vec<String>), Value>;

/// All records, in order. Their numbers must have no gap.
pub fn records(database: &Database) -> Vec<Record> {
    let first = database.read::<_, DbError>(|conn| Ok(head::get(conn)?)).unwrap().first_seq;
    let (mut records, mut next) = (Vec::new(), first);
    loop {
        let page = read::page(database, next, None, 1_000).unwrap();
        records.extend(page.records);
        next = page.next;
        if !page.is_full {
            break;
        }
    }
    let numbers: Vec<i64> = records.iter().map(|record| record.seq).collect();
    assert_eq!(numbers, (first..next).collect::<Vec<i64>>(), "the numbers have a gap");
    records
}

/// Folds all records from the first one, and compares the result with the tables. Each record must continue the one before,
/// unless the test has written into the tables itself. Nothing is compared after retention has deleted the first records:
/// a process with the real clock deletes those of a test, which has another time.
pub fn folds(database: &Database, is_strict: bool) -> Result<(), String> {
    if database.read::<_, DbError>(|conn| Ok(head::get(conn)?)).unwrap().first_seq > 1 {
        return Ok(());
    }
    let mut folded = Folded::new();
    for record in records(database) {
        let was = join(&mut folded, &record);
        if is_strict && was != record.before {
            return Err(format!("{record:?} does not follow {was}"));
        }
    }
    let tables = tables(database);
    let different = |one: &Folded, other: &Folded, side: &str| {
        let mut lines = Vec::new();
        for (key, row) in one {
            if other.get(key) != Some(row) {
                lines.push(format!("{key:?} {side} {row}"));
            }
        }
        lines
    };
    let mut lines = different(&folded, &tables, "in the feed");
    lines.extend(different(&tables, &folded, "in the tables"));
    if lines.is_empty() {
        Ok(())
    } else {
        Err(format!("the feed differs from the tables:\n{}", lines.join("\n")))
    }
}

/// Returns the row before.
fn join(folded: &mut Folded, record: &Record) -> Value {
    let table = table(&record.kind);
    let subject = |name: &str| record.subject[name].as_str().map(str::to_owned);
    let names = ["directory_id", "group_id", "user_id", "role_slug"];
    let key: Vec<String> =
        std::iter::once(record.tenant_id.clone()).chain(names.into_iter().filter_map(subject)).collect();
    let was = match record.after.is_null() {
        true => folded.remove(&(table, key)),
        false => folded.insert((table, key), record.after.clone()),
    };
    was.unwrap_or_default()
}

fn table(kind: &str) -> &'static str {
    match kind {
        "role.granted" | "role.updated" | "role.revoked" => "user_roles",
        "role.listed" | "role.renamed" | "role.unlisted" => "roles",
        _ => match kind.split('.').next().unwrap() {
            "tenant" => "tenants",
            "directory" => "directories",
            "group" => "groups",
            "user" => "users",
            "membership" => "group_members",
            _ => panic!("{kind}"),
        },
    }
}

fn tables(database: &Database) -> Folded {
    let mut rows = Folded::new();
    for table in &TABLES {
        let all = database.read::<_, DbError>(|conn| Ok(table.rows(conn, None)?)).unwrap();
        rows.extend(all.into_iter().map(|row| keyed(table, row)));
    }
    rows
}

fn keyed(table: &PublishedTable, mut row: Vec<Value>) -> ((&'static str, Vec<String>), Value) {
    let columns = row.split_off(table.key);
    let key = row.iter().map(|part| part.as_str().unwrap().to_owned()).collect();
    let names = table.names().skip(table.key).map(str::to_owned);
    ((table.name, key), Value::Object(names.zip(columns).collect::<Map<_, _>>()))
}
