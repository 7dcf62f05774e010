//! Set-based statements: many rows as one parameter set, one SQL text for both databases.
//!
//! A statement names its input `{rows}`. PostgreSQL gets it as `unnest` of one array for each column, SQLite as
//! `json_each` of one JSON text; so a batch costs one statement however many rows it has, and no bind limit is near.

use diesel::{
    QueryResult, RunQueryDsl,
    deserialize::QueryableByName,
    pg::Pg,
    query_builder::BoxedSqlQuery,
    sql_query,
    sql_types::{Array, BigInt, Bool, Nullable, Text, Timestamptz},
    sqlite::Sqlite,
};
use serde_json::Value;

use super::Conn;
use crate::clock::Timestamp;

#[derive(Clone)]
enum Values<'a> {
    Text(Vec<&'a str>),
    OptionalText(Vec<Option<&'a str>>),
    Json(Vec<&'a str>),
    Integer(Vec<i64>),
    OptionalInteger(Vec<Option<i64>>),
    Boolean(Vec<bool>),
    Time(Vec<Option<Timestamp>>),
}

/// Columns of equal length, named; built from any iterable of rows.
pub struct Rows<'a, R> {
    rows: &'a [R],
    columns: Vec<(&'static str, Values<'a>)>,
}

impl<'a, R> Rows<'a, R> {
    pub fn of(rows: &'a [R]) -> Self {
        Self { rows, columns: Vec::new() }
    }

    fn with(mut self, name: &'static str, values: Values<'a>) -> Self {
        self.columns.push((name, values));
        self
    }

    pub fn text(self, name: &'static str, of: impl Fn(&'a R) -> &'a str) -> Self {
        let values = Values::Text(self.rows.iter().map(of).collect());
        self.with(name, values)
    }

    pub fn optional_text(self, name: &'static str, of: impl Fn(&'a R) -> Option<&'a str>) -> Self {
        let values = Values::OptionalText(self.rows.iter().map(of).collect());
        self.with(name, values)
    }

    pub fn json(self, name: &'static str, of: impl Fn(&'a R) -> &'a str) -> Self {
        let values = Values::Json(self.rows.iter().map(of).collect());
        self.with(name, values)
    }

    pub fn integer(self, name: &'static str, of: impl Fn(&'a R) -> i64) -> Self {
        let values = Values::Integer(self.rows.iter().map(of).collect());
        self.with(name, values)
    }

    pub fn optional_integer(self, name: &'static str, of: impl Fn(&'a R) -> Option<i64>) -> Self {
        let values = Values::OptionalInteger(self.rows.iter().map(of).collect());
        self.with(name, values)
    }

    pub fn boolean(self, name: &'static str, of: impl Fn(&'a R) -> bool) -> Self {
        let values = Values::Boolean(self.rows.iter().map(of).collect());
        self.with(name, values)
    }

    pub fn time(self, name: &'static str, of: impl Fn(&'a R) -> Option<Timestamp>) -> Self {
        let values = Values::Time(self.rows.iter().map(of).collect());
        self.with(name, values)
    }

    /// Runs `sql` over the rows; no rows, no statement.
    pub fn execute(self, conn: &mut Conn, sql: &str) -> QueryResult<usize> {
        if self.rows.is_empty() {
            return Ok(0);
        }
        match conn {
            Conn::Postgres(pg) => self.postgres(sql).execute(pg),
            Conn::Sqlite(sqlite) => self.sqlite(sql).execute(sqlite),
        }
    }

    pub fn load<T>(self, conn: &mut Conn, sql: &str) -> QueryResult<Vec<T>>
    where
        T: QueryableByName<Pg> + QueryableByName<Sqlite> + 'static,
    {
        if self.rows.is_empty() {
            return Ok(Vec::new());
        }
        match conn {
            Conn::Postgres(pg) => self.postgres(sql).load(pg),
            Conn::Sqlite(sqlite) => self.sqlite(sql).load(sqlite),
        }
    }

    fn postgres(self, sql: &str) -> BoxedSqlQuery<'a, Pg, diesel::query_builder::SqlQuery> {
        let mut arrays = Vec::with_capacity(self.columns.len());
        let mut names = Vec::with_capacity(self.columns.len());
        for (n, (name, values)) in self.columns.iter().enumerate() {
            let cast = match values {
                Values::Text(_) | Values::OptionalText(_) => "text[]",
                // An array of texts, each then read as JSON.
                Values::Json(_) => "text[]::jsonb[]",
                Values::Integer(_) | Values::OptionalInteger(_) => "int8[]",
                Values::Boolean(_) => "bool[]",
                Values::Time(_) => "timestamptz[]",
            };
            arrays.push(format!("${}::{cast}", n + 1));
            names.push(*name);
        }
        let source = format!("unnest({}) AS r({})", arrays.join(", "), names.join(", "));
        let mut query = sql_query(sql.replace("{rows}", &source)).into_boxed::<Pg>();
        for (_, values) in self.columns {
            query = match values {
                Values::Text(v) | Values::Json(v) => query.bind::<Array<Text>, _>(v),
                Values::OptionalText(v) => query.bind::<Array<Nullable<Text>>, _>(v),
                Values::Integer(v) => query.bind::<Array<BigInt>, _>(v),
                Values::OptionalInteger(v) => query.bind::<Array<Nullable<BigInt>>, _>(v),
                Values::Boolean(v) => query.bind::<Array<Bool>, _>(v),
                Values::Time(v) => query.bind::<Array<Nullable<Timestamptz>>, _>(
                    v.into_iter().map(|time| time.map(Timestamp::to_utc)).collect::<Vec<_>>(),
                ),
            };
        }
        query
    }

    fn sqlite(self, sql: &str) -> BoxedSqlQuery<'a, Sqlite, diesel::query_builder::SqlQuery> {
        let fields: Vec<String> =
            self.columns.iter().enumerate().map(|(n, (name, _))| format!("value->>{n} AS {name}")).collect();
        let source = format!("(SELECT {} FROM json_each(?1)) AS r", fields.join(", "));
        let json = |n: usize, values: &Values<'_>| match values {
            Values::Text(v) | Values::Json(v) => v.get(n).map_or(Value::Null, |text| Value::from(*text)),
            Values::OptionalText(v) => v.get(n).copied().flatten().map_or(Value::Null, Value::from),
            Values::Integer(v) => v.get(n).copied().map_or(Value::Null, Value::from),
            Values::OptionalInteger(v) => v.get(n).copied().flatten().map_or(Value::Null, Value::from),
            Values::Boolean(v) => v.get(n).copied().map_or(Value::Null, |yes| Value::from(i64::from(yes))),
            Values::Time(v) => {
                v.get(n).copied().flatten().map_or(Value::Null, |t| Value::from(t.to_string()))
            }
        };
        let row = |n: usize| Value::Array(self.columns.iter().map(|(_, values)| json(n, values)).collect());
        let rows = Value::Array((0..self.rows.len()).map(row).collect());
        sql_query(sql.replace("{rows}", &source)).into_boxed::<Sqlite>().bind::<Text, _>(rows.to_string())
    }
}
