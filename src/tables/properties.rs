//! Table `properties`: single values that the database remembers about itself, by name.

use diesel::{OptionalExtension, QueryDsl, QueryResult, RunQueryDsl};

use crate::{
    db::{Conn, bulk::Rows, schema::properties},
    runtime::clock::Timestamp,
};

/// The first start's `tenancy`; a later start must agree.
pub const TENANCY: &str = "tenancy";
/// The policy on deleted directories by which the rows were derived.
pub const DIRECTORY_DELETED: &str = "directory_deleted";
/// The id up to which retention has walked the inbox.
pub const RETENTION_CURSOR: &str = "retention_cursor";

/// The value of this name.
pub fn get(conn: &mut Conn, name: &str) -> QueryResult<Option<String>> {
    properties::table.find(name).select(properties::value).first(conn).optional()
}

/// Sets the value of this name.
pub fn set(conn: &mut Conn, name: &str, value: &str) -> QueryResult<()> {
    Rows::of(&[(name, value)]).text("name", |(name, _)| name).text("value", |(_, value)| value).execute(
        conn,
        "INSERT INTO properties (name, value) SELECT r.name, r.value FROM {rows} WHERE true \
         ON CONFLICT (name) DO UPDATE SET value = excluded.value",
    )?;
    Ok(())
}

/// A number that was set.
pub fn number(conn: &mut Conn, name: &str) -> QueryResult<Option<i64>> {
    Ok(get(conn, name)?.and_then(|text| text.parse().ok()))
}

/// Removes the value of this name.
pub fn unset(conn: &mut Conn, name: &str) -> QueryResult<()> {
    diesel::delete(properties::table.find(name)).execute(conn)?;
    Ok(())
}

/// True for one process a day: it notifies the operator of deliveries that wait. In the transaction that enqueues the
/// notice, so that after a crash both are there, or neither.
pub fn take_waiting_notice(conn: &mut Conn, now: Timestamp) -> QueryResult<bool> {
    let value = now.micros().to_string();
    let taken = Rows::of(&[value]).text("value", |value| value).execute(
        conn,
        "INSERT INTO properties (name, value) SELECT 'waiting_told', r.value FROM {rows} WHERE true \
         ON CONFLICT (name) DO UPDATE SET value = excluded.value \
         WHERE CAST(properties.value AS BIGINT) + 86400000000 <= CAST(excluded.value AS BIGINT)",
    )?;
    Ok(taken > 0)
}
