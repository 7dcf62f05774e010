//! The outbox: notices that are not sent yet. A notice is written in the transaction of its change, so a crash loses no
//! notice and reports no change that did not happen. The notices of one family and one time window become one mail
//! (`bundle`). A process claims a mail, sends it and records the result (`mails`).

#![warn(missing_docs)]

pub mod bundle;
mod erase;
mod freshness;
pub mod hold_notice;
#[expect(missing_docs, reason = "the derive of strum writes a method without docs")]
pub mod kind;
#[expect(missing_docs, reason = "the derive of strum writes a method without docs")]
pub mod list;
pub mod mails;
pub mod notice;
pub mod outcomes;
mod payload;
mod privileges;
pub mod still_true;
#[cfg(test)]
pub(crate) mod testing;

use diesel::{
    QueryResult, QueryableByName, RunQueryDsl, sql_query,
    sql_types::{BigInt, Nullable},
};

use crate::{
    db::{Conn, bulk::Rows, on_each},
    runtime::clock::Timestamp,
};

pub use erase::erase;
pub use freshness::is_news;
pub use kind::NoticeKind;
pub use notice::{DIRECTORY, MAPPING, MOVED, Notice, PERSON, Payload};

/// The highest number of people in the list that is attached to a mail.
pub const MOST_LISTED: usize = 10_000;

/// Writes one row for each notice, except for notices of old facts (`freshness`). Whether a notice is still true is decided
/// when its mail is sent (`still_true`).
pub fn enqueue(conn: &mut Conn, notices: &[Notice], now: Timestamp) -> QueryResult<()> {
    let news = notices.iter().filter(|notice| is_news(notice, now));
    let (once, each): (Vec<&Notice>, Vec<&Notice>) = news.partition(|notice| notice.is_sent_once());
    insert(conn, &each, now, "")?;
    let known =
        "NOT EXISTS (SELECT 1 FROM outbox o WHERE o.tenant_id = r.tenant_id AND o.bundle = r.bundle) AND ";
    insert(conn, &once, now, known)
}

/// How many of the notices report a person who lost access.
pub fn leavers(notices: &[Notice]) -> usize {
    notices.iter().filter(|notice| matches!(notice, Notice::Deprovisioned(_))).count()
}

fn insert(conn: &mut Conn, notices: &[&Notice], now: Timestamp, unless: &str) -> QueryResult<()> {
    let rows: Vec<notice::Row<'_>> = notices.iter().map(|notice| notice.row(now)).collect();
    Rows::of(&rows)
        .text("tenant_id", |row| row.tenant_id)
        .text("kind", |row| row.kind.name())
        .text("bundle", |row| &row.bundle)
        .text("user_id", |row| row.user_id)
        .text("person_id", |row| row.person_id)
        .text("payload", |row| &row.payload)
        .boolean("former", |row| row.former)
        .integer("created_at", |_| now.micros())
        .execute(
            conn,
            &format!(
                "INSERT INTO outbox (tenant_id, kind, bundle, user_id, person_id, payload, created_at, mail_id, former) \
                 SELECT r.tenant_id, r.kind, r.bundle, r.user_id, r.person_id, r.payload, r.created_at, NULL, r.former \
                 FROM {{rows}} WHERE {unless}true"
            ),
        )?;
    Ok(())
}

/// These ids, (tenant, user, former person), belong to another person now. Earlier leaver notices of an id remain about the
/// former person, even while the new person is active under the id.
pub fn hand_over(conn: &mut Conn, former: &[(&str, &str, &str)]) -> QueryResult<()> {
    restate(conn, former, true)
}

/// These users, (tenant, user, person), have a new `person_id`: for example, two users with one `idp_id` are found to be two
/// people.
pub fn rename(conn: &mut Conn, renamed: &[(&str, &str, &str)]) -> QueryResult<()> {
    restate(conn, renamed, false)
}

fn restate(conn: &mut Conn, users: &[(&str, &str, &str)], former: bool) -> QueryResult<()> {
    Rows::of(users)
        .text("tenant_id", |one| one.0)
        .text("user_id", |one| one.1)
        .text("person_id", |one| one.2)
        .text("kind", |_| NoticeKind::Deprovisioned.name())
        .boolean("former", |_| former)
        .boolean("not_yet", |_| false)
        .execute(
            conn,
            "UPDATE outbox SET former = r.former, person_id = r.person_id FROM {rows} WHERE outbox.kind = r.kind \
             AND outbox.tenant_id = r.tenant_id AND outbox.user_id = r.user_id AND outbox.former = r.not_yet",
        )?;
    Ok(())
}

#[derive(QueryableByName)]
struct Backlog {
    #[diesel(sql_type = BigInt)]
    notices: i64,
    #[diesel(sql_type = Nullable<BigInt>)]
    oldest: Option<i64>,
}

/// The number of notices that are not sent yet, with or without a mail, and the time of the oldest.
pub fn waiting(conn: &mut Conn) -> QueryResult<(i64, Option<Timestamp>)> {
    const WAITING: &str = "SELECT COUNT(*) AS notices, MIN(created_at) AS oldest FROM ( \
         SELECT created_at FROM outbox WHERE mail_id IS NULL UNION ALL \
         SELECT o.created_at FROM mails m JOIN outbox o ON o.mail_id = m.id WHERE m.state = 'waiting') waiting";
    let backlog: Backlog = on_each!(conn, |c| sql_query(WAITING).get_result(c))?;
    Ok((backlog.notices, backlog.oldest.map(Timestamp::from_micros)))
}
