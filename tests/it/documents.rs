//! The SQL of the documents runs as it is written there.

use diesel::{
    Connection, PgConnection, RunQueryDsl, SqliteConnection, connection::SimpleConnection, sql_query,
};

use crate::harness::{Backend, TestApp, TestDatabase};

const DOCUMENTS: [(&str, &str); 2] = [
    ("README.md", include_str!("../../README.md")),
    ("docs/integrating.md", include_str!("../../docs/integrating.md")),
];

/// The statements of the blocks with SQL. The first line of a block may name the database for which it is.
fn statements(document: &str, leave_out: &str) -> Vec<String> {
    let blocks = document.split("```sql\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let blocks = blocks.filter(|block| !block.lines().next().unwrap().contains(leave_out));
    let plain: Vec<String> = blocks
        .map(|block| block.lines().map(|line| line.split("--").next().unwrap()).collect::<Vec<_>>().join(" "))
        .collect();
    let all = plain.iter().flat_map(|block| block.split(';')).map(|one| one.trim().to_owned());
    all.filter(|one| !one.is_empty()).collect()
}

#[test]
fn the_sql_of_the_documents_runs_as_it_is_written() {
    for backend in Backend::offered() {
        let app = TestApp::start(backend, |_| {});
        let mut ran = 0;
        for (name, document) in DOCUMENTS {
            match &app.store {
                TestDatabase::Postgres { .. } => {
                    let mut session = PgConnection::establish(&app.store.url()).unwrap();
                    session.batch_execute("SET search_path = rosterd").unwrap();
                    for (n, sql) in statements(document, "SQLite").iter().enumerate() {
                        // Its parameters have no values.
                        let prepare =
                            if sql.contains('$') { format!("PREPARE d{n} AS ") } else { String::new() };
                        let ended = session.batch_execute(&format!("{prepare}{sql}"));
                        ended.unwrap_or_else(|error| panic!("{name}: {sql}: {error}"));
                        ran += 1;
                    }
                }
                TestDatabase::Sqlite(directory) => {
                    let file = directory.path().join("rosterd.db");
                    let mut session = SqliteConnection::establish(&file.display().to_string()).unwrap();
                    for sql in statements(document, "PostgreSQL") {
                        // Its parameters are NULL.
                        let ended = sql_query(&sql).execute(&mut session);
                        ended.unwrap_or_else(|error| panic!("{name}: {sql}: {error}"));
                        ran += 1;
                    }
                }
            }
        }
        assert!(ran >= 7, "{ran} statements");
    }
}
