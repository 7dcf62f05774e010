//! Whether there is anything to do.

use diesel::{ExpressionMethods, QueryDsl, RunQueryDsl, dsl::exists, select};

use crate::{
    clock::Timestamp,
    db::{
        Database, DbError,
        schema::{inbox_queue, refreshes},
    },
};

pub(super) struct Waiting {
    pub(super) deliveries: bool,
    pub(super) refreshes: bool,
}

/// One cheap statement, so that an idle service leaves its database alone.
pub(super) fn waiting(database: &Database, now: Timestamp) -> Result<Waiting, DbError> {
    database.read::<_, DbError>(|conn| {
        let due = exists(
            inbox_queue::table.select(inbox_queue::inbox_id).filter(inbox_queue::due_at.le(now.micros())),
        );
        let refresh = exists(refreshes::table.select(refreshes::directory_id));
        let (deliveries, refreshes) = select((due, refresh)).get_result(conn)?;
        Ok(Waiting { deliveries, refreshes })
    })
}
