//! Reads the audit trail: pages of a chain, and entries by subject, kind and time.

use diesel::{
    BoolExpressionMethods, ExpressionMethods, OptionalExtension, QueryDsl, QueryResult, Queryable,
    RunQueryDsl, TextExpressionMethods, dsl::exists,
};

use super::chain::Link;
use crate::{
    db::{
        Conn,
        schema::{audit, audit_heads},
    },
    runtime::clock::Timestamp,
};

/// A stored entry.
#[derive(Clone, Debug, PartialEq, Eq, Queryable)]
pub struct StoredEntry {
    pub tenant_id: String,
    pub seq: i64,
    pub kind: String,
    pub subject: String,
    pub change: String,
    pub personal: Option<String>,
    pub salt: Option<Vec<u8>>,
    pub commitment: Option<Vec<u8>>,
    pub actor: String,
    pub inbox_id: Option<i64>,
    pub received_at: Option<i64>,
    pub stated_at: Option<i64>,
    pub applied_at: i64,
    pub hash: Vec<u8>,
}

impl StoredEntry {
    /// The chained part of the entry, at position `seq`.
    pub fn link_at(&self, seq: i64) -> Link<'_> {
        Link {
            tenant_id: &self.tenant_id,
            seq,
            kind: &self.kind,
            subject: &self.subject,
            change: &self.change,
            commitment: self.commitment.as_deref(),
            actor: &self.actor,
            inbox_id: self.inbox_id,
            received_at: self.received_at,
            stated_at: self.stated_at,
            applied_at: self.applied_at,
        }
    }

    pub fn is_erased(&self) -> bool {
        self.commitment.is_some() && self.personal.is_none()
    }

    pub fn applied_at(&self) -> Timestamp {
        Timestamp::from_micros(self.applied_at)
    }
}

/// The wanted entries; the newest if there are more than `limit`.
#[derive(Clone, Copy, Debug)]
pub struct LogQuery<'a> {
    pub tenant_id: &'a str,
    pub subjects: Option<&'a [String]>,
    /// A kind, or the first part of several kinds (`access`).
    pub kind: Option<&'a str>,
    pub since: Option<Timestamp>,
    pub until: Option<Timestamp>,
    pub limit: i64,
}

/// The wanted entries in the order of the chain.
pub fn entries(conn: &mut Conn, wanted: LogQuery<'_>) -> QueryResult<Vec<StoredEntry>> {
    let mut query = audit::table
        .filter(audit::tenant_id.eq(wanted.tenant_id))
        .order(audit::seq.desc())
        .limit(wanted.limit)
        .into_boxed();
    if let Some(subjects) = wanted.subjects {
        query = query.filter(audit::subject.eq_any(subjects));
    }
    if let Some(kind) = wanted.kind {
        query = query.filter(audit::kind.eq(kind).or(audit::kind.like(format!("{}.%", plain(kind)))));
    }
    if let Some(since) = wanted.since {
        query = query.filter(audit::applied_at.ge(since.micros()));
    }
    if let Some(until) = wanted.until {
        query = query.filter(audit::applied_at.lt(until.micros()));
    }
    let mut entries: Vec<StoredEntry> = query.load(conn)?;
    entries.reverse();
    Ok(entries)
}

/// Kinds are lower-case words with dots. Other characters are removed, so the text is no pattern.
fn plain(kind: &str) -> String {
    kind.chars().filter(char::is_ascii_lowercase).collect()
}

/// The next entries of a chain after `seq`.
pub fn page(conn: &mut Conn, tenant_id: &str, after: i64, limit: i64) -> QueryResult<Vec<StoredEntry>> {
    audit::table
        .filter(audit::tenant_id.eq(tenant_id))
        .filter(audit::seq.gt(after))
        .order(audit::seq)
        .limit(limit)
        .load(conn)
}

/// The stored hash of the entry at this position; `None` if the chain does not have it.
pub fn hash_at(conn: &mut Conn, tenant_id: &str, seq: i64) -> QueryResult<Option<Vec<u8>>> {
    audit::table.find((tenant_id, seq)).select(audit::hash).first(conn).optional()
}

/// Every tenant with entries or a head.
pub fn tenants(conn: &mut Conn) -> QueryResult<Vec<String>> {
    let mut tenants: Vec<String> = audit_heads::table.select(audit_heads::tenant_id).load(conn)?;
    let headless: Vec<String> = audit::table.select(audit::tenant_id).distinct().load(conn)?;
    tenants.extend(headless);
    tenants.sort_unstable();
    tenants.dedup();
    Ok(tenants)
}

/// Whether the tenant has a chain, also one without its head.
pub fn knows(conn: &mut Conn, tenant_id: &str) -> QueryResult<bool> {
    let entries = audit::table.filter(audit::tenant_id.eq(tenant_id));
    diesel::select(exists(audit_heads::table.find(tenant_id)).or(exists(entries))).get_result(conn)
}

/// Deletes the personal part of the entries about these users.
pub fn erase(conn: &mut Conn, tenant_id: &str, user_ids: &[String]) -> QueryResult<usize> {
    diesel::update(
        audit::table.filter(audit::tenant_id.eq(tenant_id)).filter(audit::subject.eq_any(user_ids)),
    )
    .set((audit::personal.eq(None::<String>), audit::salt.eq(None::<Vec<u8>>)))
    .execute(conn)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_erased_when_its_personal_part_is_gone_and_the_commitment_remains() {
        let entry = |personal: Option<&str>, commitment: Option<Vec<u8>>| StoredEntry {
            tenant_id: String::new(),
            seq: 1,
            kind: String::new(),
            subject: String::new(),
            change: String::new(),
            personal: personal.map(str::to_owned),
            salt: None,
            commitment,
            actor: String::new(),
            inbox_id: None,
            received_at: None,
            stated_at: None,
            applied_at: 0,
            hash: Vec::new(),
        };
        assert!(entry(None, Some(vec![1])).is_erased());
        assert!(!entry(Some("{}"), Some(vec![1])).is_erased());
        assert!(!entry(None, None).is_erased(), "there was no personal part");
    }
}
