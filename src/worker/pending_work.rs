//! Finds out which kinds of work there are.

use diesel::{QueryableByName, sql_types::Bool};

use crate::{
    db::{Database, DbError, bulk::Rows},
    runtime::clock::Timestamp,
};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, QueryableByName)]
pub(super) struct Waiting {
    #[diesel(sql_type = Bool)]
    pub(super) deliveries: bool,
    #[diesel(sql_type = Bool)]
    pub(super) recomputes: bool,
    /// People of an approved hold, or a hold that is due, or is announced now.
    #[diesel(sql_type = Bool)]
    pub(super) holds: bool,
    /// A change that the database refused is due for a retry.
    #[diesel(sql_type = Bool)]
    pub(super) refused: bool,
}

/// The states are literals, so that the partial indexes are used.
const WAITING: &str = "SELECT EXISTS (SELECT 1 FROM inbox_queue WHERE due_at <= r.now) AS deliveries, \
     EXISTS (SELECT 1 FROM recompute_jobs) AS recomputes, \
     (EXISTS (SELECT 1 FROM held_users h WHERE state = 'approved' \
     AND NOT EXISTS (SELECT 1 FROM refused x WHERE x.kind = 2 AND x.id = h.user_id)) \
     OR EXISTS (SELECT 1 FROM holds WHERE state = 'open' AND due_at <= r.now) \
     OR EXISTS (SELECT 1 FROM holds WHERE announce_at <= r.now)) AS holds, \
     (EXISTS (SELECT 1 FROM refused WHERE due_at <= r.now) \
     OR EXISTS (SELECT 1 FROM dead_letters WHERE retry_at <= r.now)) AS refused FROM {rows}";

/// One cheap statement, prepared once: an idle service hardly loads its database.
pub(super) fn waiting(database: &Database, now: Timestamp) -> Result<Waiting, DbError> {
    database.read(|conn| {
        let rows = [now.micros()];
        let found: Vec<Waiting> = Rows::of(&rows).integer("now", |now| *now).load(conn, WAITING)?;
        Ok(found.first().copied().unwrap_or_default())
    })
}
