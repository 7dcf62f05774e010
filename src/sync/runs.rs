//! Automatic comparisons of the directories that are due. One process runs at a time.

use diesel::QueryResult;

use super::{
    schedule::{Runs, Schedule},
    subjects,
};
use crate::{
    db::{Conn, Database, DbError},
    runtime::clock::Timestamp,
    tables::{comparisons, properties},
};

const SINCE: &str = "reconcile_since";
const BEGUN: &str = "reconciled_at";
const ENDED: &str = "reconcile_ended_at";

fn time(conn: &mut Conn, name: &str) -> QueryResult<Option<Timestamp>> {
    Ok(properties::number(conn, name)?.map(Timestamp::from_micros))
}

fn set(conn: &mut Conn, name: &str, at: Timestamp) -> QueryResult<()> {
    properties::set(conn, name, &at.micros().to_string())
}

fn runs(conn: &mut Conn) -> QueryResult<Runs> {
    Ok(Runs { begun: time(conn, BEGUN)?, ended: time(conn, ENDED)? })
}

/// The time since which there are automatic comparisons.
pub fn since(conn: &mut Conn) -> QueryResult<Option<Timestamp>> {
    time(conn, SINCE)
}

/// Begins a run when one is due and no other process runs one.
pub fn begin(
    database: &Database,
    now: Timestamp,
    every_seconds: i64,
    has_just_started: bool,
) -> Result<Option<Schedule>, DbError> {
    let (since, seen) = database.read::<_, DbError>(|conn| Ok((since(conn)?, runs(conn)?)))?;
    let Some(since) = since else {
        database.write::<_, DbError>(|conn| Ok(set(conn, SINCE, now)?))?;
        return Ok(None);
    };
    let schedule = Schedule { every_seconds, since, now };
    let is_due = database.read::<_, DbError>(|conn| {
        // The list of directories is read once in each interval, because it may contain new ones.
        if schedule.is_due("", seen.begun) {
            return Ok(true);
        }
        let checked = comparisons::checked(conn)?;
        Ok(subjects::known(conn)?.keys().any(|id| schedule.is_due(id, checked.get(id).copied())))
    })?;
    if !is_due {
        return Ok(None);
    }
    database.write(|conn| {
        // Another process may have been faster.
        let now_seen = runs(conn)?;
        if now_seen.begun != seen.begun || !now_seen.is_free(now, has_just_started) {
            return Ok(None);
        }
        set(conn, BEGUN, now)?;
        Ok(Some(schedule))
    })
}

/// Ends the run, so that other processes may begin the next one.
pub fn end(database: &Database, now: Timestamp) -> Result<(), DbError> {
    database.write(|conn| Ok(set(conn, ENDED, now)?))
}
