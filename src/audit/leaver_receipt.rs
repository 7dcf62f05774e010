//! Receipts: the evidence for each leaver (lesson 43): the times of the directory's event, its reception, the change
//! and the notification of administrators, and the minutes between them.

use std::collections::{BTreeSet, HashMap};

use diesel::{ExpressionMethods, JoinOnDsl, NullableExpressionMethods, QueryDsl, QueryResult, RunQueryDsl};
use serde::Serialize;
use serde_json::Value;

use super::{
    kinds,
    loss_story::{LossStories, LossStory},
    stored_entries::{self, LogQuery, StoredEntry},
};
use crate::{
    db::{
        Conn,
        schema::{mails, outbox},
    },
    decide::users::UserRow,
    outbox::{NoticeKind, Payload, notice},
    runtime::clock::Timestamp,
    tables::{Key, users},
};

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Receipt {
    pub user_id: String,
    pub name: Option<String>,
    pub email: Option<String>,
    /// The entry in the tenant's chain.
    pub entry: i64,
    /// `event …`, `rule …` or `operator …`.
    pub because: String,
    pub roles_lost: Vec<String>,
    pub stated_at: Option<String>,
    pub received_at: Option<String>,
    /// The loss waited in this hold since then, if it did.
    pub hold_id: Option<i64>,
    pub held_at: Option<String>,
    /// The last decision about it.
    pub decided_at: Option<String>,
    pub decided_by: Option<String>,
    pub applied_at: String,
    /// `None` before the notification, and for a person who returned before it.
    pub notified_at: Option<String>,
    /// Message-ID of the mail.
    pub message_id: Option<String>,
    pub mail: Option<String>,
    pub minutes_stated_to_applied: Option<i64>,
    pub minutes_received_to_applied: Option<i64>,
    pub minutes_held_to_decided: Option<i64>,
    pub minutes_decided_to_applied: Option<i64>,
    pub minutes_applied_to_notified: Option<i64>,
    /// The time of the return of access, if any.
    pub returned_at: Option<String>,
}

/// By (user, time of the notice). The notice and the entry have the same transaction and time.
type Notified = HashMap<(String, i64), (Option<i64>, Option<String>, Option<String>)>;

type ReceiptNotice = (String, i64, Option<i64>, Option<String>, Option<String>);

fn notified(
    conn: &mut Conn,
    tenant_id: &str,
    users: Option<&[String]>,
    since: Option<Timestamp>,
) -> QueryResult<Notified> {
    let mut query = outbox::table
        .left_join(mails::table.on(mails::id.nullable().eq(outbox::mail_id)))
        .filter(outbox::tenant_id.eq(tenant_id))
        .filter(outbox::kind.eq(NoticeKind::Deprovisioned.name()))
        .select((
            outbox::user_id,
            outbox::created_at,
            outbox::notified_at,
            mails::message_id.nullable(),
            mails::state.nullable(),
        ))
        .into_boxed();
    if let Some(users) = users {
        query = query.filter(outbox::user_id.eq_any(users));
    }
    if let Some(since) = since {
        query = query.filter(outbox::created_at.ge(since.micros()));
    }
    let notices: Vec<ReceiptNotice> = query.load(conn)?;
    Ok(notices
        .into_iter()
        .map(|(user, at, notified, mail, state)| ((user, at), (notified, mail, state)))
        .collect())
}

/// The notices about leavers whose id another person bears now, by user and time.
fn formerly(conn: &mut Conn, tenant_id: &str) -> QueryResult<HashMap<(String, i64), Payload>> {
    let notices: Vec<(String, i64, String)> = outbox::table
        .filter(outbox::tenant_id.eq(tenant_id))
        .filter(outbox::kind.eq(NoticeKind::Deprovisioned.name()))
        .filter(outbox::former.eq(true))
        .select((outbox::user_id, outbox::created_at, outbox::payload))
        .load(conn)?;
    let read = |(user, at, payload): (String, i64, String)| ((user, at), notice::read(&payload));
    Ok(notices.into_iter().map(read).collect())
}

/// The receipts of all leavers of a tenant, or of these users, sorted by time.
pub fn receipts(
    conn: &mut Conn,
    tenant_id: &str,
    users: Option<&[String]>,
    since: Option<Timestamp>,
) -> QueryResult<Vec<Receipt>> {
    let wanted =
        LogQuery { tenant_id, subjects: users, kind: Some("access"), since, until: None, limit: i64::MAX };
    let mut entries = stored_entries::entries(conn, wanted)?;
    // The loss may have been held before the wanted time.
    entries.extend(stored_entries::entries(conn, LogQuery { kind: Some("loss"), since: None, ..wanted })?);
    entries.sort_unstable_by_key(|entry| entry.seq);
    let notified = notified(conn, tenant_id, users, since)?;
    let formerly = formerly(conn, tenant_id)?;
    let mut receipts: Vec<Receipt> = Vec::new();
    let mut last: HashMap<&str, usize> = HashMap::new();
    let mut stories = LossStories::default();
    for entry in &entries {
        let story = stories.next(entry);
        if entry.kind == kinds::ACCESS_LOST {
            last.insert(&entry.subject, receipts.len());
            receipts.push(receipt(entry, story.as_ref(), &notified));
        } else if entry.kind == kinds::ACCESS_RETURNED
            && let Some(receipt) = last.get(entry.subject.as_str()).and_then(|n| receipts.get_mut(*n))
        {
            receipt.returned_at = Some(entry.applied_at().to_string());
        }
    }
    name(conn, tenant_id, &mut receipts)?;
    let lost = entries.iter().filter(|entry| entry.kind == kinds::ACCESS_LOST);
    for (receipt, entry) in receipts.iter_mut().zip(lost) {
        former(receipt, entry);
        // The id may also have changed hands later. The notice about the leaver contains the name.
        let notified = formerly.get(&(entry.subject.clone(), entry.applied_at));
        if let Some(Payload { name, email, .. }) = notified {
            (receipt.name, receipt.email) = (name.clone(), email.clone());
        }
    }
    Ok(receipts)
}

/// Adds the names of the current rows. An erased person has no name there.
fn name(conn: &mut Conn, tenant_id: &str, receipts: &mut [Receipt]) -> QueryResult<()> {
    let keys: BTreeSet<Key> =
        receipts.iter().map(|receipt| (tenant_id.to_owned(), receipt.user_id.clone())).collect();
    let current = users::current(conn, &keys.into_iter().collect::<Vec<_>>())?;
    let current: HashMap<String, UserRow> = current.into_iter().map(|user| (user.id.clone(), user)).collect();
    for receipt in receipts {
        if let Some(user) = current.get(&receipt.user_id) {
            (receipt.name, receipt.email) = (user.profile.name.clone(), user.profile.email.clone());
        }
    }
    Ok(())
}

/// Replaces the name if the entry also moved the id to another person, because the row has the new bearer's name.
fn former(receipt: &mut Receipt, entry: &StoredEntry) {
    let read = |text: &str| serde_json::from_str::<Value>(text).unwrap_or_default();
    let change = read(&entry.change);
    if change.get("person_id").is_none() || change.get("status").is_some() {
        return;
    }
    let personal = entry.personal.as_deref().map(read);
    let was = |field: &str, now: Option<String>| match personal.as_ref()?.get(field) {
        Some(moved) => moved.get(0)?.as_str().map(str::to_owned),
        None => now,
    };
    receipt.name = was("name", receipt.name.take());
    receipt.email = was("email", receipt.email.take());
}

/// The story of the loss that is held for this user now.
pub fn held_loss(conn: &mut Conn, tenant_id: &str, user_id: &str) -> QueryResult<Option<LossStory>> {
    let users = [user_id.to_owned()];
    let wanted = LogQuery {
        tenant_id,
        subjects: Some(&users),
        kind: Some("loss"),
        since: None,
        until: None,
        limit: i64::MAX,
    };
    let entries = stored_entries::entries(conn, wanted)?;
    let mut stories = LossStories::default();
    entries.iter().for_each(|entry| drop(stories.next(entry)));
    Ok(stories.of(user_id).cloned())
}

fn receipt(entry: &StoredEntry, story: Option<&LossStory>, notified: &Notified) -> Receipt {
    let (notified_at, message_id, mail) =
        notified.get(&(entry.subject.clone(), entry.applied_at)).cloned().unwrap_or_default();
    let time = |at: Option<i64>| at.map(|at| Timestamp::from_micros(at).to_string());
    let minutes = |from: Option<i64>, to: Option<i64>| Some((to? - from?).div_euclid(60_000_000));
    let change: Value = serde_json::from_str(&entry.change).unwrap_or_default();
    let lost = change.get("lost").and_then(Value::as_array);
    let role = |role: &Value| role.as_str().map(str::to_owned);
    // An approval applies what the directory said before the hold.
    let stated_at = entry.stated_at.or(story.and_then(|story| story.stated_at));
    let received_at = entry.received_at.or(story.and_then(|story| story.received_at));
    let held_at = story.map(|story| story.held_at);
    let decision = story.and_then(|story| story.decisions.last());
    let decided_at = decision.map(|decision| decision.at);
    Receipt {
        user_id: entry.subject.clone(),
        name: None,
        email: None,
        entry: entry.seq,
        because: entry.actor.clone(),
        roles_lost: lost.into_iter().flatten().filter_map(role).collect(),
        stated_at: time(stated_at),
        received_at: time(received_at),
        hold_id: story.map(|story| story.hold_id),
        held_at: time(held_at),
        decided_at: time(decided_at),
        decided_by: decision.map(|decision| decision.by.clone()),
        applied_at: entry.applied_at().to_string(),
        notified_at: time(notified_at),
        message_id,
        mail,
        minutes_stated_to_applied: minutes(stated_at, Some(entry.applied_at)),
        minutes_received_to_applied: minutes(received_at, Some(entry.applied_at)),
        minutes_held_to_decided: minutes(held_at, decided_at),
        minutes_decided_to_applied: minutes(decided_at, Some(entry.applied_at)),
        minutes_applied_to_notified: minutes(Some(entry.applied_at), notified_at),
        returned_at: None,
    }
}
