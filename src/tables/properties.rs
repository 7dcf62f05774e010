//! Table `properties`: single values of the database, by name.

use diesel::{OptionalExtension, QueryDsl, QueryResult, RunQueryDsl};

use crate::{
    db::{Conn, bulk::Rows, schema::properties},
    runtime::clock::Timestamp,
};

/// The `tenancy` of the first start. Later starts must have the same.
pub const TENANCY: &str = "tenancy";
/// The setting for deleted directories by which the rows were derived.
pub const DIRECTORY_DELETED: &str = "directory_deleted";
/// The inbox id up to which retention has read.
pub const RETENTION_CURSOR: &str = "retention_cursor";
/// The number of the last day whose heads of the audit trail were sent.
pub const HEADS_DAY: &str = "heads_day";

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

/// The value of this name as a number.
pub fn number(conn: &mut Conn, name: &str) -> QueryResult<Option<i64>> {
    Ok(get(conn, name)?.and_then(|text| text.parse().ok()))
}

/// Sets a number if it is higher than the stored one. True for one process only.
pub fn raise(conn: &mut Conn, name: &str, number: i64) -> QueryResult<bool> {
    let number = number.to_string();
    let raised = Rows::of(&[(name, number)])
        .text("name", |(name, _)| name)
        .text("value", |(_, value)| value)
        .execute(
            conn,
            "INSERT INTO properties (name, value) SELECT r.name, r.value FROM {rows} WHERE true \
             ON CONFLICT (name) DO UPDATE SET value = excluded.value \
             WHERE CAST(properties.value AS BIGINT) < CAST(excluded.value AS BIGINT)",
        )?;
    Ok(raised > 0)
}

/// Removes the value of this name.
pub fn unset(conn: &mut Conn, name: &str) -> QueryResult<()> {
    diesel::delete(properties::table.find(name)).execute(conn)?;
    Ok(())
}

/// True for one process a day. It notifies the operator of waiting deliveries. It runs in the transaction that writes
/// the notice, so after a crash both are stored, or neither.
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
