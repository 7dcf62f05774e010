//! The state of a first import: while it lasts, changes of the past cause no notices. An interrupted import continues.

use diesel::QueryResult;

use crate::{
    db::{Conn, Database, DbError},
    runtime::clock::Timestamp,
    tables::properties,
};

const NAME: &str = "backfill_since";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Begun {
    pub at: Timestamp,
    /// The import was interrupted before.
    pub is_resumed: bool,
}

/// Begins an import, or continues the interrupted one.
pub fn begin(database: &Database, now: Timestamp) -> Result<Begun, DbError> {
    database.write(|conn| {
        if let Some(at) = since(conn)? {
            return Ok(Begun { at, is_resumed: true });
        }
        properties::set(conn, NAME, &now.micros().to_string())?;
        Ok(Begun { at: now, is_resumed: false })
    })
}

pub fn end(database: &Database) -> Result<(), DbError> {
    database.write(|conn| {
        properties::unset(conn, NAME)?;
        Ok(())
    })
}

pub fn since(conn: &mut Conn) -> QueryResult<Option<Timestamp>> {
    Ok(properties::number(conn, NAME)?.map(Timestamp::from_micros))
}
