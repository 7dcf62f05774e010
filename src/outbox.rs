//! The outbox: who is to be told, written in the transaction of the change, so that no news is lost and none is told
//! that did not happen. A tenant's window is bundled into one mail (`bundle`), and mails are claimed, told and ended
//! one by one (`mails`).

pub mod bundle;
pub mod mails;
pub mod names;
#[cfg(test)]
pub(crate) mod testing;

use diesel::{
    QueryResult, QueryableByName, RunQueryDsl, sql_query,
    sql_types::{BigInt, Nullable},
};
use serde::{Deserialize, Serialize};

use crate::{
    clock::Timestamp,
    db::{Conn, bulk::Rows, on_each},
    decide::{access::Cause, users::Leaver},
};

/// Somebody lost access.
pub const DEPROVISIONED: &str = "deprovisioned";

/// Causes in a [`Payload`]: the directory says so of the person, the directory itself is gone, or no role is mapped.
pub const PERSON: &str = "person";
pub const DIRECTORY: &str = "directory";
pub const MAPPING: &str = "mapping";

/// What a notice must know later, whatever becomes of the rows it speaks of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payload {
    pub name: Option<String>,
    pub email: Option<String>,
    pub directory_id: String,
    /// Microseconds, the broker's time.
    pub since: i64,
    /// [`PERSON`], [`DIRECTORY`] or [`MAPPING`].
    pub cause: String,
    /// The broker's word on the person, such as `suspended`.
    pub state: Option<String>,
    /// The delivery that says so, as `rosterd inbox show` names it.
    pub inbox_id: i64,
}

struct NewNotice<'a> {
    leaver: &'a Leaver,
    payload: String,
}

/// One row for each leaver. Which of them are still to be told is decided when the mail leaves.
pub fn enqueue(conn: &mut Conn, leavers: &[Leaver], now: Timestamp) -> QueryResult<()> {
    let notices: Vec<NewNotice<'_>> = leavers.iter().map(notice).collect();
    Rows::of(&notices)
        .text("tenant_id", |notice| &notice.leaver.tenant_id)
        .text("user_id", |notice| &notice.leaver.user_id)
        .text("person_id", |notice| &notice.leaver.person_id)
        .text("payload", |notice| &notice.payload)
        .integer("created_at", |_| now.micros())
        .execute(
            conn,
            &format!(
                "INSERT INTO outbox (tenant_id, kind, user_id, person_id, payload, created_at, mail_id) \
                 SELECT r.tenant_id, '{DEPROVISIONED}', r.user_id, r.person_id, r.payload, r.created_at, NULL \
                 FROM {{rows}} WHERE true"
            ),
        )?;
    Ok(())
}

fn notice(leaver: &Leaver) -> NewNotice<'_> {
    let payload = Payload {
        name: leaver.name.clone(),
        email: leaver.email.clone(),
        directory_id: leaver.directory_id.clone(),
        since: leaver.since.micros(),
        cause: match leaver.cause {
            Cause::Person => PERSON,
            Cause::Directory => DIRECTORY,
            Cause::Mapping => MAPPING,
        }
        .to_owned(),
        state: leaver.state.clone(),
        inbox_id: leaver.inbox_id,
    };
    // A struct of texts and numbers: writing it cannot fail.
    NewNotice { leaver, payload: serde_json::to_string(&payload).unwrap_or_default() }
}

#[derive(QueryableByName)]
struct Backlog {
    #[diesel(sql_type = BigInt)]
    notices: i64,
    #[diesel(sql_type = Nullable<BigInt>)]
    oldest: Option<i64>,
}

/// How many notices are not told yet, bundled or not, and since when the oldest waits.
pub fn waiting(conn: &mut Conn) -> QueryResult<(i64, Option<Timestamp>)> {
    const WAITING: &str = "SELECT COUNT(*) AS notices, MIN(created_at) AS oldest FROM ( \
         SELECT created_at FROM outbox WHERE mail_id IS NULL UNION ALL \
         SELECT o.created_at FROM mails m JOIN outbox o ON o.mail_id = m.id WHERE m.state = 'waiting') waiting";
    let backlog: Backlog = on_each!(conn, |c| sql_query(WAITING).get_result(c))?;
    Ok((backlog.notices, backlog.oldest.map(Timestamp::from_micros)))
}

/// Takes the names out of the notices about these users; returns how many there are.
pub fn erase(conn: &mut Conn, tenant_id: &str, user_ids: &[String]) -> QueryResult<usize> {
    use diesel::{ExpressionMethods, QueryDsl};

    use crate::db::schema::outbox;
    let payloads: Vec<(i64, String)> = outbox::table
        .filter(outbox::tenant_id.eq(tenant_id))
        .filter(outbox::user_id.eq_any(user_ids))
        .select((outbox::id, outbox::payload))
        .load(conn)?;
    for (id, payload) in &payloads {
        let mut payload: serde_json::Value = serde_json::from_str(payload).unwrap_or_default();
        for personal in ["name", "email"] {
            if let Some(value) = payload.get_mut(personal) {
                *value = serde_json::Value::Null;
            }
        }
        diesel::update(outbox::table.find(*id)).set(outbox::payload.eq(payload.to_string())).execute(conn)?;
    }
    Ok(payloads.len())
}
