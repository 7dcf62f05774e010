//! Bundling: a tenant's notices of one family in one time window become one mail. Its Message-ID is stored before the first
//! attempt. Several processes may bundle; each notice is in one mail only.
//!
//! When a tenant has had its hourly number of mails, its notices wait for the next hour and become one mail then. Urgent
//! notices do not wait.

use std::collections::HashMap;

use diesel::{
    QueryResult, QueryableByName, RunQueryDsl, sql_query,
    sql_types::{BigInt, Bool, Text},
};

use super::kind::Family;
use crate::{
    db::{Conn, bulk::Rows, on_each},
    runtime::clock::Timestamp,
};

/// How long notices wait while a directory of their tenant is recomputed, so that one mail reports all its people: this
/// number of windows, but at least this number of seconds.
const REFRESH_WINDOWS: i64 = 10;
const REFRESH_SECONDS: i64 = 600;

/// The key of the advisory lock, which allows one bundler at a time: "bundle" in ASCII.
const BUNDLER_LOCK: i64 = 0x6275_6e64_6c65;

/// The rate of mails to one tenant.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// How long notices of a tenant wait for others before they become a mail.
    pub window_seconds: u32,
    /// The highest number of mails in an hour, holds not counted; 0 for no limit.
    pub most_per_hour: u32,
}

struct NewMail {
    due: Due,
    message_id: String,
    due_at: Timestamp,
}

/// A bundle of notices that should become a mail now.
#[derive(Debug, QueryableByName)]
pub struct Due {
    #[diesel(sql_type = Text)]
    tenant_id: String,
    #[diesel(sql_type = Text)]
    bundle: String,
    /// Mails of the tenant in the last hour.
    #[diesel(sql_type = BigInt)]
    recent: i64,
}

/// Bundles whose oldest notice is as old as the window; at most `most`. Cheap when no notice waits.
pub fn due(conn: &mut Conn, now: Timestamp, pace: Pace, most: usize) -> QueryResult<Vec<Due>> {
    let window = i64::from(pace.window_seconds);
    let patience = window.saturating_mul(REFRESH_WINDOWS).max(REFRESH_SECONDS);
    let urgent = format!("o.bundle LIKE '{}:%'", Family::Held.name());
    // CROSS JOIN makes SQLite start with the few recompute jobs and not with all claims.
    let sql = format!(
        "SELECT w.tenant_id, w.bundle, CASE WHEN w.urgent THEN 0 ELSE (SELECT COUNT(*) FROM mails m \
         WHERE m.tenant_id = w.tenant_id AND m.created_at > {} AND m.state <> 'needless' \
         AND m.bundle NOT LIKE '{}:%') END AS recent FROM (\
         SELECT o.tenant_id, o.bundle, {urgent} AS urgent, MIN(o.created_at) AS oldest FROM outbox o \
         WHERE o.mail_id IS NULL GROUP BY o.tenant_id, o.bundle \
         HAVING {urgent} OR (MIN(o.created_at) <= {} AND (MIN(o.created_at) <= {} OR o.tenant_id NOT IN (\
         SELECT c.tenant_id FROM recompute_jobs f CROSS JOIN claims c \
         WHERE c.directory_id = f.directory_id AND c.tenant_id IS NOT NULL)))) w \
         ORDER BY w.oldest, w.tenant_id, w.bundle",
        now.plus_seconds(-3_600).micros(),
        Family::Held.name(),
        now.plus_seconds(-window).micros(),
        now.plus_seconds(-patience).micros(),
    );
    let due: Vec<Due> = on_each!(conn, |c| sql_query(&sql).load(c))?;
    let mut due = within(due, pace.most_per_hour);
    due.truncate(most);
    Ok(due)
}

/// Removes the bundles that exceed their tenant's hourly number of mails.
fn within(due: Vec<Due>, most_per_hour: u32) -> Vec<Due> {
    let mut made: HashMap<String, i64> = HashMap::new();
    let fits = |due: &Due| {
        if most_per_hour == 0 || Family::of_bundle(&due.bundle).is_some_and(Family::is_urgent) {
            return true;
        }
        let made = made.entry(due.tenant_id.clone()).or_default();
        let fits = due.recent + *made < i64::from(most_per_hour);
        *made += i64::from(fits);
        fits
    };
    let mut fits = fits;
    due.into_iter().filter(|due| fits(due)).collect()
}

/// Makes one mail for each bundle that is due, with all its waiting notices. Returns the number of new mails.
pub fn bundle(conn: &mut Conn, now: Timestamp, pace: Pace, most: usize, domain: &str) -> QueryResult<usize> {
    if !take_lock(conn)? {
        return Ok(0);
    }
    let new = |due: Due| NewMail {
        message_id: message_id(domain),
        // Urgent mails are sent before all others, also when the mail server is slow.
        due_at: match Family::of_bundle(&due.bundle) {
            Some(family) if family.is_urgent() => Timestamp::from_micros(0),
            _ => now,
        },
        due,
    };
    let mails: Vec<NewMail> = due(conn, now, pace, most)?.into_iter().map(new).collect();
    Rows::of(&mails)
        .text("tenant_id", |mail| &mail.due.tenant_id)
        .text("bundle", |mail| &mail.due.bundle)
        .text("message_id", |mail| &mail.message_id)
        .integer("due_at", |mail| mail.due_at.micros())
        .integer("created_at", |_| now.micros())
        .execute(
            conn,
            "INSERT INTO mails (tenant_id, bundle, message_id, state, attempts, due_at, created_at) \
             SELECT r.tenant_id, r.bundle, r.message_id, 'waiting', 0, r.due_at, r.created_at \
             FROM {rows} WHERE true",
        )?;
    Rows::of(&mails).text("message_id", |mail| &mail.message_id).execute(
        conn,
        "UPDATE outbox SET mail_id = m.id FROM {rows} JOIN mails m ON m.message_id = r.message_id \
         WHERE outbox.tenant_id = m.tenant_id AND outbox.bundle = m.bundle AND outbox.mail_id IS NULL",
    )?;
    Ok(mails.len())
}

/// Takes the bundler's lock. Returns false while another process has it. On SQLite the write transaction is enough.
fn take_lock(conn: &mut Conn) -> QueryResult<bool> {
    #[derive(QueryableByName)]
    struct Lock {
        #[diesel(sql_type = Bool)]
        mine: bool,
    }
    let Conn::Postgres(pg) = conn else { return Ok(true) };
    let lock: Lock = sql_query("SELECT pg_try_advisory_xact_lock($1) AS mine")
        .bind::<BigInt, _>(BUNDLER_LOCK)
        .get_result(pg)?;
    Ok(lock.mine)
}

/// A new Message-ID. It is random, so that two installations with one sender domain never use the same.
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
            testing::{PACE, at, each_database, leave, leave_tenant, mail_of},
        },
    };

    fn bundle_at(database: &Database, seconds: i64) -> usize {
        database
            .write(|conn| bundle(conn, at(seconds), PACE, 10, "rosterd.example").map_err(DbError::from))
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
            assert_eq!(mail.leavers.len(), 3);
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
                .write_serialized(|conn| {
                    leave(conn, &["ada"], at(0))?;
                    crate::tables::claims::insert_missing(conn, &[("directory".into(), "org_a".into(), 0)])?;
                    on_each!(&mut **conn, |c| sql_query("UPDATE claims SET tenant_id = 'org_a'").execute(c))?;
                    crate::tables::recompute_jobs::request(conn, &["directory".into()]).map_err(DbError::from)
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
                            let run = |conn: &mut Conn| bundle(conn, at(60), PACE, 7, "rosterd.example");
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
