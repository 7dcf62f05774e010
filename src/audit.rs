//! The audit trail: one entry for each change, written in the transaction of the change (lesson 41).
//!
//! Each tenant has a hash chain of its own. Entries without tenant are in the chain of tenant ''. Only the serialized
//! transaction appends, so a chain cannot fork (lesson 42). The chain contains only a salted hash of names, addresses
//! and attributes; the data itself is stored next to it, so an erasure can delete it. Retention never deletes an
//! entry.

pub mod access_review_page;
pub mod chain;
pub mod daily_heads;
pub mod hold_entries;
pub mod leaver_receipt;
pub mod loss_story;
pub mod movement;
pub(crate) mod page_parts;
pub mod past;
pub mod past_user;
pub mod report;
pub mod review;
pub mod review_changes;
pub mod review_directories;
pub mod review_page;
pub mod review_people;
pub mod review_sheets;
pub mod review_table;
pub mod review_workbook;
pub mod role_list_entries;
pub mod row_diff;
pub mod row_entries;
pub mod stored_entries;
pub mod stored_heads;
pub mod under_review;
pub mod verify;

use std::collections::HashMap;

use diesel::{
    QueryResult, QueryableByName,
    sql_types::{BigInt, Binary, Text},
};
use serde::Serialize;

use crate::{
    db::{
        Conn, Serialized,
        bulk::{Rows, Upsert},
    },
    feed::{self, Cause, CauseOf},
    runtime::clock::Timestamp,
};
use chain::{Hash, Link};

/// The kinds of entries. The subject is a user's id if no comment says otherwise, or a group's id, a mapping's
/// version, or an inbox id.
pub mod kinds {
    pub const USER_CREATED: &str = "user.created";
    pub const USER_CHANGED: &str = "user.changed";
    pub const USER_REMOVED: &str = "user.removed";
    pub const USER_ERASED: &str = "user.erased";
    pub const ACCESS_LOST: &str = "access.lost";
    pub const ACCESS_RETURNED: &str = "access.returned";
    pub const ROLES_CHANGED: &str = "roles.changed";
    pub const ROLE_GRANTED: &str = "role.granted";
    pub const ROLE_REVOKED: &str = "role.revoked";
    /// An operator released the last holder of a protected role. The subject is the role.
    pub const ROLE_RELEASED: &str = "role.released";
    /// A tenant's list of roles changed. The subject is the role.
    pub const ROLE_LISTED: &str = "role.listed";
    pub const ROLE_RENAMED: &str = "role.renamed";
    pub const ROLE_UNLISTED: &str = "role.unlisted";
    pub const GROUP_CREATED: &str = "group.created";
    pub const GROUP_CHANGED: &str = "group.changed";
    pub const GROUP_REMOVED: &str = "group.removed";
    /// A user retains a protected role, because nobody else in the tenant holds it; and does so no more.
    pub const ROLE_RETAINED: &str = "role.retained";
    pub const ROLE_RETENTION_ENDED: &str = "role.retention_ended";
    /// A loss of access or of privileged roles waits in a hold, was decided, or was overtaken by newer facts.
    pub const LOSS_HELD: &str = "loss.held";
    pub const LOSS_APPROVED: &str = "loss.approved";
    pub const LOSS_REJECTED: &str = "loss.rejected";
    pub const LOSS_OVERTAKEN: &str = "loss.overtaken";
    /// The subject of these five is the hold. The first two count its people when it is calm.
    pub const HOLD_OPENED: &str = "hold.opened";
    pub const HOLD_GROWN: &str = "hold.grown";
    pub const HOLD_APPROVED: &str = "hold.approved";
    pub const HOLD_REJECTED: &str = "hold.rejected";
    /// Newer facts ended the last loss in the hold that waited.
    pub const HOLD_ENDED: &str = "hold.ended";
    pub const MAPPING_APPLIED: &str = "mapping.applied";
    /// The subject of these two is the random id of the recipient, because the chain must not contain the address.
    pub const RECIPIENT_ADDED: &str = "recipient.added";
    pub const RECIPIENT_REMOVED: &str = "recipient.removed";
    pub const DELIVERY_RETRIED: &str = "delivery.retried";
    pub const DELIVERY_DISCARDED: &str = "delivery.discarded";
    pub const TABLES_REBUILT: &str = "tables.rebuilt";
    /// The subject is the directory.
    pub const DIRECTORY_COMPARED: &str = "directory.compared";
    /// In the chains of the former and of the new tenant.
    pub const DIRECTORY_MOVED: &str = "directory.moved";
    /// A token of a SCIM client. The subject is its id.
    pub const TOKEN_CREATED: &str = "token.created";
    pub const TOKEN_REVOKED: &str = "token.revoked";
}

/// The chain of entries without tenant.
pub const NO_TENANT: &str = "";

/// The cause of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    Event { key: String, inbox_id: i64, received_at: Timestamp },
    Rule(String),
    Operator(String),
}

/// An entry that must be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEntry {
    pub tenant_id: String,
    pub kind: &'static str,
    pub subject: String,
    /// JSON, without any personal data.
    pub change: String,
    /// JSON: personal data of the subject only, because an erasure finds entries by subject.
    pub personal: Option<String>,
    pub actor: Actor,
    /// The broker's time of the fact.
    pub stated_at: Option<Timestamp>,
}

impl AuditEntry {
    pub fn new(
        tenant_id: &str,
        kind: &'static str,
        subject: impl ToString,
        change: &impl Serialize,
        actor: Actor,
    ) -> Self {
        Self {
            tenant_id: tenant_id.to_owned(),
            kind,
            subject: subject.to_string(),
            // The structs contain texts and numbers only, so serialization cannot fail.
            change: serde_json::to_string(change).unwrap_or_default(),
            personal: None,
            actor,
            stated_at: None,
        }
    }

    /// The cause, for the change feed.
    fn cause(&self) -> (CauseOf, Cause) {
        (CauseOf::Subject(self.tenant_id.clone(), self.subject.clone()), self.actor.cause())
    }

    pub fn with_personal(mut self, personal: &impl Serialize) -> Self {
        self.personal = serde_json::to_string(personal).ok();
        self
    }
}

impl Actor {
    pub fn operator(name: &str) -> Self {
        Self::Operator(name.to_owned())
    }

    fn text(&self) -> String {
        match self {
            Self::Event { key, .. } => format!("event {key}"),
            Self::Rule(what) => format!("rule {what}"),
            Self::Operator(name) => format!("operator {name}"),
        }
    }

    fn cause(&self) -> Cause {
        match self {
            Self::Event { key, .. } => Cause::event(key),
            Self::Rule(what) => {
                match what.strip_prefix("mapping ").and_then(|version| version.parse().ok()) {
                    Some(version) => Cause::mapping(version),
                    None => Cause::rule(what),
                }
            }
            Self::Operator(name) => Cause::operator(name),
        }
    }

    fn inbox_id(&self) -> Option<i64> {
        match self {
            Self::Event { inbox_id, .. } => Some(*inbox_id),
            Self::Rule(_) | Self::Operator(_) => None,
        }
    }

    fn received_at(&self) -> Option<Timestamp> {
        match self {
            Self::Event { received_at, .. } => Some(*received_at),
            Self::Rule(_) | Self::Operator(_) => None,
        }
    }
}

/// An entry with its position in the chain.
struct Placed<'a> {
    entry: &'a AuditEntry,
    seq: i64,
    actor: String,
    salt: Option<[u8; 16]>,
    commitment: Option<Hash>,
    hash: Hash,
}

/// Appends the entries to their tenants' chains.
pub fn record(conn: &mut Serialized<'_>, entries: &[AuditEntry], now: Timestamp) -> QueryResult<()> {
    feed::at(conn, now);
    feed::caused(conn, entries.iter().map(AuditEntry::cause));
    if entries.is_empty() {
        return Ok(());
    }
    let mut tenants: Vec<&str> = entries.iter().map(|entry| entry.tenant_id.as_str()).collect();
    tenants.sort_unstable();
    tenants.dedup();
    let mut heads = heads(conn, &tenants)?;
    let mut placed = Vec::with_capacity(entries.len());
    for entry in entries {
        let head = heads.entry(entry.tenant_id.clone()).or_default();
        let next = place(entry, head, now);
        *head = Head { seq: next.seq, hash: next.hash.to_vec() };
        placed.push(next);
    }
    insert(conn, &placed, now)?;
    let heads: Vec<(String, Head)> = heads.into_iter().collect();
    Rows::of(&heads)
        .text("tenant_id", |(tenant_id, _)| tenant_id)
        .integer("seq", |(_, head)| head.seq)
        .bytes("hash", |(_, head)| &head.hash)
        .upsert(
            conn,
            &Upsert { table: "audit_heads", key: &["tenant_id"], set: &["seq", "hash"], ..Upsert::PLAIN },
        )?;
    Ok(())
}

fn place<'a>(entry: &'a AuditEntry, head: &Head, now: Timestamp) -> Placed<'a> {
    let salt: Option<[u8; 16]> = entry.personal.is_some().then(rand::random);
    let commitment = salt.zip(entry.personal.as_deref()).map(|(salt, text)| chain::commitment(&salt, text));
    let (seq, actor) = (head.seq + 1, entry.actor.text());
    let link = Link {
        tenant_id: &entry.tenant_id,
        seq,
        kind: entry.kind,
        subject: &entry.subject,
        change: &entry.change,
        commitment: commitment.as_ref().map(<[u8; 32]>::as_slice),
        actor: &actor,
        inbox_id: entry.actor.inbox_id(),
        received_at: entry.actor.received_at().map(Timestamp::micros),
        stated_at: entry.stated_at.map(Timestamp::micros),
        applied_at: now.micros(),
    };
    let hash = chain::hash(&head.hash, &link);
    Placed { entry, seq, actor, salt, commitment, hash }
}

fn insert(conn: &mut Conn, placed: &[Placed<'_>], now: Timestamp) -> QueryResult<()> {
    Rows::of(placed)
        .text("tenant_id", |row| &row.entry.tenant_id)
        .integer("seq", |row| row.seq)
        .text("kind", |row| row.entry.kind)
        .text("subject", |row| &row.entry.subject)
        .text("change", |row| &row.entry.change)
        .optional_text("personal", |row| row.entry.personal.as_deref())
        .optional_bytes("salt", |row| row.salt.as_ref().map(<[u8; 16]>::as_slice))
        .optional_bytes("commitment", |row| row.commitment.as_ref().map(<[u8; 32]>::as_slice))
        .text("actor", |row| &row.actor)
        .optional_integer("inbox_id", |row| row.entry.actor.inbox_id())
        .optional_integer("received_at", |row| row.entry.actor.received_at().map(Timestamp::micros))
        .optional_integer("stated_at", |row| row.entry.stated_at.map(Timestamp::micros))
        .integer("applied_at", |_| now.micros())
        .bytes("hash", |row| &row.hash)
        .execute(
            conn,
            "INSERT INTO audit (tenant_id, seq, kind, subject, change, personal, salt, commitment, actor, inbox_id, \
             received_at, stated_at, applied_at, hash) \
             SELECT r.tenant_id, r.seq, r.kind, r.subject, r.change, r.personal, r.salt, r.commitment, r.actor, \
             r.inbox_id, r.received_at, r.stated_at, r.applied_at, r.hash FROM {rows}",
        )?;
    Ok(())
}

/// The end of a chain; the hash is empty before the first entry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Head {
    pub seq: i64,
    pub hash: Vec<u8>,
}

#[derive(QueryableByName)]
struct HeadRow {
    #[diesel(sql_type = Text)]
    tenant_id: String,
    #[diesel(sql_type = BigInt)]
    seq: i64,
    #[diesel(sql_type = Binary)]
    hash: Vec<u8>,
}

pub fn heads(conn: &mut Conn, tenants: &[&str]) -> QueryResult<HashMap<String, Head>> {
    let rows: Vec<HeadRow> = Rows::of(tenants).text("tenant_id", |tenant| tenant).load(
        conn,
        "SELECT h.tenant_id, h.seq, h.hash FROM {rows} JOIN audit_heads h ON h.tenant_id = r.tenant_id",
    )?;
    Ok(rows.into_iter().map(|row| (row.tenant_id, Head { seq: row.seq, hash: row.hash })).collect())
}
