//! That a first import is under way: nothing is told of the past meanwhile, and an interrupted one goes on.

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
    /// It was interrupted before.
    pub is_resumed: bool,
}

/// Begins one, or goes on with the one that was interrupted.
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
