//! Checks that a server is a suitable PostgreSQL, before the first write. Other products with the same protocol are
//! refused, by their name or by a test of their behaviour.

use diesel::{
    PgConnection, QueryResult, QueryableByName, RunQueryDsl, sql_query,
    sql_types::{Bool, Integer, Text},
};

/// Why a server is refused. The operator reads this text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsuitable {
    /// CockroachDB.
    #[error(
        "the server is CockroachDB: its advisory locks do nothing, so two processes could change the same rows at once; use PostgreSQL 15 or newer, or SQLite"
    )]
    Cockroach,
    /// An old major version of PostgreSQL.
    #[error("PostgreSQL {0} is too old: rosterd needs 15 or newer")]
    TooOld(i32),
    /// The encoding is not UTF-8.
    #[error(
        "the encoding of the database is {0}, which cannot store every name: create another database with CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0, and move the data there"
    )]
    Encoding(String),
    /// A pooler changes the server process between transactions.
    #[error(
        "a pooler in transaction mode is between rosterd and PostgreSQL: it would mix statements, settings and locks of several programs; set it to session mode for rosterd (pgbouncer: pool_mode=session), or set DATABASE_URL to the server itself"
    )]
    TransactionPooling,
    /// Advisory locks of one connection are not visible to another.
    #[error(
        "two connections do not see each other's advisory locks: they lead to different servers, or the server has no such locks; set DATABASE_URL to one PostgreSQL server"
    )]
    NoLocks,
    /// A read-only host, and the URL names several.
    #[error(
        "the first host of DATABASE_URL that answers is read-only: add target_session_attrs=read-write to DATABASE_URL, so that the host that accepts writes is found"
    )]
    OtherHost,
    /// A standby, and the URL names no other host.
    #[error("the server is a standby, which accepts no writes: set DATABASE_URL to the primary server")]
    Standby,
    /// Transactions are read-only by default.
    #[error(
        "default_transaction_read_only is on for this database or role, so nothing can be written: switch it off with ALTER DATABASE … or ALTER ROLE … SET default_transaction_read_only = off"
    )]
    ReadOnly,
}

/// PostgreSQL 15, the first version with MERGE (`db::bulk::Upsert`), in the form of `server_version_num`.
const OLDEST: i32 = 150_000;

#[derive(QueryableByName)]
struct Named {
    #[diesel(sql_type = Text)]
    version: String,
}

#[derive(Debug, QueryableByName)]
struct Server {
    #[diesel(sql_type = Integer)]
    number: i32,
    #[diesel(sql_type = Text)]
    encoding: String,
}

#[derive(Debug, QueryableByName)]
struct Writes {
    #[diesel(sql_type = Bool)]
    standby: bool,
    #[diesel(sql_type = Bool)]
    read_only: bool,
}

/// Why this server cannot be used at all. Runs inside a transaction, because a pooler may change the server between two
/// transactions.
pub(super) fn of_server(pg: &mut PgConnection) -> QueryResult<Option<Unsuitable>> {
    // A query of its own: another product may not know the settings of the next one.
    let named: Named = sql_query("SELECT version() AS version").get_result(pg)?;
    if let Some(wrong) = judge_name(&named.version) {
        return Ok(Some(wrong));
    }
    let server: Server = sql_query(
        "SELECT current_setting('server_version_num')::int4 AS number, current_setting('server_encoding') AS encoding",
    )
    .get_result(pg)?;
    Ok(judge_server(&server))
}

fn judge_name(version: &str) -> Option<Unsuitable> {
    version.contains("CockroachDB").then_some(Unsuitable::Cockroach)
}

fn judge_server(Server { number, encoding }: &Server) -> Option<Unsuitable> {
    if *number < OLDEST {
        Some(Unsuitable::TooOld(number / 10_000))
    } else if !is_utf8(encoding) {
        Some(Unsuitable::Encoding(encoding.clone()))
    } else {
        None
    }
}

fn is_utf8(encoding: &str) -> bool {
    ["UTF8", "UTF-8"].iter().any(|name| encoding.eq_ignore_ascii_case(name))
}

/// Why rosterd cannot write on this server. Commands that only list also work on a standby.
pub(super) fn of_writes(pg: &mut PgConnection, hosts: usize) -> QueryResult<Option<Unsuitable>> {
    let writes: Writes = sql_query(
        "SELECT pg_is_in_recovery() AS standby, current_setting('default_transaction_read_only')::bool AS read_only",
    )
    .get_result(pg)?;
    Ok(judge_writes(&writes, hosts))
}

fn judge_writes(writes: &Writes, hosts: usize) -> Option<Unsuitable> {
    match *writes {
        Writes { standby: false, read_only: false } => None,
        _ if hosts > 1 => Some(Unsuitable::OtherHost),
        Writes { standby: true, .. } => Some(Unsuitable::Standby),
        Writes { read_only: true, .. } => Some(Unsuitable::ReadOnly),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(number: i32, encoding: &str) -> Option<Unsuitable> {
        judge_server(&Server { number, encoding: encoding.to_owned() })
    }

    #[test]
    fn a_server_is_judged_by_name_version_and_encoding() {
        let cockroach = "CockroachDB CCL v25.2.1 (x86_64-pc-linux-gnu, built 2025/06/12 12:45:51, go1.23.7)";
        assert_eq!(judge_name(cockroach), Some(Unsuitable::Cockroach));
        assert_eq!(judge_name("PostgreSQL 15.14 (Debian 15.14-0+deb12u1) on x86_64-pc-linux-gnu"), None);

        let old = judged(140_022, "UTF8").unwrap();
        assert_eq!(old.to_string(), "PostgreSQL 14 is too old: rosterd needs 15 or newer");
        assert_eq!(judged(150_000, "LATIN1"), Some(Unsuitable::Encoding("LATIN1".to_owned())));
        assert!(judged(150_000, "SQL_ASCII").is_some());
        assert_eq!(judged(150_000, "UTF8"), None);
        assert_eq!(judged(180_001, "utf-8"), None);
    }

    #[test]
    fn a_server_that_takes_no_writes_is_answered_by_what_to_change() {
        let judged = |standby, read_only, hosts| judge_writes(&Writes { standby, read_only }, hosts);
        assert_eq!(judged(false, false, 2), None);
        assert_eq!(judged(true, false, 2), Some(Unsuitable::OtherHost));
        assert_eq!(judged(false, true, 3), Some(Unsuitable::OtherHost));
        assert_eq!(judged(true, true, 1), Some(Unsuitable::Standby));
        assert_eq!(judged(false, true, 1), Some(Unsuitable::ReadOnly));
    }
}
