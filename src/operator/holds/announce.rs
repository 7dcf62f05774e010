//! Announces how many people a hold has, when no more people join it: in the audit trail, and to the administrators.

use crate::{
    audit::{self, hold_entries},
    db::{DbError, Serialized},
    outbox::{self, Notice},
    runtime::clock::Timestamp,
    tables::{
        held_users,
        holds::{self, Hold},
    },
};

/// Makes the announcements that are due. Returns the number of notices.
pub(super) fn due(conn: &mut Serialized<'_>, now: Timestamp) -> Result<usize, DbError> {
    let mut notices = 0;
    for hold in holds::to_announce(conn, now)? {
        let (before, people) = (hold.announcement(), held_users::waiting(conn, hold.id)?);
        if !before.is_news(people) {
            // Newer facts have ended some of the losses since.
            holds::plan_announcement(conn, hold.id, before.made(before.people))?;
            continue;
        }
        tracing::error!(
            hold.id = hold.id,
            tenant.id = %hold.tenant_id,
            directory.id = %hold.directory_id,
            people,
            "a mass change waits for a decision; look at it with `rosterd holds show {}`, then approve or reject it",
            hold.id
        );
        make(conn, hold, people, now)?;
        notices += 1;
    }
    Ok(notices)
}

/// Makes the first announcement of a hold that is decided before it is due. No mail is sent if nobody waits after the
/// decision.
pub(super) fn before_decision(conn: &mut Serialized<'_>, hold: &Hold, now: Timestamp) -> Result<(), DbError> {
    match hold.announcements {
        0 => {
            let people = held_users::waiting(conn, hold.id)?;
            make(conn, hold.clone(), people, now)
        }
        _ => Ok(()),
    }
}

fn make(conn: &mut Serialized<'_>, hold: Hold, people: i64, now: Timestamp) -> Result<(), DbError> {
    let before = hold.announcement();
    holds::announced(conn, hold.id, before.made(people))?;
    audit::record(conn, &[hold_entries::announced(&hold, people)], now)?;
    let notice = Notice::MassChangeHeld {
        tenant_id: hold.tenant_id,
        directory_id: hold.directory_id,
        hold_id: hold.id,
        announcement: hold.announcements + 1,
        people_before: before.people,
    };
    Ok(outbox::enqueue(conn, &[notice], now)?)
}
