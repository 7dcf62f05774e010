//! Set-based statements: many rows as one parameter set, one SQL text for both databases.
//!
//! A statement names its input `{rows}`, once. On PostgreSQL this is an `unnest` of one array for each column, so a batch
//! of any size is one round trip with few bind parameters. On SQLite, which has no round trips, the statement runs for
//! parts of the rows, so it must not depend on all rows together. Each connection prepares a statement once.

mod statement;
mod upsert;

use diesel::{QueryResult, RunQueryDsl, deserialize::QueryableByName, pg::Pg, sqlite::Sqlite};

use super::Conn;
use crate::runtime::clock::Timestamp;
use statement::{AllRows, SomeRows, Statement};
pub use upsert::Upsert;

enum Values<'a> {
    Text(Vec<&'a str>),
    OptionalText(Vec<Option<&'a str>>),
    Json(Vec<&'a str>),
    OptionalJson(Vec<Option<&'a str>>),
    Integer(Vec<i64>),
    OptionalInteger(Vec<Option<i64>>),
    Boolean(Vec<bool>),
    Bytes(Vec<&'a [u8]>),
    OptionalBytes(Vec<Option<&'a [u8]>>),
    /// On PostgreSQL a time, on SQLite its text.
    Time(Vec<Option<Timestamp>>),
}

type Column<'a> = (&'static str, Values<'a>);

/// The input of a statement: a slice of rows and its named columns.
pub struct Rows<'a, R> {
    rows: &'a [R],
    columns: Vec<Column<'a>>,
}

impl<'a, R> Rows<'a, R> {
    /// These rows, with no columns yet.
    pub fn of(rows: &'a [R]) -> Self {
        Self { rows, columns: Vec::new() }
    }

    fn with(mut self, name: &'static str, values: Values<'a>) -> Self {
        self.columns.push((name, values));
        self
    }

    /// Adds a column of texts.
    pub fn text(self, name: &'static str, of: impl Fn(&'a R) -> &'a str) -> Self {
        let values = Values::Text(self.rows.iter().map(of).collect());
        self.with(name, values)
    }

    /// Adds a column of texts that may be null.
    pub fn optional_text(self, name: &'static str, of: impl Fn(&'a R) -> Option<&'a str>) -> Self {
        let values = Values::OptionalText(self.rows.iter().map(of).collect());
        self.with(name, values)
    }

    /// Adds a column of JSON: `jsonb` on PostgreSQL, text on SQLite.
    pub fn json(self, name: &'static str, of: impl Fn(&'a R) -> &'a str) -> Self {
        let values = Values::Json(self.rows.iter().map(of).collect());
        self.with(name, values)
    }

    /// Adds a column of JSON that may be null.
    pub fn optional_json(self, name: &'static str, of: impl Fn(&'a R) -> Option<&'a str>) -> Self {
        let values = Values::OptionalJson(self.rows.iter().map(of).collect());
        self.with(name, values)
    }

    /// Adds a column of 64-bit integers.
    pub fn integer(self, name: &'static str, of: impl Fn(&'a R) -> i64) -> Self {
        let values = Values::Integer(self.rows.iter().map(of).collect());
        self.with(name, values)
    }

    /// Adds a column of 64-bit integers that may be null.
    pub fn optional_integer(self, name: &'static str, of: impl Fn(&'a R) -> Option<i64>) -> Self {
        let values = Values::OptionalInteger(self.rows.iter().map(of).collect());
        self.with(name, values)
    }

    /// Adds a column of booleans.
    pub fn boolean(self, name: &'static str, of: impl Fn(&'a R) -> bool) -> Self {
        let values = Values::Boolean(self.rows.iter().map(of).collect());
        self.with(name, values)
    }

    /// Adds a column of bytes.
    pub fn bytes(self, name: &'static str, of: impl Fn(&'a R) -> &'a [u8]) -> Self {
        let values = Values::Bytes(self.rows.iter().map(of).collect());
        self.with(name, values)
    }

    /// Adds a column of bytes that may be null.
    pub fn optional_bytes(self, name: &'static str, of: impl Fn(&'a R) -> Option<&'a [u8]>) -> Self {
        let values = Values::OptionalBytes(self.rows.iter().map(of).collect());
        self.with(name, values)
    }

    /// Adds a column of times that may be null: `timestamptz` on PostgreSQL, RFC 3339 text on SQLite.
    pub fn time(self, name: &'static str, of: impl Fn(&'a R) -> Option<Timestamp>) -> Self {
        let values = Values::Time(self.rows.iter().map(of).collect());
        self.with(name, values)
    }

    /// Runs `sql` with the rows and returns how many rows it changed. Without rows it does nothing.
    pub fn execute(self, conn: &mut Conn, sql: &str) -> QueryResult<usize> {
        if self.rows.is_empty() {
            return Ok(0);
        }
        match conn {
            Conn::Postgres(pg) => self.all_at_once(sql).execute(pg),
            Conn::Sqlite(sqlite) => {
                self.parts().map(|(from, count)| self.some(sql, from, count).execute(sqlite)).sum()
            }
        }
    }

    /// Runs a query with the rows, which it reads as `r`, and returns the found rows.
    pub fn load<T>(self, conn: &mut Conn, sql: &str) -> QueryResult<Vec<T>>
    where
        T: QueryableByName<Pg> + QueryableByName<Sqlite> + 'static,
    {
        if self.rows.is_empty() {
            return Ok(Vec::new());
        }
        match conn {
            Conn::Postgres(pg) => self.all_at_once(sql).load(pg),
            Conn::Sqlite(sqlite) => {
                let mut found = Vec::new();
                for (from, count) in self.parts() {
                    found.extend(self.some(sql, from, count).load::<T>(sqlite)?);
                }
                Ok(found)
            }
        }
    }

    fn all_at_once<'s>(&'s self, sql: &'s str) -> Statement<'s, AllRows<'s>> {
        Statement { sql, input: AllRows { columns: &self.columns } }
    }

    fn some<'s>(&'s self, sql: &'s str, from: usize, count: usize) -> Statement<'s, SomeRows<'s>> {
        Statement { sql, input: SomeRows { columns: &self.columns, from, count } }
    }

    /// All rows in parts of three sizes, so that few statements are prepared: (first, count).
    fn parts(&self) -> impl Iterator<Item = (usize, usize)> {
        let mut from = 0;
        std::iter::from_fn(move || {
            let left = self.rows.len() - from;
            let count = *PARTS.iter().find(|count| **count <= left)?;
            from += count;
            Some((from - count, count))
        })
    }
}

const PARTS: [usize; 3] = [64, 8, 1];
