//! The SQL of the documents runs as it is written there.

use diesel::{RunQueryDsl, connection::SimpleConnection, sql_query};
use rosterd::db::{Conn, DbError};

use crate::harness::both;

const DOCUMENTS: [(&str, &str); 2] = [
    ("README.md", include_str!("../../README.md")),
    ("docs/integrating.md", include_str!("../../docs/integrating.md")),
];

/// The statements of the blocks ```sql. The first line of a block may name the database for which it is.
fn statements(document: &str, leave_out: &str) -> Vec<String> {
    let blocks = document.split("```sql\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let blocks = blocks.filter(|block| !block.lines().next().unwrap().contains(leave_out));
    let plain = |block: &str| {
        let lines = block.lines().map(|line| line.split("--").next().unwrap().trim());
        lines.collect::<Vec<_>>().join(" ")
    };
    let plain: Vec<String> = blocks.map(plain).collect();
    let all = plain.iter().flat_map(|block| block.split(';')).map(|one| one.trim().to_owned());
    all.filter(|one| !one.is_empty()).collect()
}

both! {
    fn the_sql_of_the_documents_runs_as_it_is_written(app) {
        let mut ran = 0;
        for (name, document) in DOCUMENTS {
            app.database().read::<_, DbError>(|conn| {
                match conn {
                    Conn::Postgres(pg) => {
                        // As the application has it.
                        pg.batch_execute("BEGIN; SET LOCAL search_path = rosterd").unwrap();
                        for (n, sql) in statements(document, "SQLite").iter().enumerate() {
                            let prepared = sql.starts_with("SELECT");
                            let sql = if prepared { format!("PREPARE d{n} AS {sql}") } else { sql.clone() };
                            pg.batch_execute(&sql).unwrap_or_else(|error| panic!("{name}: {sql}: {error}"));
                            ran += 1;
                        }
                        pg.batch_execute("ROLLBACK; DEALLOCATE ALL").unwrap();
                    }
                    Conn::Sqlite(sqlite) => {
                        for sql in statements(document, "PostgreSQL") {
                            // Parameters are NULL.
                            sql_query(&sql).execute(sqlite).unwrap_or_else(|error| panic!("{name}: {sql}: {error}"));
                            ran += 1;
                        }
                    }
                }
                Ok(())
            })
            .unwrap();
        }
        assert!(ran >= 8, "{ran} statements");
    }
}
