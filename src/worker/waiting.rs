//! Whether there is anything to do.

use diesel::{
    ExpressionMethods, QueryDsl, RunQueryDsl,
    dsl::{exists, sql},
    select,
    sql_types::Bool,
};

use crate::{
    clock::Timestamp,
    db::{
        Database, DbError,
        schema::{held_users, holds, inbox_queue, refreshes},
    },
};

const APPROVED: &str = "held_users.state = 'approved'";
const OPEN: &str = "holds.state = 'open'";

pub(super) struct Waiting {
    pub(super) deliveries: bool,
    pub(super) refreshes: bool,
    /// Somebody approved, or a hold that is due.
    pub(super) holds: bool,
}

/// One cheap statement, so that an idle service leaves its database alone.
pub(super) fn waiting(database: &Database, now: Timestamp) -> Result<Waiting, DbError> {
    database.read::<_, DbError>(|conn| {
        let due = exists(
            inbox_queue::table.select(inbox_queue::inbox_id).filter(inbox_queue::due_at.le(now.micros())),
        );
        let refresh = exists(refreshes::table.select(refreshes::directory_id));
        // Literals, so that the partial indexes serve.
        let approved = exists(held_users::table.select(held_users::hold_id).filter(sql::<Bool>(APPROVED)));
        let undecided = exists(
            holds::table.select(holds::id).filter(sql::<Bool>(OPEN)).filter(holds::due_at.le(now.micros())),
        );
        let (deliveries, refreshes, approved, undecided) =
            select((due, refresh, approved, undecided)).get_result::<(bool, bool, bool, bool)>(conn)?;
        Ok(Waiting { deliveries, refreshes, holds: approved || undecided })
    })
}
