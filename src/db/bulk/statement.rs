//! One statement with its rows as bind parameters.

use diesel::{
    QueryResult, RunQueryDsl,
    pg::{Pg, data_types::PgTimestamp},
    query_builder::{AstPass, Query, QueryFragment, QueryId},
    serialize::{self, IsNull, Output, ToSql},
    sql_types::{Array, BigInt, Binary, Bool, Nullable, Text, Timestamptz, Untyped},
    sqlite::Sqlite,
};

use super::{Column, Values};
use crate::runtime::clock::Timestamp;

/// A statement that each connection prepares once. diesel's `sql_query` would be prepared again each time.
pub(super) struct Statement<'s, I> {
    pub(super) sql: &'s str,
    pub(super) input: I,
}

impl<I> QueryId for Statement<'_, I> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<I> Query for Statement<'_, I> {
    type SqlType = Untyped;
}

impl<I, C> RunQueryDsl<C> for Statement<'_, I> {}

impl<DB: diesel::backend::Backend, I: QueryFragment<DB>> QueryFragment<DB> for Statement<'_, I> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        let (before, after) = self.sql.split_once("{rows}").unwrap_or((self.sql, ""));
        out.push_sql(before);
        self.input.walk_ast(out.reborrow())?;
        out.push_sql(after);
        Ok(())
    }
}

/// One array for each column, all in one select list: PostgreSQL then produces the rows one by one. In FROM it would copy
/// each array first.
pub(super) struct AllRows<'s> {
    pub(super) columns: &'s [Column<'s>],
}

impl QueryFragment<Pg> for AllRows<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        for (n, (name, values)) in self.columns.iter().enumerate() {
            out.push_sql(if n == 0 { "(SELECT unnest(" } else { ", unnest(" });
            match values {
                Values::Text(v) | Values::Json(v) => out.push_bind_param::<Array<Text>, _>(v)?,
                Values::OptionalText(v) | Values::OptionalJson(v) => {
                    out.push_bind_param::<Array<Nullable<Text>>, _>(v)?;
                }
                Values::Integer(v) => out.push_bind_param::<Array<BigInt>, _>(v)?,
                Values::OptionalInteger(v) => out.push_bind_param::<Array<Nullable<BigInt>>, _>(v)?,
                Values::Boolean(v) => out.push_bind_param::<Array<Bool>, _>(v)?,
                Values::Bytes(v) => out.push_bind_param::<Array<Binary>, _>(v)?,
                Values::OptionalBytes(v) => out.push_bind_param::<Array<Nullable<Binary>>, _>(v)?,
                Values::Time(v) => out.push_bind_param::<Array<Nullable<Timestamptz>>, _>(v)?,
            }
            out.push_sql(match values {
                Values::Text(_) | Values::OptionalText(_) => "::text[])",
                // Each element is cast to JSON after `unnest`.
                Values::Json(_) | Values::OptionalJson(_) => "::text[])::jsonb",
                Values::Integer(_) | Values::OptionalInteger(_) => "::int8[])",
                Values::Boolean(_) => "::bool[])",
                Values::Bytes(_) | Values::OptionalBytes(_) => "::bytea[])",
                Values::Time(_) => "::timestamptz[])",
            });
            out.push_sql(" AS ");
            out.push_sql(name);
        }
        out.push_sql(") AS r");
        Ok(())
    }
}

/// Rows `from..from + count`.
pub(super) struct SomeRows<'s> {
    pub(super) columns: &'s [Column<'s>],
    pub(super) from: usize,
    pub(super) count: usize,
}

impl QueryFragment<Sqlite> for SomeRows<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        for (n, (name, _)) in self.columns.iter().enumerate() {
            out.push_sql(if n == 0 { "(SELECT " } else { ", " });
            // SQLite names the columns of VALUES column1, column2 and so on.
            out.push_sql(&format!("column{}", n + 1));
            out.push_sql(" AS ");
            out.push_sql(name);
        }
        out.push_sql(" FROM (VALUES ");
        for place in self.from..self.from + self.count {
            out.push_sql(if place == self.from { "(" } else { "), (" });
            for (n, (_, values)) in self.columns.iter().enumerate() {
                if n > 0 {
                    out.push_sql(",");
                }
                bind(values, place, out.reborrow())?;
            }
        }
        out.push_sql("))) AS r");
        Ok(())
    }
}

fn bind<'b>(values: &'b Values<'_>, place: usize, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
    fn at<T>(values: &[T], place: usize) -> QueryResult<&T> {
        values.get(place).ok_or(diesel::NotFound)
    }
    match values {
        Values::Text(v) | Values::Json(v) => out.push_bind_param::<Text, _>(at(v, place)?),
        Values::OptionalText(v) | Values::OptionalJson(v) => {
            out.push_bind_param::<Nullable<Text>, _>(at(v, place)?)
        }
        Values::Integer(v) => out.push_bind_param::<BigInt, _>(at(v, place)?),
        Values::OptionalInteger(v) => out.push_bind_param::<Nullable<BigInt>, _>(at(v, place)?),
        Values::Boolean(v) => out.push_bind_param::<Bool, _>(at(v, place)?),
        Values::Bytes(v) => out.push_bind_param::<Binary, _>(at(v, place)?),
        Values::OptionalBytes(v) => out.push_bind_param::<Nullable<Binary>, _>(at(v, place)?),
        Values::Time(v) => out.push_bind_param::<Nullable<Text>, _>(at(v, place)?),
    }
}

/// PostgreSQL's times begin at 2000-01-01T00:00:00Z. Microseconds since 1970.
const POSTGRES_EPOCH: i64 = 946_684_800_000_000;

impl ToSql<Timestamptz, Pg> for Timestamp {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        let time = PgTimestamp(self.micros() - POSTGRES_EPOCH);
        ToSql::<Timestamptz, Pg>::to_sql(&time, &mut out.reborrow())
    }
}

impl ToSql<Text, Sqlite> for Timestamp {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        out.set_value(self.to_string());
        Ok(IsNull::No)
    }
}
