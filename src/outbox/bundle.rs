//! Bundling: the notices that a tenant has gathered in a window become one mail, with a Message-ID that is kept before
//! the first attempt. However many processes bundle, a notice is in one mail.

use diesel::{
    QueryResult, QueryableByName, RunQueryDsl, sql_query,
    sql_types::{BigInt, Bool, Text},
};

use crate::{
    clock::Timestamp,
    db::{Conn, bulk::Rows, on_each},
};

/// For each window, how many windows to wait for a directory that is still being taken down, so that it is told in one
/// mail; and at least so many seconds.
const REFRESH_WINDOWS: i64 = 10;
const REFRESH_SECONDS: i64 = 600;

/// One bundler at a time: "bundle" in ASCII, for nobody else in this database.
const TURN: i64 = 0x6275_6e64_6c65;

struct NewMail {
    tenant_id: String,
    message_id: String,
}

#[derive(QueryableByName)]
struct Due {
    #[diesel(sql_type = Text)]
    tenant_id: String,
}

/// Tenants whose oldest notice is as old as the window, at most `most` of them. Costs nothing when no notice waits.
pub fn due(conn: &mut Conn, now: Timestamp, window_seconds: u32, most: usize) -> QueryResult<Vec<String>> {
    let window = i64::from(window_seconds);
    let patience = window.saturating_mul(REFRESH_WINDOWS).max(REFRESH_SECONDS);
    // CROSS JOIN, so that SQLite starts from the few refreshes and not from all claims.
    let sql = format!(
        "SELECT o.tenant_id FROM outbox o WHERE o.mail_id IS NULL GROUP BY o.tenant_id \
         HAVING MIN(o.created_at) <= {} AND (MIN(o.created_at) <= {} OR o.tenant_id NOT IN (\
         SELECT c.tenant_id FROM refreshes f CROSS JOIN claims c \
         WHERE c.directory_id = f.directory_id AND c.tenant_id IS NOT NULL)) \
         ORDER BY MIN(o.created_at), o.tenant_id LIMIT {most}",
        now.plus_seconds(-window).micros(),
        now.plus_seconds(-patience).micros(),
    );
    let due: Vec<Due> = on_each!(conn, |c| sql_query(&sql).load(c))?;
    Ok(due.into_iter().map(|due| due.tenant_id).collect())
}

/// One mail for each tenant that is due, with all its waiting notices. Returns how many mails were made.
pub fn bundle(
    conn: &mut Conn,
    now: Timestamp,
    window_seconds: u32,
    most: usize,
    domain: &str,
) -> QueryResult<usize> {
    if !take_turn(conn)? {
        return Ok(0);
    }
    let mails: Vec<NewMail> = due(conn, now, window_seconds, most)?
        .into_iter()
        .map(|tenant_id| NewMail { tenant_id, message_id: message_id(domain) })
        .collect();
    Rows::of(&mails)
        .text("tenant_id", |mail| &mail.tenant_id)
        .text("message_id", |mail| &mail.message_id)
        .integer("created_at", |_| now.micros())
        .execute(
            conn,
            "INSERT INTO mails (tenant_id, message_id, state, attempts, due_at, created_at) \
             SELECT r.tenant_id, r.message_id, 'waiting', 0, r.created_at, r.created_at FROM {rows} WHERE true",
        )?;
    Rows::of(&mails)
        .text("tenant_id", |mail| &mail.tenant_id)
        .text("message_id", |mail| &mail.message_id)
        .execute(
            conn,
            "UPDATE outbox SET mail_id = m.id FROM {rows} JOIN mails m ON m.message_id = r.message_id \
             WHERE outbox.tenant_id = r.tenant_id AND outbox.mail_id IS NULL",
        )?;
    Ok(mails.len())
}

/// False when another process bundles just now: it does the work. On SQLite the write transaction is the turn.
fn take_turn(conn: &mut Conn) -> QueryResult<bool> {
    #[derive(QueryableByName)]
    struct Turn {
        #[diesel(sql_type = Bool)]
        mine: bool,
    }
    let Conn::Postgres(pg) = conn else { return Ok(true) };
    let turn: Turn =
        sql_query("SELECT pg_try_advisory_xact_lock($1) AS mine").bind::<BigInt, _>(TURN).get_result(pg)?;
    Ok(turn.mine)
}

/// Random, so that two installations behind one sender's domain never share one.
fn message_id(domain: &str) -> String {
    format!("<rosterd.{:032x}@{domain}>", rand::random::<u128>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        db::{Database, DbError},
        outbox::{
            mails,
            testing::{at, each_database, leave, leave_tenant, mail_of},
        },
    };

    fn bundle_at(database: &Database, seconds: i64) -> usize {
        database
            .write(|conn| bundle(conn, at(seconds), 60, 10, "rosterd.example").map_err(DbError::from))
            .unwrap()
    }

    #[test]
    fn several_leavers_of_a_window_share_one_mail() {
        each_database(|database| {
            database.write(|conn| leave(conn, &["ada"], at(0))).unwrap();
            database.write(|conn| leave(conn, &["bob", "eve"], at(59))).unwrap();

            assert_eq!(bundle_at(&database, 59), 0);
            assert_eq!(bundle_at(&database, 60), 1);

            let mail = database
                .write(|conn| mails::claim(conn, at(60), 30, 10).map_err(DbError::from))
                .unwrap()
                .unwrap();
            assert_eq!(mail.told.len(), 3);
            assert!(
                mail.message_id.starts_with("<rosterd.") && mail.message_id.ends_with("@rosterd.example>")
            );
        });
    }

    #[test]
    fn a_notice_after_the_bundle_waits_for_a_mail_of_its_own() {
        each_database(|database| {
            database.write(|conn| leave(conn, &["ada"], at(0))).unwrap();
            bundle_at(&database, 60);
            database.write(|conn| leave(conn, &["bob"], at(61))).unwrap();

            assert_eq!(bundle_at(&database, 61), 0);
            assert_eq!(bundle_at(&database, 121), 1);
            assert_ne!(mail_of(&database, "ada"), mail_of(&database, "bob"));
        });
    }

    #[test]
    fn tenants_never_share_a_mail() {
        each_database(|database| {
            database.write(|conn| leave_tenant(conn, "org_a", &["ada"], at(0))).unwrap();
            database.write(|conn| leave_tenant(conn, "org_b", &["bob"], at(0))).unwrap();

            assert_eq!(bundle_at(&database, 60), 2);
            assert_ne!(mail_of(&database, "ada"), mail_of(&database, "bob"));
        });
    }

    #[test]
    fn a_directory_that_is_still_being_taken_down_is_waited_for_but_not_for_ever() {
        each_database(|database| {
            database
                .write(|conn| {
                    leave(conn, &["ada"], at(0))?;
                    crate::tables::claims::insert_missing(conn, &[("directory".into(), "org_a".into())])?;
                    on_each!(conn, |c| sql_query("UPDATE claims SET tenant_id = 'org_a'").execute(c))?;
                    crate::tables::refreshes::request(conn, &["directory".into()]).map_err(DbError::from)
                })
                .unwrap();

            assert_eq!(bundle_at(&database, 599), 0);
            assert_eq!(bundle_at(&database, 600), 1);
        });
    }

    #[test]
    fn two_bundlers_at_once_put_each_notice_into_one_mail() {
        each_database(|database| {
            for n in 0..20 {
                let tenant = format!("org_{n}");
                database.write(|conn| leave_tenant(conn, &tenant, &["ada", "bob"], at(0))).unwrap();
            }

            let made: usize = std::thread::scope(|scope| {
                let bundlers: Vec<_> = (0..4)
                    .map(|_| {
                        scope.spawn(|| {
                            let run = |conn: &mut Conn| bundle(conn, at(60), 60, 7, "rosterd.example");
                            (0..20)
                                .map(|_| database.write(|c| run(c).map_err(DbError::from)).unwrap())
                                .sum::<usize>()
                        })
                    })
                    .collect();
                bundlers.into_iter().map(|bundler| bundler.join().unwrap()).sum::<usize>()
            });

            assert_eq!(made, 20);
        });
    }
}
