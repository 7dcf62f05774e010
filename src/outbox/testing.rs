//! Shared by the tests of the outbox: a database for each test, leavers, and queries.

use diesel::{Connection, ExpressionMethods, QueryDsl, RunQueryDsl, connection::SimpleConnection};

use super::{Notice, bundle::Pace, enqueue};
use crate::{
    db::{
        Conn, Database, DbError, Url,
        bulk::Rows,
        migrate::migrate,
        schema::{mails, outbox},
    },
    decide::{access::AccessCause, users::Leaver},
    runtime::clock::Timestamp,
};

/// A window of one minute and no limit of mails.
pub(crate) const PACE: Pace = Pace { window_seconds: 60, most_per_hour: 0 };

/// Seconds after noon of a fixed day.
pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(1_768_478_400_000).plus_seconds(seconds)
}

/// Runs a test on SQLite, and on the PostgreSQL server that `ROSTERD_TEST_POSTGRES_URL` names.
pub(crate) fn each_database(test: impl Fn(Database)) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("rosterd.db");
    test(migrated(&format!("sqlite://{}", file.display())));

    if cfg!(feature = "sqlite-only") {
        return;
    }
    let server = std::env::var("ROSTERD_TEST_POSTGRES_URL")
        .expect("run `tests/run`, or leave PostgreSQL out by `--features sqlite-only`");
    let name = format!("outbox_{:016x}", rand::random::<u64>());
    let mut admin = diesel::PgConnection::establish(&server).unwrap();
    admin.batch_execute(&format!("CREATE DATABASE {name}")).unwrap();
    let (host, _) = server.rsplit_once('/').unwrap();
    test(migrated(&format!("{host}/{name}")));
    admin.batch_execute(&format!("DROP DATABASE {name} WITH (FORCE)")).unwrap();
}

fn migrated(url: &str) -> Database {
    let database = Database::new(&Url::parse(url).unwrap(), 4);
    migrate(&database).unwrap();
    database
}

pub(crate) fn leave(conn: &mut Conn, people: &[&str], now: Timestamp) -> Result<(), DbError> {
    leave_tenant(conn, "org_a", people, now)
}

pub(crate) fn leave_tenant(
    conn: &mut Conn,
    tenant: &str,
    people: &[&str],
    now: Timestamp,
) -> Result<(), DbError> {
    let leaver = |person: &&str| Notice::Deprovisioned(leaver(tenant, person, now));
    let leavers: Vec<Notice> = people.iter().map(leaver).collect();
    Ok(enqueue(conn, &leavers, now)?)
}

fn leaver(tenant: &str, person: &str, now: Timestamp) -> Leaver {
    Leaver {
        tenant_id: tenant.into(),
        user_id: person.into(),
        person_id: format!("person_{person}"),
        directory_id: "directory".into(),
        name: Some(person.into()),
        email: Some(format!("{person}@customer.example")),
        since: now,
        cause: AccessCause::Person,
        succeeded: false,
        state: Some("suspended".into()),
        inbox_id: 7,
        found: false,
    }
}

/// Writes a row of `users`.
pub(crate) fn show(conn: &mut Conn, user: &str, person: &str, status: &str) -> Result<(), DbError> {
    Rows::of(&[(user, person, status)])
        .text("id", |row| row.0)
        .text("person_id", |row| row.1)
        .text("status", |row| row.2)
        .json("attributes", |_| "{}")
        .time("at", |_| Some(at(0)))
        .execute(
            conn,
            "INSERT INTO users (tenant_id, id, person_id, directory_id, status, custom_attributes, access_epoch, \
             created_at, updated_at, role_slugs, digest) \
             SELECT 'org_a', r.id, r.person_id, 'directory', r.status, r.attributes, 1, r.at, r.at, '[]', 0 \
             FROM {rows} WHERE true",
        )?;
    Ok(())
}

pub(crate) fn mail_of(database: &Database, user: &str) -> Option<i64> {
    let notice = outbox::table.filter(outbox::user_id.eq(user)).select(outbox::mail_id);
    database.read(|conn| notice.first(conn).map_err(DbError::from)).unwrap()
}

pub(crate) fn is_notified(database: &Database, user: &str) -> bool {
    let notice = outbox::table.filter(outbox::user_id.eq(user)).select(outbox::notified_at);
    database.read(|conn| notice.first::<Option<i64>>(conn).map_err(DbError::from)).unwrap().is_some()
}

pub(crate) fn state_of(database: &Database, mail_id: i64) -> String {
    database
        .read(|conn| mails::table.find(mail_id).select(mails::state).first(conn).map_err(DbError::from))
        .unwrap()
}

/// Makes sent mails waiting again, as after a crash between the sending and the commit.
pub(crate) fn forget(conn: &mut Conn) -> Result<(), DbError> {
    diesel::update(mails::table).set(mails::state.eq("waiting")).execute(conn)?;
    Ok(())
}

/// Renames table `mails`, so that its statements fail as on a broken database; or renames it back.
pub(crate) fn hide_mails(conn: &mut Conn, hidden: bool) -> Result<(), DbError> {
    let (from, to) = if hidden { ("mails", "mails_away") } else { ("mails_away", "mails") };
    Ok(conn.batch_execute(&format!("ALTER TABLE {from} RENAME TO {to}"))?)
}
