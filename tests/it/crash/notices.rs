//! Compares the outbox, the mails, and the mails that arrived at the mail server.

use std::collections::{BTreeMap, BTreeSet};

use diesel::{ExpressionMethods, QueryDsl, QueryResult, RunQueryDsl};
use rosterd::{
    db::{
        Conn,
        schema::{mails, outbox},
    },
    outbox::Payload,
};

use super::trial::Row;
use crate::smtp::Received;

/// A tenant, and a user or person in it.
pub type Key = (String, String);

pub struct Notice {
    tenant: String,
    user: String,
    payload: Payload,
    mail: Option<i64>,
    sent: bool,
}

#[derive(diesel::Queryable)]
pub struct Mail {
    id: i64,
    tenant: String,
    message_id: String,
    state: String,
}

/// All notices and mails, oldest first.
pub struct Outbox {
    pub notices: Vec<Notice>,
    pub mails: Vec<Mail>,
}

pub fn key<'a>(column: &'static str) -> impl Fn(&'a Row) -> Key {
    let text = |row: &Row, column| row[column].as_str().unwrap().to_owned();
    move |row| (text(row, "tenant_id"), text(row, column))
}

impl Outbox {
    pub fn load(conn: &mut Conn) -> QueryResult<Self> {
        type Columns = (String, String, String, Option<i64>, Option<i64>);
        let rows: Vec<Columns> = {
            use outbox::{id, kind, mail_id, notified_at, payload, table, tenant_id, user_id};
            table
                .filter(kind.eq("deprovisioned"))
                .order(id)
                .select((tenant_id, user_id, payload, mail_id, notified_at))
                .load(conn)?
        };
        let notice = |(tenant, user, payload, mail, notified_at): Columns| {
            let payload = serde_json::from_str(&payload).unwrap();
            Notice { tenant, user, payload, mail, sent: notified_at.is_some() }
        };
        let columns = (mails::id, mails::tenant_id, mails::message_id, mails::state);
        Ok(Self {
            notices: rows.into_iter().map(notice).collect(),
            mails: mails::table.order(mails::id).select(columns).load(conn)?,
        })
    }

    /// After everything was sent: every leaver is reported, and nobody twice except by a copy of the same mail.
    pub fn judge(&self, users: &[Row], seen_active: &BTreeSet<Key>, received: &[Received]) {
        self.every_mail_is_ended_and_copies_are_alike(received);
        self.every_notice_is_in_one_mail_and_new();
        self.everybody_who_was_active_and_left_has_a_notice(users, seen_active);
        self.every_leaver_is_reported(users, received);
        self.nobody_is_named_more_often_than_they_left(received);
    }

    fn mail(&self, notice: &Notice) -> &Mail {
        let found = self.mails.iter().find(|mail| Some(mail.id) == notice.mail);
        found.unwrap_or_else(|| panic!("a notice of {} is in no mail", notice.user))
    }

    fn every_mail_is_ended_and_copies_are_alike(&self, received: &[Received]) {
        let states: BTreeMap<&str, &str> =
            self.mails.iter().map(|mail| (mail.message_id.as_str(), mail.state.as_str())).collect();
        // Each recipient has an envelope of their own.
        let mut recipients: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for copy in received {
            let id = message_id(copy);
            assert!(states.contains_key(id), "{id} is no mail of ours");
            assert_eq!(copy.to.len(), 1, "{id} has an envelope for several: {:?}", copy.to);
            recipients.entry(id).or_default().extend(copy.to.iter().map(String::as_str));
        }
        let all: BTreeSet<&str> = recipients.values().flatten().copied().collect();
        // A process that dies between two recipients leaves the mail. It may be needless at the next attempt.
        for (id, to) in recipients.iter().filter(|(id, _)| states[*id] == "sent") {
            assert_eq!(*to, all, "{id} did not reach all recipients");
        }
        for (id, state) in states {
            let ended = state == "needless" || (state == "sent" && recipients.contains_key(id));
            assert!(ended, "{id} is {state}; it arrived: {}", recipients.contains_key(id));
        }
    }

    fn every_notice_is_in_one_mail_and_new(&self) {
        let mut causes = BTreeSet::new();
        for notice in &self.notices {
            assert_eq!(self.mail(notice).tenant, notice.tenant);
            let cause = (&notice.tenant, &notice.user, notice.payload.inbox_id);
            assert!(causes.insert(cause), "one delivery wrote two notices: {cause:?}");
        }
    }

    fn everybody_who_was_active_and_left_has_a_notice(&self, users: &[Row], seen_active: &BTreeSet<Key>) {
        let noticed: BTreeSet<Key> =
            self.notices.iter().map(|notice| (notice.tenant.clone(), notice.user.clone())).collect();
        let inactive = users.iter().filter(|user| user["status"] == "inactive").map(key("id"));
        let missed: Vec<Key> =
            inactive.filter(|id| seen_active.contains(id) && !noticed.contains(id)).collect();
        assert!(missed.is_empty(), "seen active, gone, and no notice: {missed:?}");
    }

    fn every_leaver_is_reported(&self, users: &[Row], received: &[Received]) {
        let here: BTreeSet<Key> =
            users.iter().filter(|user| user["status"] == "active").map(key("person_id")).collect();
        // As they are known at the end: a directory's own event may come late, and the person ids depend on it.
        let people: BTreeMap<Key, Key> =
            users.iter().map(|user| (key("id")(user), key("person_id")(user))).collect();
        let mut newest: BTreeMap<&Key, &Notice> = BTreeMap::new();
        for notice in &self.notices {
            newest.insert(&people[&(notice.tenant.clone(), notice.user.clone())], notice);
        }
        for (person, notice) in newest {
            assert!(
                notice.sent || here.contains(person),
                "{} is gone and nobody was told: {}, {}",
                notice.user,
                notice.payload.inbox_id,
                self.mail(notice).state,
            );
        }
        for notice in self.notices.iter().filter(|notice| notice.sent) {
            let Some(email) = notice.payload.email.as_deref() else { continue };
            let id = &self.mail(notice).message_id;
            let reports = |copy: &Received| message_id(copy) == id && names(copy, email);
            assert!(received.iter().any(reports), "{id} is to have told of {email} and did not");
        }
    }

    fn nobody_is_named_more_often_than_they_left(&self, received: &[Received]) {
        let emails = self.notices.iter().filter_map(|notice| notice.payload.email.as_deref());
        let mut left: BTreeMap<&str, usize> = BTreeMap::new();
        emails.for_each(|email| *left.entry(email).or_default() += 1);
        for (email, times) in left {
            let naming = received.iter().filter(|copy| names(copy, email)).map(message_id);
            let mails: BTreeSet<&str> = naming.collect();
            assert!(mails.len() <= times, "{email} left {times} times and is in {mails:?}");
        }
    }
}

pub fn message_id(copy: &Received) -> &str {
    copy.header("Message-ID").unwrap()
}

/// Whether the address has a line of its own, as in the plain text.
fn names(copy: &Received, email: &str) -> bool {
    // Addresses are short and ASCII here, so that no transfer encoding except base64 changes their line.
    assert!(!copy.raw.contains("base64"));
    copy.raw.lines().any(|line| line.trim() == email)
}
