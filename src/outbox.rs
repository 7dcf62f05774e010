//! The outbox: who is to be told of what, written in the transaction of the change, so that no news is lost and none is
//! told that did not happen. What a tenant's window gathers of one kind is bundled into one mail (`bundle`), and mails are
//! claimed, told and ended one by one (`mails`).

pub mod bundle;
mod erase;
mod freshness;
pub mod hold_notice;
pub mod kind;
pub mod list;
pub mod mails;
pub mod notice;
pub mod outcomes;
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
pub use kind::NoticeKind;
pub use notice::{DIRECTORY, MAPPING, MOVED, Notice, PERSON, Payload};

/// One row for each piece of news, and none for what is only the past (`news`). Which of them are still to be told is
/// decided when the mail leaves.
pub fn enqueue(conn: &mut Conn, notices: &[Notice], now: Timestamp) -> QueryResult<()> {
    let news = notices.iter().filter(|notice| freshness::is_news(notice, now));
    let (once, each): (Vec<&Notice>, Vec<&Notice>) = news.partition(|notice| notice.is_told_once());
    insert(conn, &each, now, "")?;
    let known =
        "NOT EXISTS (SELECT 1 FROM outbox o WHERE o.tenant_id = r.tenant_id AND o.bundle = r.bundle) AND ";
    insert(conn, &once, now, known)
}

/// How many of them are of people who lost access.
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

/// These ids, (tenant, user, person), are other people's now: what was said of them until here is of this person and stays
/// so, whoever is active under the id.
pub fn hand_over(conn: &mut Conn, former: &[(&str, &str, &str)]) -> QueryResult<()> {
    restate(conn, former, true)
}

/// These users, (tenant, user, person), are known as another person than before, as when two of one `idp_id` turn out to
/// be two.
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

/// How many notices are not told yet, bundled or not, and since when the oldest waits.
pub fn waiting(conn: &mut Conn) -> QueryResult<(i64, Option<Timestamp>)> {
    const WAITING: &str = "SELECT COUNT(*) AS notices, MIN(created_at) AS oldest FROM ( \
         SELECT created_at FROM outbox WHERE mail_id IS NULL UNION ALL \
         SELECT o.created_at FROM mails m JOIN outbox o ON o.mail_id = m.id WHERE m.state = 'waiting') waiting";
    let backlog: Backlog = on_each!(conn, |c| sql_query(WAITING).get_result(c))?;
    Ok((backlog.notices, backlog.oldest.map(Timestamp::from_micros)))
}
