//! What a PostgreSQL server must be, before anything is kept there; what else speaks its protocol is refused by name, or by
//! what it does.

use diesel::{
    PgConnection, QueryResult, QueryableByName, RunQueryDsl, sql_query,
    sql_types::{Bool, Integer, Text},
};

/// Why a server is refused; told to the operator as it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsuitable {
    #[error(
        "the server is CockroachDB: its advisory locks do nothing, so changes could not take turns; use PostgreSQL 15 or newer, or SQLite"
    )]
    Cockroach,
    #[error("PostgreSQL {0} is too old: rosterd needs 15 or newer")]
    TooOld(i32),
    #[error(
        "the encoding of the database is {0}, which cannot hold every name: make one by CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0, and move the data there"
    )]
    Encoding(String),
    #[error(
        "a pooler in transaction mode is between rosterd and PostgreSQL: statements, settings and locks of several programs would mix there; set it to session mode for rosterd (pgbouncer: pool_mode=session), or let DATABASE_URL name the server itself"
    )]
    TransactionPooling,
    #[error(
        "two connections do not see each other's advisory locks: they lead to different servers, or the server has no such locks; let DATABASE_URL name one PostgreSQL server"
    )]
    NoLocks,
    #[error(
        "the first host of DATABASE_URL that answers is read-only: add target_session_attrs=read-write to DATABASE_URL, so that the host that takes writes is found"
    )]
    OtherHost,
    #[error("the server is a standby, which takes no writes: let DATABASE_URL name the primary server")]
    Standby,
    #[error(
        "default_transaction_read_only is on for this database or role, so nothing can be written: turn it off by ALTER DATABASE … or ALTER ROLE … SET default_transaction_read_only = off"
    )]
    ReadOnly,
}

/// The first with MERGE (`db::bulk::Upsert`), as PostgreSQL counts its versions.
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

/// What is wrong with any use of this server. Inside a transaction, as behind a pooler nothing else stays on one server.
pub(super) fn of_server(pg: &mut PgConnection) -> QueryResult<Option<Unsuitable>> {
    // Alone, as another product may not know the settings.
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

/// What keeps rosterd from writing there. A standby is good enough for lists.
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
