//! Every cell of every table as text, to search for data that must not exist.

use std::fmt::Write;

use diesel::{
    QueryableByName, RunQueryDsl, sql_query,
    sql_types::{Nullable, Text},
};
use rosterd::db::{Conn, Database, DbError, Url};

use super::TestDatabase;

#[derive(QueryableByName)]
struct Cell {
    #[diesel(sql_type = Nullable<Text>)]
    text: Option<String>,
}

fn texts(conn: &mut Conn, sql: &str) -> Vec<Option<String>> {
    let cells: Vec<Cell> = match conn {
        Conn::Postgres(pg) => sql_query(sql).load(pg).unwrap(),
        Conn::Sqlite(sqlite) => sql_query(sql).load(sqlite).unwrap(),
    };
    cells.into_iter().map(|cell| cell.text).collect()
}

fn column_names(conn: &mut Conn) -> Vec<(String, String)> {
    let sql = match conn {
        Conn::Postgres(_) => {
            "SELECT t.table_name || ' ' || c.column_name AS text FROM information_schema.tables t \
             JOIN information_schema.columns c USING (table_schema, table_name) \
             WHERE t.table_schema IN ('rosterd', 'rosterd_internal') AND t.table_type = 'BASE TABLE' ORDER BY 1"
        }
        Conn::Sqlite(_) => {
            "SELECT t.name || ' ' || c.name AS text FROM sqlite_master t JOIN pragma_table_info(t.name) c \
             WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite%' ORDER BY 1"
        }
    };
    let names = texts(conn, sql).into_iter().flatten();
    names
        .map(|name| name.split_once(' ').map(|(table, column)| (table.into(), column.into())).unwrap())
        .collect()
}

/// A line for each cell, `table.column: text`. Bytes are shown as text.
pub fn everything(database: &Database) -> String {
    database
        .read::<_, DbError>(|conn| {
            let mut all = String::new();
            for (table, column) in column_names(conn) {
                let cell = match conn {
                    Conn::Postgres(_) => format!(
                        "CASE pg_typeof(\"{column}\")::text WHEN 'bytea' \
                         THEN 'bytes ' || encode(\"{column}\"::text::bytea, 'hex') ELSE \"{column}\"::text END"
                    ),
                    Conn::Sqlite(_) => format!(
                        "CASE typeof(\"{column}\") WHEN 'blob' THEN 'bytes ' || hex(\"{column}\") \
                         ELSE CAST(\"{column}\" AS TEXT) END"
                    ),
                };
                for text in texts(conn, &format!("SELECT {cell} AS text FROM \"{table}\"")).into_iter().flatten() {
                    let bytes = text.strip_prefix("bytes ").and_then(|digits| hex::decode(digits).ok());
                    let text = bytes.map_or(text, |bytes| String::from_utf8_lossy(&bytes).into_owned());
                    writeln!(all, "{table}.{column}: {text}").unwrap();
                }
            }
            Ok(all)
        })
        .unwrap()
}

pub fn everything_in(store: &TestDatabase) -> String {
    everything(&Database::new(&Url::parse(&store.url()).unwrap(), 1))
}

/// The lines that contain this text, in any case.
pub fn naming(all: &str, text: &str) -> Vec<String> {
    let text = text.to_lowercase();
    all.lines().filter(|line| line.to_lowercase().contains(&text)).map(str::to_owned).collect()
}
