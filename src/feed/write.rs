//! Writes the records of a transaction, as its last statements, and notifies listeners.

use std::collections::BTreeMap;

use diesel::{QueryResult, QueryableByName, connection::SimpleConnection, sql_types::BigInt};
use serde_json::json;

use super::{RowDifference, cause::Causes, head};
use crate::{
    db::{Conn, Recording, bulk::Rows},
    runtime::clock::Timestamp,
};

/// The channel of `NOTIFY`.
pub const CHANNEL: &str = "rosterd";

/// With more tenants in one transaction there is one notification without a tenant.
const MOST_TENANTS: usize = 16;

struct Numbered<'a> {
    seq: i64,
    difference: &'a RowDifference,
    subject: String,
    cause: &'a str,
}

pub(super) fn write(
    conn: &mut Conn,
    differences: &[RowDifference],
    causes: &Causes,
    at: Timestamp,
    recording: Recording,
) -> QueryResult<()> {
    if differences.is_empty() {
        return Ok(());
    }
    if let Conn::Postgres(pg) = conn {
        // A batch waits for a locked row of the application for a moment only. This row is rosterd's own, and another
        // transaction holds it until its commit.
        pg.batch_execute("SET LOCAL lock_timeout = '20s'")?;
    }
    let count = i64::try_from(differences.len()).unwrap_or(i64::MAX);
    let (last, at) = head::advance(conn, count, at)?;
    let numbered: Vec<Numbered<'_>> = (last - count + 1..)
        .zip(differences)
        .map(|(seq, difference)| Numbered {
            seq,
            difference,
            subject: difference.subject(),
            cause: causes.find(&difference.causes).json(),
        })
        .collect();
    insert(conn, &numbered, at)?;
    match recording {
        Recording::Notifying => notify(conn, &numbered),
        Recording::Silent | Recording::Off => Ok(()),
    }
}

fn insert(conn: &mut Conn, records: &[Numbered<'_>], at: Timestamp) -> QueryResult<()> {
    Rows::of(records)
        .integer("seq", |record| record.seq)
        .time("at", |_| Some(at))
        .text("tenant_id", |record| &record.difference.tenant_id)
        .text("kind", |record| record.difference.kind)
        .json("subject", |record| &record.subject)
        .optional_json("was", |record| record.difference.before.as_deref())
        .optional_json("now", |record| record.difference.after.as_deref())
        .json("cause", |record| record.cause)
        .execute(
            conn,
            "INSERT INTO changes (seq, at, tenant_id, kind, subject, before, after, cause) \
             SELECT r.seq, r.at, r.tenant_id, r.kind, r.subject, r.was, r.now, r.cause FROM {rows}",
        )?;
    Ok(())
}

/// Sends the newest `seq` of each tenant. PostgreSQL delivers it after the commit.
fn notify(conn: &mut Conn, records: &[Numbered<'_>]) -> QueryResult<()> {
    #[derive(QueryableByName)]
    struct Notified {
        #[diesel(sql_type = BigInt)]
        #[expect(dead_code, reason = "only the effect is wanted")]
        notified: i64,
    }
    if matches!(conn, Conn::Sqlite(_)) {
        return Ok(());
    }
    let newest: BTreeMap<&str, i64> =
        records.iter().map(|record| (record.difference.tenant_id.as_str(), record.seq)).collect();
    let payloads = payloads(&newest);
    let _: Vec<Notified> = Rows::of(&payloads)
        .text("payload", String::as_str)
        .load(conn, &format!("SELECT count(pg_notify('{CHANNEL}', r.payload)) AS notified FROM {{rows}}"))?;
    Ok(())
}

fn payloads(newest: &BTreeMap<&str, i64>) -> Vec<String> {
    let of_tenant = |(tenant, seq): (&&str, &i64)| json!({"tenant": tenant, "seq": seq}).to_string();
    let each: Vec<String> = newest.iter().map(of_tenant).collect();
    // PostgreSQL allows 8,000 bytes.
    if each.len() <= MOST_TENANTS && each.iter().all(|payload| payload.len() < 8_000) {
        return each;
    }
    newest.values().max().map(|seq| json!({"tenant": null, "seq": seq}).to_string()).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_tenant_has_a_notification_and_many_tenants_share_one() {
        let two = BTreeMap::from([("org_1", 7), ("org_2", 9)]);
        assert_eq!(payloads(&two), [r#"{"seq":7,"tenant":"org_1"}"#, r#"{"seq":9,"tenant":"org_2"}"#]);
        let names: Vec<String> = (0..17).map(|n| format!("org_{n}")).collect();
        let many: BTreeMap<&str, i64> = names.iter().map(String::as_str).zip(1..).collect();
        assert_eq!(payloads(&many), [r#"{"seq":17,"tenant":null}"#]);
        let long = "x".repeat(9_000);
        assert_eq!(payloads(&BTreeMap::from([(long.as_str(), 3)])), [r#"{"seq":3,"tenant":null}"#]);
    }
}
