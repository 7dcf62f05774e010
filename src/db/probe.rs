//! Tests whether the database works, after a failure of an unclear cause. diesel gives no SQLSTATE, and the text of a
//! message depends on the server's language (`lc_messages`). So a harmless transaction is tried: it needs each privilege
//! that applying needs, and disk space. It is always rolled back.

use diesel::{connection::SimpleConnection, result::Error};

use super::{ALONE, Conn, Database, DbError, Fault, conn::SERIALIZED_LOCK, on_each, wait_for_rows};

/// The tables that applying writes: (table, any column, rows are updated, rows are deleted). Only privileges that applying
/// needs are tested, because a careful operator may have granted no others.
const WRITTEN: [(&str, &str, bool, bool); 19] = [
    ("users", "id", true, true),
    ("groups", "id", true, true),
    ("user_roles", "role_slug", true, true),
    ("roles", "slug", true, false),
    ("directories", "id", true, false),
    ("tenants", "id", true, false),
    ("claims", "directory_id", true, false),
    ("facts", "id", true, false),
    ("memberships", "user_id", true, false),
    ("recompute_jobs", "rank", true, true),
    ("refused", "rank", false, true),
    ("inbox_queue", "attempts", true, true),
    ("directory_activity", "directory_id", true, false),
    ("audit_heads", "tenant_id", true, false),
    ("audit", "kind", false, false),
    ("changes", "kind", false, false),
    ("changes_head", "seq", true, false),
    ("outbox", "kind", false, false),
    ("role_mentions", "slug", false, false),
];

/// The tables that reception and mails write in addition.
const WRITTEN_ELSEWHERE: [(&str, &str, bool, bool); 9] = [
    ("inbox", "event_key", true, true),
    ("mails", "bundle", true, true),
    ("outbox", "kind", true, true),
    ("holds", "cause", true, false),
    ("held_users", "lost", true, true),
    ("dead_letters", "reason", true, true),
    ("scim_tokens", "name", true, false),
    ("scim_resources", "version", true, false),
    ("scim_members", "member_id", false, true),
];

/// The remedy for [`missing_privileges`].
pub const ADVICE: &str =
    "run `rosterd migrate --service ROLE` for rosterd's role, as the role that owns the tables";

enum Ended {
    Well,
    Badly(DbError),
}

impl From<DbError> for Ended {
    fn from(error: DbError) -> Self {
        Self::Badly(error)
    }
}

impl From<diesel::result::Error> for Ended {
    fn from(error: diesel::result::Error) -> Self {
        Self::Badly(error.into())
    }
}

/// Tests the database after `failure`. An error means that the database does not work. True means that it works, and that
/// the failed statement waited too long for a lock.
pub fn is_busy(database: &Database, failure: &DbError) -> Result<bool, DbError> {
    works(database)?;
    match (failure.fault(), message(failure)) {
        (Fault::Busy, _) => Ok(true),
        (Fault::Unclear, Some(failure)) => {
            Ok(!database.has_one_writer() && time_outs(database)?.iter().any(|known| known == failure))
        }
        _ => Ok(false),
    }
}

fn message(error: &DbError) -> Option<&str> {
    match error {
        DbError::Query(Error::DatabaseError(_, info)) => Some(info.message()),
        _ => None,
    }
}

/// The texts, in this server's language, of a lock time-out and a statement time-out. Both are provoked.
fn time_outs(database: &Database) -> Result<Vec<String>, DbError> {
    database.write_serialized(|_| {
        let failure_of = |sql: String| {
            let failed = database.write::<(), DbError>(|conn| run(conn, &sql));
            failed.err().and_then(|error| message(&error).map(str::to_owned))
        };
        let lock = failure_of(format!(
            "SET LOCAL lock_timeout = 1; SELECT pg_advisory_xact_lock({SERIALIZED_LOCK})"
        ));
        let statement = failure_of("SET LOCAL statement_timeout = 1; SELECT pg_sleep(0.05)".to_owned());
        Ok(lock.into_iter().chain(statement).collect())
    })
}

fn works(database: &Database) -> Result<(), DbError> {
    // Ends with an error also after success, so that it is rolled back.
    match database.write_serialized::<(), Ended>(|conn| {
        wait_for_rows(conn, ALONE)?;
        probe(conn)?;
        Err(Ended::Well)
    }) {
        Err(Ended::Badly(error)) => Err(error),
        Ok(()) | Err(Ended::Well) => Ok(()),
    }
}

/// The privileges that rosterd's role lacks on its tables, each with the error text of the database. Changes nothing.
pub fn missing_privileges(database: &Database) -> Result<Vec<String>, DbError> {
    let mut missing_privileges = Vec::new();
    let ended = database.write_serialized::<(), Ended>(|conn| {
        wait_for_rows(conn, ALONE)?;
        for (table, column, updated, deleted) in WRITTEN.into_iter().chain(WRITTEN_ELSEWHERE) {
            for (verb, sql) in statements(table, column, updated, deleted) {
                run(conn, "SAVEPOINT looked")?;
                if let Err(error) = run(conn, &sql) {
                    if error.fault() == Fault::Database || message(&error).is_none() {
                        return Err(error.into());
                    }
                    run(conn, "ROLLBACK TO SAVEPOINT looked")?;
                    missing_privileges.push(format!("{verb} on {table} ({error})"));
                }
            }
        }
        Err(Ended::Well)
    });
    match ended {
        Err(Ended::Badly(error)) => Err(error),
        Ok(()) | Err(Ended::Well) => Ok(missing_privileges),
    }
}

fn statements(table: &str, column: &str, updated: bool, deleted: bool) -> Vec<(&'static str, String)> {
    let mut statements =
        vec![("INSERT", format!("INSERT INTO {table} ({column}) SELECT {column} FROM {table} WHERE 1 = 0;"))];
    if updated {
        statements.push(("UPDATE", format!("UPDATE {table} SET {column} = {column} WHERE 1 = 0;")));
    }
    if deleted {
        statements.push(("DELETE", format!("DELETE FROM {table} WHERE 1 = 0;")));
    }
    statements
}

fn probe(conn: &mut Conn) -> Result<(), DbError> {
    for (table, column, updated, deleted) in WRITTEN {
        let statements = statements(table, column, updated, deleted);
        run(conn, &statements.into_iter().map(|(_, sql)| sql).collect::<String>())?;
    }
    // Too large for the free pages of the file, so it needs disk space.
    let noise = match conn {
        Conn::Sqlite(_) => "hex(randomblob(131072))",
        Conn::Postgres(_) => "(SELECT string_agg(md5(n::text), '') FROM generate_series(1, 8192) n)",
    };
    run(
        conn,
        &format!(
            "INSERT INTO dead_letters (inbox_id, reason, detail, attempts, died_at) VALUES (-1, 'probe', {noise}, 0, 0)"
        ),
    )
}

fn run(conn: &mut Conn, sql: &str) -> Result<(), DbError> {
    Ok(on_each!(conn, |c| c.batch_execute(sql))?)
}

#[cfg(test)]
mod tests {
    use super::{missing_privileges, works};
    use crate::{db::DbError, outbox::testing::each_database};

    #[test]
    fn a_database_in_order_works_and_keeps_nothing_of_the_probe() {
        each_database(|database| {
            works(&database).unwrap();
            works(&database).unwrap();
            assert_eq!(missing_privileges(&database).unwrap(), Vec::<String>::new());

            let dead_letters =
                database.read::<_, DbError>(|conn| Ok(crate::inbox::dead_letters::open(conn)?.0));
            assert_eq!(dead_letters.unwrap(), 0);
        });
    }
}
