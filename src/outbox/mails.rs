//! Table `mails`. A process claims a mail for the time of a lease, so no database lock is held while it is sent. After a
//! crash the lease ends, and the mail is sent again with the same Message-ID.
//!
//! Each claim selects the notices that are true at that time: a person who is active again is not reported.

use diesel::{
    ExpressionMethods, OptionalExtension, QueryDsl, QueryResult, QueryableByName, RunQueryDsl, sql_query,
    sql_types::{BigInt, Nullable, SmallInt, Text},
};

use super::{
    NoticeKind, Payload,
    kind::Family,
    outcomes::RecipientOutcomes,
    still_true::{self, StoredNotice},
};
use crate::{
    db::{Conn, bulk::Rows, on_each, schema::mails},
    runtime::clock::Timestamp,
};

/// A mail that one process may send until its lease ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimedMail {
    /// The mail's number.
    pub id: i64,
    /// The tenant whose administrators get it; empty for the operator.
    pub tenant_id: String,
    /// The stable Message-ID.
    pub message_id: String,
    /// The number of this attempt; the first is 1.
    pub attempt: i16,
    /// Its subject.
    pub family: Family,
    /// The leaver notices that are still true, one for each person.
    pub leavers: Vec<i64>,
    /// The contents of the first of them: as many as a mail lists.
    pub named: Vec<Payload>,
    /// All other notices that are still true.
    pub news: Vec<StoredNotice>,
    /// The results of earlier attempts, by recipient.
    pub settled: RecipientOutcomes,
}

impl ClaimedMail {
    /// Whether no notice is true any more.
    pub fn is_needless(&self) -> bool {
        self.leavers.is_empty() && self.news.is_empty()
    }

    /// Removes the notices of kinds that are switched off.
    pub fn only(&mut self, wanted: impl Fn(NoticeKind) -> bool) {
        self.news.retain(|notice| wanted(notice.kind));
        if !wanted(NoticeKind::Deprovisioned) {
            self.leavers.clear();
            self.named.clear();
        }
    }
}

/// Recipients that the mail server refused for ever.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedRecipient {
    /// How many recipients were refused.
    pub recipients: usize,
    /// The last refusal; `None` leaves the stored one unchanged.
    pub why: Option<String>,
    /// Whether it went to the fallback address.
    pub fell_back: bool,
}

/// The result of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MailOutcome {
    /// Each recipient has the mail, or was refused for ever.
    Sent,
    /// No notice in it is true any more.
    Needless,
    /// It is tried again.
    Later {
        /// When it is tried again.
        due_at: Timestamp,
        /// Why it failed this time.
        error: String,
    },
    /// Given up.
    Dead {
        /// Why it failed.
        error: String,
    },
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = BigInt)]
    id: i64,
    #[diesel(sql_type = Text)]
    tenant_id: String,
    #[diesel(sql_type = Text)]
    bundle: String,
    #[diesel(sql_type = Text)]
    message_id: String,
    #[diesel(sql_type = SmallInt)]
    attempts: i16,
    #[diesel(sql_type = Nullable<Text>)]
    settled: Option<String>,
}

#[derive(QueryableByName)]
struct Id {
    #[diesel(sql_type = BigInt)]
    id: i64,
}

/// The condition of a mail that is due. It is text and not a parameter, because a query uses a partial index only if it
/// repeats the condition of the index.
fn due(now: Timestamp) -> String {
    format!("state = 'waiting' AND due_at <= {}", now.micros())
}

/// Whether a claim would find a mail. Needs no write lock.
pub fn is_due(conn: &mut Conn, now: Timestamp) -> QueryResult<bool> {
    let sql = format!("SELECT id FROM mails WHERE {} LIMIT 1", due(now));
    let found: Option<Id> = on_each!(conn, |c| sql_query(&sql).get_result(c)).optional()?;
    Ok(found.map(|mail| mail.id).is_some())
}

/// Claims the mail that has been due the longest; other processes cannot claim it for `lease_seconds`. The attempt is
/// counted before it begins, so an attempt that ends with a crash counts too.
pub fn claim(
    conn: &mut Conn,
    now: Timestamp,
    lease_seconds: i64,
    most_named: usize,
) -> QueryResult<Option<ClaimedMail>> {
    // The outer WHERE repeats the condition, because another process may have claimed the mail in the meantime. SKIP
    // LOCKED takes the next mail instead of waiting. `id =` and not `IN`: PostgreSQL may run the SELECT of an `IN` once
    // for each row, and would claim many mails.
    let skip = if matches!(conn, Conn::Postgres(_)) { "FOR UPDATE SKIP LOCKED" } else { "" };
    let due = due(now);
    let sql = format!(
        "UPDATE mails SET due_at = {}, attempts = attempts + 1 \
         WHERE id = (SELECT id FROM mails WHERE {due} ORDER BY due_at, id LIMIT 1 {skip}) AND {due} \
         RETURNING id, tenant_id, bundle, message_id, attempts, settled",
        now.plus_seconds(lease_seconds).micros(),
    );
    let row: Option<Row> = on_each!(conn, |c| sql_query(&sql).get_result(c)).optional()?;
    let Some(row) = row else { return Ok(None) };
    let Row { id, tenant_id, bundle, message_id, attempts, settled } = row;
    let settled = RecipientOutcomes::read(settled.as_deref());
    let family = Family::of_bundle(&bundle).unwrap_or(Family::Leavers);
    let (mut leavers, mut named) = (Vec::new(), Vec::new());
    if family == Family::Leavers {
        leavers = still_true::leavers(conn, id)?;
        named = still_true::payloads(conn, leavers.get(..most_named).unwrap_or(&leavers))?;
    }
    let news = still_true::news(conn, &tenant_id, id, family)?;
    Ok(Some(ClaimedMail {
        id,
        tenant_id,
        message_id,
        attempt: attempts,
        family,
        leavers,
        named,
        news,
        settled,
    }))
}

/// Records the result of an attempt. After the end of its lease, a process can still record `Sent`, but no other result:
/// another process may have claimed the mail since.
pub fn record(conn: &mut Conn, mail: &ClaimedMail, outcome: &MailOutcome, now: Timestamp) -> QueryResult<()> {
    let mine = mails::table
        .find(mail.id)
        .filter(mails::state.eq("waiting"))
        .filter(mails::attempts.eq(mail.attempt));
    let finished_at = mails::finished_at.eq(now.micros());
    match outcome {
        MailOutcome::Sent => {
            diesel::update(mails::table.find(mail.id))
                .set((
                    mails::state.eq("sent"),
                    finished_at,
                    mails::last_error.eq(None::<String>),
                    mails::settled.eq(None::<String>),
                ))
                .execute(conn)?;
            mark_notified(conn, mail, now)?;
        }
        MailOutcome::Needless => {
            // A recipient got it while it was true.
            let state = if mail.settled.anybody_took_it() { "sent" } else { "needless" };
            diesel::update(mine)
                .set((mails::state.eq(state), finished_at, mails::settled.eq(None::<String>)))
                .execute(conn)?;
        }
        MailOutcome::Later { due_at, error } => {
            diesel::update(mine)
                .set((mails::due_at.eq(due_at.micros()), mails::last_error.eq(error)))
                .execute(conn)?;
        }
        MailOutcome::Dead { error } => {
            diesel::update(mine)
                .set((
                    mails::state.eq("dead"),
                    finished_at,
                    mails::last_error.eq(error),
                    mails::settled.eq(None::<String>),
                ))
                .execute(conn)?;
        }
    }
    Ok(())
}

fn mark_notified(conn: &mut Conn, mail: &ClaimedMail, now: Timestamp) -> QueryResult<()> {
    let reported: Vec<i64> = mail.leavers.iter().copied().chain(mail.news.iter().map(|one| one.id)).collect();
    Rows::of(&reported).integer("id", |id| *id).integer("notified_at", |_| now.micros()).execute(
        conn,
        "UPDATE outbox SET notified_at = r.notified_at FROM {rows} WHERE outbox.id = r.id AND outbox.notified_at IS NULL",
    )?;
    Ok(())
}

/// Stores the result for each recipient, for the next attempt. A notice counts as sent as soon as one recipient has it. A
/// process whose lease has ended can add results, but cannot remove the result `taken`.
pub fn record_settled(
    conn: &mut Conn,
    mail: &ClaimedMail,
    settled: &RecipientOutcomes,
    now: Timestamp,
) -> QueryResult<()> {
    let waiting = mails::table.find(mail.id).filter(mails::state.eq("waiting"));
    let known: Option<Option<String>> = waiting.select(mails::settled).first(conn).optional()?;
    if let Some(known) = known {
        let all = RecipientOutcomes::read(known.as_deref()).with(settled);
        diesel::update(mails::table.find(mail.id)).set(mails::settled.eq(all.write())).execute(conn)?;
    }
    if settled.anybody_took_it() { mark_notified(conn, mail, now) } else { Ok(()) }
}

/// Extends the lease: the mail has more recipients than the claim assumed.
pub fn extend(conn: &mut Conn, mail: &ClaimedMail, until: Timestamp) -> QueryResult<()> {
    diesel::update(mails::table.find(mail.id)).set(mails::due_at.eq(until.micros())).execute(conn)?;
    Ok(())
}

/// Records recipients that the server refused for ever.
pub fn record_refused(conn: &mut Conn, mail_id: i64, refused: &RefusedRecipient) -> QueryResult<()> {
    let recipients = i32::try_from(refused.recipients).unwrap_or(i32::MAX);
    diesel::update(mails::table.find(mail_id))
        .set((mails::refused.eq(recipients), mails::fell_back.eq(refused.fell_back)))
        .execute(conn)?;
    if let Some(why) = &refused.why {
        diesel::update(mails::table.find(mail_id)).set(mails::refusal.eq(why)).execute(conn)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
