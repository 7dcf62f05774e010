//! Selects the notices of a mail that are still true. Each attempt asks again.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    hash::Hash,
};

use diesel::{
    ExpressionMethods, QueryDsl, QueryResult, QueryableByName, RunQueryDsl, sql_query, sql_types::BigInt,
};

use super::{
    Payload, hold_notice,
    kind::{Family, NoticeKind},
    notice::{
        self, ChangeHeld, DirectoryNotice, EndedFirstSync, LastHolder, NotCompared, Privilege,
        SilentDirectory,
    },
    privileges,
};
use crate::{
    db::{Conn, on_each, schema::outbox},
    tables::{directory_activity, display_names, roles},
};

/// A notice of any kind except a leaver's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredNotice {
    /// The notice's number.
    pub id: i64,
    /// Its kind.
    pub kind: NoticeKind,
    /// The user that it is about; empty if it is about no user.
    pub user_id: String,
    /// Its content as JSON.
    pub payload: String,
}

#[derive(QueryableByName)]
struct Id {
    #[diesel(sql_type = BigInt)]
    id: i64,
}

/// Leaver notices of the mail whose person has no active row; for each person only the newest notice. A newer notice means
/// that the person had come back in between, and it reports the current state.
///
/// The `person_id` may have changed since the notice was written (for example, when a late fact showed the provider of the
/// directory). So it is read from the user's row, and newer notices are searched by user too. This does not apply to an id
/// that belongs to another person now.
pub(super) fn leavers(conn: &mut Conn, mail_id: i64) -> QueryResult<Vec<i64>> {
    let kind = NoticeKind::Deprovisioned.name();
    let sql = format!(
        "SELECT o.id FROM (SELECT w.id, w.tenant_id, w.user_id, w.former, COALESCE(c.person_id, w.person_id) AS person_id \
         FROM outbox w LEFT JOIN users c ON c.tenant_id = w.tenant_id AND c.id = w.user_id AND NOT w.former \
         WHERE w.mail_id = {mail_id} AND w.kind = '{kind}') o \
         WHERE NOT EXISTS (SELECT 1 FROM users u WHERE u.tenant_id = o.tenant_id AND u.person_id = o.person_id \
         AND u.status = 'active') \
         AND NOT EXISTS (SELECT 1 FROM outbox n WHERE n.tenant_id = o.tenant_id AND n.person_id = o.person_id \
         AND n.id > o.id AND n.kind = '{kind}') \
         AND NOT EXISTS (SELECT 1 FROM outbox n WHERE n.tenant_id = o.tenant_id AND n.user_id = o.user_id AND NOT o.former \
         AND n.id > o.id AND n.kind = '{kind}') ORDER BY o.id"
    );
    let rows: Vec<Id> = on_each!(conn, |c| sql_query(&sql).load(c))?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}

/// The contents of these notices, in their order.
pub fn payloads(conn: &mut Conn, notice_ids: &[i64]) -> QueryResult<Vec<Payload>> {
    let mut found = Vec::with_capacity(notice_ids.len());
    // In parts, because SQLite limits the number of bind parameters.
    for part in notice_ids.chunks(1_000) {
        let rows: Vec<(String, String)> = outbox::table
            .filter(outbox::id.eq_any(part))
            .order(outbox::id)
            .select((outbox::user_id, outbox::payload))
            .load(conn)?;
        let read = |(user_id, text): (String, String)| Payload { user_id, ..notice::read(&text) };
        found.extend(rows.into_iter().map(read));
    }
    Ok(found)
}

/// All other notices of the mail that are true now, oldest first.
pub(super) fn news(
    conn: &mut Conn,
    tenant_id: &str,
    mail_id: i64,
    family: Family,
) -> QueryResult<Vec<StoredNotice>> {
    let rows: Vec<(i64, String, String, String)> = outbox::table
        .filter(outbox::mail_id.eq(mail_id))
        .filter(outbox::kind.ne(NoticeKind::Deprovisioned.name()))
        .order(outbox::id)
        .select((outbox::id, outbox::kind, outbox::user_id, outbox::payload))
        .load(conn)?;
    let stored = |(id, kind, user_id, payload): (i64, String, String, String)| {
        Some(StoredNotice { id, kind: NoticeKind::named(&kind)?, user_id, payload })
    };
    let news: Vec<StoredNotice> = rows.into_iter().filter_map(stored).collect();
    match family {
        Family::Privileges => privileged(conn, tenant_id, news),
        Family::Connected => {
            existing(conn, tenant_id, news, |one| notice::read::<DirectoryNotice>(&one.payload).id)
        }
        Family::FirstSync => {
            existing(conn, tenant_id, news, |one| notice::read::<EndedFirstSync>(&one.payload).directory_id)
        }
        Family::Silent => {
            let ids: Vec<String> =
                news.iter().map(|one| notice::read::<SilentDirectory>(&one.payload).directory_id).collect();
            let silent = directory_activity::silent_among(conn, &ids)?;
            let still = news.into_iter().zip(ids).filter(|(_, id)| silent.contains(id));
            Ok(still.map(|(one, _)| one).collect())
        }
        Family::Retained => {
            Ok(last_of_each(news, |one| (one.user_id.clone(), notice::read::<LastHolder>(&one.payload).role)))
        }
        Family::NotCompared => {
            Ok(last_of_each(news, |one| notice::read::<NotCompared>(&one.payload).directory_id))
        }
        Family::Held => {
            let mut open = Vec::new();
            for one in news {
                let hold_id = notice::read::<ChangeHeld>(&one.payload).hold_id;
                if hold_notice::of(conn, tenant_id, hold_id, 0)?.is_some() {
                    open.push(one);
                }
            }
            Ok(open)
        }
        // Only the newest report or count.
        Family::Report | Family::Waiting | Family::AuditHeads => {
            Ok(news.into_iter().next_back().into_iter().collect())
        }
        Family::Leavers
        | Family::Mapping
        | Family::GivenUp
        | Family::ClaimsRefused
        | Family::Moved
        | Family::Webhooks => Ok(news),
    }
}

fn privileged(conn: &mut Conn, tenant_id: &str, news: Vec<StoredNotice>) -> QueryResult<Vec<StoredNotice>> {
    let users: BTreeSet<String> = news.iter().map(|one| one.user_id.clone()).collect();
    let keys: Vec<_> = users.into_iter().map(|id| (tenant_id.to_owned(), id)).collect();
    let held: HashMap<_, BTreeSet<String>> = roles::held(conn, &keys)?;
    let mut changes: BTreeMap<(String, String), Vec<(i64, bool)>> = BTreeMap::new();
    for one in &news {
        let privilege: Privilege = notice::read(&one.payload);
        let granted = one.kind == NoticeKind::PrivilegedGranted;
        changes.entry((one.user_id.clone(), privilege.role)).or_default().push((one.id, granted));
    }
    let reported: BTreeSet<i64> = changes
        .into_iter()
        .filter_map(|((user_id, role), changes)| {
            let holds = held.get(&(tenant_id.to_owned(), user_id)).is_some_and(|held| held.contains(&role));
            privileges::reported(&changes, holds)
        })
        .collect();
    Ok(news.into_iter().filter(|one| reported.contains(&one.id)).collect())
}

/// Removes directories that were deleted again: another notice reports the deletion.
fn existing(
    conn: &mut Conn,
    tenant_id: &str,
    news: Vec<StoredNotice>,
    id: impl Fn(&StoredNotice) -> String,
) -> QueryResult<Vec<StoredNotice>> {
    let ids: Vec<String> = news.iter().map(&id).collect();
    let names = display_names::of_directories(conn, tenant_id, &ids)?;
    Ok(news.into_iter().filter(|one| names.get(&id(one)).is_some_and(|named| !named.gone)).collect())
}

fn last_of_each<K: Eq + Hash>(
    news: Vec<StoredNotice>,
    key: impl Fn(&StoredNotice) -> K,
) -> Vec<StoredNotice> {
    let last: HashMap<_, i64> = news.iter().map(|one| (key(one), one.id)).collect();
    news.into_iter().filter(|one| last.get(&key(one)) == Some(&one.id)).collect()
}
