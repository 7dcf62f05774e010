//! The heads of all chains once a day, for a place that the writers of the database cannot reach.

use diesel::QueryResult;

use super::{stored_entries, stored_heads::StoredHead};
use crate::{
    db::{Conn, DbError},
    runtime::clock::Timestamp,
    tables::properties::{self, HEADS_DAY},
};

/// A day begins at 06:00 UTC, as report periods do.
const BEGINS_AT_SECONDS: i64 = 6 * 3_600;
const DAY_MICROS: i64 = 24 * 3_600 * 1_000_000;

/// The number of the day.
pub fn day(now: Timestamp) -> i64 {
    now.plus_seconds(-BEGINS_AT_SECONDS).micros().div_euclid(DAY_MICROS)
}

/// Whether the heads of this day were not sent yet.
pub fn is_due(conn: &mut Conn, now: Timestamp) -> QueryResult<bool> {
    Ok(properties::number(conn, HEADS_DAY)?.is_none_or(|sent| sent < day(now)))
}

/// True for one process on each day. It runs in the transaction that writes the notice.
pub fn take(conn: &mut Conn, now: Timestamp) -> QueryResult<bool> {
    properties::raise(conn, HEADS_DAY, day(now))
}

/// The heads of one tenant's chain or of all, sorted by tenant.
pub fn current(conn: &mut Conn, tenant: Option<&str>, at: Timestamp) -> Result<Vec<StoredHead>, DbError> {
    let tenants = match tenant {
        Some(tenant) => vec![tenant.to_owned()],
        None => stored_entries::tenants(conn)?,
    };
    let tenants: Vec<&str> = tenants.iter().map(String::as_str).collect();
    let head = |(tenant_id, head): (String, super::Head)| StoredHead {
        tenant_id,
        seq: head.seq,
        hash: hex::encode(&head.hash),
        at: Some(at.to_string()),
    };
    let mut heads: Vec<StoredHead> = super::heads(conn, &tenants)?.into_iter().map(head).collect();
    heads.sort_unstable_by(|one, other| one.tenant_id.cmp(&other.tenant_id));
    Ok(heads)
}

/// The text of a file for `audit verify --against`.
pub fn write(heads: &[StoredHead]) -> String {
    // The structs contain texts and numbers only, so serialization cannot fail.
    format!("{}\n", serde_json::to_string_pretty(heads).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::stored_heads;

    #[test]
    fn a_day_begins_at_six() {
        let at = |text: &str| day(Timestamp::parse(text).unwrap());
        assert_eq!(at("2026-06-02T05:59:59Z"), at("2026-06-01T06:00:00Z"));
        assert_eq!(at("2026-06-02T06:00:00Z"), at("2026-06-01T06:00:00Z") + 1);
    }

    #[test]
    fn the_file_is_read_back() {
        let head = StoredHead { tenant_id: "org_1".into(), seq: 7, hash: "ab".repeat(32), at: None };
        assert_eq!(stored_heads::read(&write(std::slice::from_ref(&head))).unwrap(), [head]);
    }
}
