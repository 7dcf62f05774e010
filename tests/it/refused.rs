//! The application shares the database: a row of the application that refuses, locks or breaks a change delays nothing
//! else.

use std::time::{Duration, Instant};

use diesel::{Connection, PgConnection, connection::SimpleConnection};
use rosterd::{
    apply::{
        refused_deliveries,
        refused_entities::{self, Retried},
    },
    db::DbError,
    operator::{
        holds::Verdict,
        rebuild::{Difference, Rebuild, RowChange},
    },
    tables::host_tables::{GROUPS, ROLES, USERS},
};
use serde_json::{Value, json};

#[cfg(feature = "failpoints")]
use crate::harness::process::Served;
use crate::{
    harness::{
        Backend, TestApp, TestDatabase, both,
        broker::{directory, event, group, organization, user, with},
    },
    holds::decide,
};

fn execute(app: &TestApp, sql: &str) {
    app.database().write::<_, DbError>(|conn| Ok(conn.batch_execute(sql)?)).unwrap();
}

/// The application refuses a row of this user without access.
pub(crate) fn refuse(app: &TestApp, id: &str) {
    execute(
        app,
        &match app.store {
            TestDatabase::Sqlite(_) => format!(
                "CREATE TRIGGER host BEFORE UPDATE ON users WHEN NEW.id = '{id}' AND NEW.status = 'inactive' \
                 BEGIN SELECT RAISE(ABORT, 'not this one'); END"
            ),
            TestDatabase::Postgres { .. } => format!(
                "CREATE FUNCTION host() RETURNS trigger AS $$ BEGIN IF NEW.id = '{id}' AND NEW.status = 'inactive' THEN \
                 RAISE EXCEPTION 'not this one'; END IF; RETURN NEW; END $$ LANGUAGE plpgsql; \
                 CREATE TRIGGER host BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION host()"
            ),
        },
    );
}

fn allow(app: &TestApp) {
    let on_users = if matches!(app.store, TestDatabase::Sqlite(_)) { "" } else { " ON users" };
    execute(app, &format!("DROP TRIGGER host{on_users}"));
}

/// A user of directory `dir_a` or `dir_b`, which belong to `org_a` and `org_b`.
pub(crate) fn of(side: &str, data: Value) -> Value {
    with(data, json!({"directory_id": format!("dir_{side}"), "organization_id": format!("org_{side}")}))
}

fn connected(side: &str) -> Vec<Value> {
    vec![
        event(&format!("o_{side}"), "organization.created", 0, organization(&format!("org_{side}"), 0)),
        event(
            &format!("d_{side}"),
            "dsync.activated",
            0,
            directory(&format!("dir_{side}"), &format!("org_{side}"), 0),
        ),
    ]
}

pub(crate) fn beginning(app: &TestApp, people: usize) {
    for side in ["a", "b"] {
        app.play(&connected(side));
        let created = |n| {
            let data = of(side, user(&format!("{side}{n:02}"), "active", 1));
            event(&format!("created_{side}{n}"), "dsync.user.created", 1, data)
        };
        app.play(&(0..people).map(created).collect::<Vec<_>>());
    }
}

pub(crate) fn deleted(side: &str) -> Value {
    let data = directory(&format!("dir_{side}"), &format!("org_{side}"), 9);
    event(&format!("deleted_{side}"), "dsync.deleted", 9, data)
}

fn active(app: &TestApp) -> Vec<String> {
    let rows = app.rows(USERS);
    let active = rows.iter().filter(|row| row["status"] == "active");
    active.map(|row| row["id"].as_str().unwrap().to_owned()).collect()
}

fn attempts(app: &TestApp) -> Vec<(String, i64)> {
    let pending = app
        .database()
        .read::<_, DbError>(|conn| {
            Ok(rosterd::inbox::listing::list(
                conn,
                Some(rosterd::inbox::listing::DeliveryState::Pending),
                100,
            )?)
        })
        .unwrap();
    pending.into_iter().map(|entry| (entry.event, i64::from(entry.attempts))).collect()
}

both! {
    fn one_user_whom_the_host_refuses_to_let_go_keeps_no_deleted_directory_waiting(app) {
        beginning(app, 5);
        refuse(app, "a02");

        app.play(&[deleted("a"), deleted("b")]);

        assert_eq!(active(app), ["a02"]);
        assert_eq!(app.get("/readyz").json()["recomputes"], 0);
        assert_eq!(app.get("/readyz").json()["refused"]["count"], 1);
        assert!(app.get("/metrics").body.contains("rosterd_changes_refused 1"));
        assert_eq!(app.noticed("delivery_given_up").len(), 1);

        // The change is tried again, and not reported again.
        app.clock.advance_seconds(60);
        app.drain();
        assert_eq!((active(app).len(), app.noticed("delivery_given_up").len()), (1, 1));
        allow(app);
        app.clock.advance_seconds(60);
        let retried = refused_entities::step(app.database(), &app.config.rules(), app.clock.now()).unwrap();
        assert_eq!(retried, Retried { applied: 1, leavers: 1, notices: 1 });
        assert_eq!(active(app), Vec::<String>::new());
        assert_eq!(app.get("/readyz").json()["refused"]["count"], 0);
    }
}

both! {
    fn a_mapping_that_the_database_refuses_for_one_person_is_applied_later_and_reports_only_the_leaver(app) {
        beginning(app, 5);
        crate::roles::apply(app, "[roles.member]\nprivileged = true\n");
        refuse(app, "a02");
        crate::roles::apply(app, "unmapped = \"no_access\"\nunknown_roles = \"ignore\"\n[roles.other]\n");
        assert_eq!(active(app), ["a02"]);
        let before = app.noticed("deprovisioned").len();

        allow(app);
        app.clock.advance_seconds(60);
        app.drain();

        assert_eq!(active(app), Vec::<String>::new());
        assert_eq!(app.noticed("deprovisioned")[before..], ["a02".to_owned()]);
        // The administrators are notified of the whole mapping's effects.
        assert_eq!(app.noticed("privileged_lost"), Vec::<String>::new());
    }
}

both! {
    fn a_directory_that_fails_is_next_only_after_all_others(app) {
        beginning(app, 5);
        refuse(app, "a00");
        app.deliver(&deleted("a"));
        app.deliver(&deleted("b"));

        // One step to apply, one to record the refusal, one for the other directory.
        app.applier.step().unwrap();
        app.applier.step().unwrap();
        app.applier.step().unwrap();

        assert_eq!(active(app), ["a00", "a01", "a02", "a03", "a04"]);
        allow(app);
        app.clock.advance_seconds(60);
        app.drain();
        assert_eq!(active(app), Vec::<String>::new());
    }
}

both! {
    fn an_approved_hold_is_done_but_for_the_one_whom_the_host_refuses(app) {
        beginning(app, 30);
        for side in ["a", "b"] {
            let update = |n| {
                let data = of(side, user(&format!("{side}{n:02}"), "inactive", 9));
                event(&format!("said_{side}{n}"), "dsync.user.updated", 9, data)
            };
            app.play(&(0..20).map(update).collect::<Vec<_>>());
        }
        assert_eq!(active(app).len(), 60);
        refuse(app, "a02");

        decide(app, 1, Verdict::Approve, &[]);
        decide(app, 2, Verdict::Approve, &[]);

        assert_eq!((active(app).len(), active(app).contains(&"a02".to_owned())), (21, true));
        assert_eq!(app.get("/readyz").json()["refused"]["count"], 1);
        allow(app);
        app.clock.advance_seconds(60);
        app.drain();
        assert_eq!(active(app).len(), 20);
        assert_eq!(app.get("/readyz").json()["refused"]["count"], 0);
    }
}

both! {
    fn a_group_that_the_hosts_key_keeps_lets_the_people_of_its_directory_go(app) {
        beginning(app, 3);
        app.play(&[event("g", "dsync.group.created", 1, of("a", group("g1", 1)))]);
        execute(app, "CREATE TABLE host_group (tenant_id TEXT, id TEXT, FOREIGN KEY (tenant_id, id) REFERENCES groups (tenant_id, id)); \
             INSERT INTO host_group SELECT tenant_id, id FROM groups");

        app.play(&[deleted("a"), deleted("b")]);

        assert_eq!(active(app), Vec::<String>::new());
        assert_eq!(app.brief(GROUPS, &["id"]), ["g1"]);
        execute(app, "DROP TABLE host_group");
        app.clock.advance_seconds(60);
        app.drain();
        assert_eq!(app.brief(GROUPS, &["id"]), Vec::<String>::new());
    }
}

fn left(side: &str, n: usize) -> Value {
    let data = of(side, user(&format!("{side}{n:02}"), "active", 1));
    event(&format!("left_{side}{n}"), "dsync.user.deleted", 9, data)
}

#[test]
#[cfg_attr(feature = "sqlite-only", ignore = "PostgreSQL is left out")]
fn a_user_whom_the_host_has_locked_is_waited_for_alone() {
    let app = TestApp::start(Backend::Postgres, |_config| {});
    beginning(&app, 4);
    let mut host = PgConnection::establish(&app.store.url()).unwrap();
    host.batch_execute("BEGIN; SELECT 1 FROM rosterd.users WHERE id = 'a00' FOR UPDATE").unwrap();

    let begun = Instant::now();
    app.deliver(&left("a", 0));
    app.deliver(&left("b", 0));
    app.drain();
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    assert!(!active(&app).contains(&"b00".to_owned()));
    assert_eq!(attempts(&app), [("left_a0".to_owned(), 0)]);

    // The same in a recomputation.
    app.play(&[deleted("b")]);
    app.play(&[deleted("a")]);
    assert_eq!(active(&app), ["a00"]);
    assert_eq!(app.noticed("delivery_given_up"), Vec::<String>::new());

    host.batch_execute("COMMIT").unwrap();
    app.clock.advance_seconds(5);
    app.drain();
    assert_eq!((active(&app), attempts(&app)), (vec![], vec![]));
}

/// Everything fails, with an unknown message.
fn break_the_database(app: &TestApp) {
    execute(
        app,
        match app.store {
            TestDatabase::Sqlite(_) => "ALTER TABLE user_roles RENAME TO away",
            TestDatabase::Postgres { .. } => {
                "CREATE FUNCTION closed() RETURNS trigger AS $$ BEGIN RAISE EXCEPTION 'keine Berechtigung' \
                 USING ERRCODE = '42501'; END $$ LANGUAGE plpgsql; \
                 CREATE TRIGGER closed BEFORE UPDATE ON users FOR EACH STATEMENT EXECUTE FUNCTION closed()"
            }
        },
    );
}

fn mend(app: &TestApp) {
    execute(
        app,
        match app.store {
            TestDatabase::Sqlite(_) => "ALTER TABLE away RENAME TO user_roles",
            TestDatabase::Postgres { .. } => "DROP TRIGGER closed ON users",
        },
    );
}

both! {
    fn a_fault_of_the_database_makes_no_dead_letter(app) {
        beginning(app, 8);
        break_the_database(app);
        for n in 0..8 {
            app.deliver(&left("a", n));
        }
        app.deliver(&deleted("b"));
        for _ in 0..30 {
            app.clock.advance_seconds(60);
            drop(app.applier.step());
        }
        assert!(attempts(app).iter().all(|(_, attempts)| *attempts == 0), "{:?}", attempts(app));
        assert_eq!((attempts(app).len(), active(app).len()), (9, 16));

        mend(app);
        app.drain();

        assert_eq!((active(app), attempts(app)), (vec![], vec![]));
    }
}

both! {
    fn all_dead_letters_of_one_reason_are_retried_at_once(app) {
        app.play(&connected("a"));
        execute(app, "CREATE UNIQUE INDEX host_name ON users (tenant_id, first_name)");
        let created = |n: usize| event(&format!("c{n}"), "dsync.user.created", 1, of("a", user(&format!("a{n}"), "active", 1)));
        app.play(&(0..5).map(created).collect::<Vec<_>>());
        assert_eq!(active(app).len(), 1);
        execute(app, "DROP INDEX host_name");

        let retry = |reason: &'static str| app.database().write_serialized::<_, DbError>(|conn| Ok(rosterd::inbox::dead_letters::retry_all(conn, Some(reason))?.len())).unwrap();
        assert_eq!((retry("not_understood"), retry("refused")), (0, 4));
        app.drain();

        assert_eq!(active(app).len(), 5);
    }
}

/// The host allows one leaver of directory `a` and refuses the next.
fn refuse_a_second_leaver(app: &TestApp) {
    execute(
        app,
        "CREATE UNIQUE INDEX one_leaver ON users (tenant_id, status) WHERE status = 'inactive' AND tenant_id = 'org_a'",
    );
}

fn allow_leavers(app: &TestApp) {
    execute(app, "DROP INDEX one_leaver");
}

/// The dead letters: (event, attempts, detail).
fn dead(app: &TestApp) -> Vec<(String, i16, String)> {
    let dead = app.database().read::<_, DbError>(|conn| {
        Ok(rosterd::inbox::listing::list(conn, Some(rosterd::inbox::listing::DeliveryState::Dead), 100)?)
    });
    let dead = dead.unwrap().into_iter();
    dead.map(|one| (one.event, one.attempts, one.detail.unwrap_or_default())).collect()
}

/// The metric of applied deliveries.
fn applied(app: &TestApp) -> u64 {
    let metrics = app.get("/metrics").body;
    let line = metrics.lines().find_map(|line| line.strip_prefix("rosterd_applied_total "));
    line.unwrap().parse().unwrap()
}

both! {
    fn a_leavers_own_event_that_the_host_refuses_is_applied_soon_after_the_host_has_corrected_its_constraint(app) {
        beginning(app, 3);
        refuse_a_second_leaver(app);
        app.play(&[left("a", 2), left("a", 1)]);
        assert_eq!(active(app), ["a00", "a01", "b00", "b01", "b02"]);
        let reported = app.noticed("delivery_given_up");
        assert_eq!(reported.len(), 1);

        // Days of attempts: one dead letter, as old as it is, reported once.
        for _ in 0..20 {
            app.clock.advance_seconds(600);
            app.drain();
        }
        let [(event, attempts, detail)] = <[_; 1]>::try_from(dead(app)).unwrap();
        assert_eq!(event, "left_a1");
        assert_eq!(attempts, 21, "{detail}");
        assert!(detail.to_lowercase().contains("unique"), "{detail}");
        assert_eq!(app.noticed("delivery_given_up"), reported);
        let standing = app.get("/readyz").json()["dead_letters"].clone();
        assert_eq!(standing["count"], 1);
        assert_eq!(standing["oldest_seconds"].as_f64(), Some(12_000.0));

        allow_leavers(app);
        let applied = applied(app);
        app.clock.advance_seconds(600);
        app.drain();

        assert_eq!(active(app), ["a00", "b00", "b01", "b02"]);
        assert_eq!(dead(app), []);
        assert_eq!(self::applied(app), applied + 1, "the retried delivery is counted");
        assert!(app.noticed("deprovisioned").contains(&"a01".to_owned()));
        assert_eq!(rebuilt(app), 0);
    }
}

#[test]
fn a_retried_delivery_that_is_refused_for_another_reason_is_counted_as_a_dead_letter() {
    for backend in Backend::offered() {
        let app = TestApp::start(backend, |_config| {});
        beginning(&app, 2);
        refuse_a_second_leaver(&app);
        app.play(&[left("a", 0), left("a", 1)]);
        let counted = |reason: &str| {
            let sample = format!("rosterd_dead_lettered_total{{reason=\"{reason}\"}} ");
            let metrics = app.get("/metrics").body;
            let line = metrics.lines().find_map(|line| line.strip_prefix(&sample)).map(str::to_owned);
            line.unwrap()
        };
        assert_eq!((counted("refused"), counted("other_tenant")), ("1".to_owned(), "0".to_owned()));

        // Meanwhile the directory belongs to somebody else.
        execute(
            &app,
            "UPDATE claims SET organization_id = 'org_b', tenant_id = 'org_b' WHERE directory_id = 'dir_a'",
        );
        app.clock.advance_seconds(60);
        app.drain();

        assert_eq!((counted("refused"), counted("other_tenant")), ("1".to_owned(), "1".to_owned()));
    }
}

/// Runs `rosterd serve` on the database of the test until it dies at this point.
#[cfg(feature = "failpoints")]
fn die_at(app: &TestApp, point: &str) {
    use std::os::unix::process::ExitStatusExt;

    let served = Served::try_start(|command| {
        command.env("DATABASE_URL", app.store.url()).env("ROSTERD_FAIL_AT", point);
    });
    let status = served.map_or_else(|(status, _)| status, |served| served.end().0);
    assert_eq!(status.signal(), Some(6), "{point}: {status}");
}

// The time of the test is long past, so the dead letter is due for a process with the real clock.
#[cfg(feature = "failpoints")]
both! {
    fn a_process_that_dies_in_a_retry_has_applied_the_delivery_once_or_tries_it_again(app) {
        beginning(app, 3);
        refuse_a_second_leaver(app);
        app.play(&[left("a", 2), left("a", 1)]);
        allow_leavers(app);
        assert_eq!(dead(app).len(), 1);

        die_at(app, "retrying");
        assert_eq!((dead(app).len(), active(app).contains(&"a01".to_owned())), (1, true), "nothing is half done");
        die_at(app, "retried");
        assert_eq!((dead(app).len(), active(app).contains(&"a01".to_owned())), (0, false));
        let noticed = || app.noticed("deprovisioned").into_iter().filter(|user| user == "a01").count();
        assert_eq!(noticed(), 1);

        drop(Served::on(&app.store));
        app.clock.advance_seconds(3_600);
        app.drain();
        assert_eq!((noticed(), dead(app).len()), (1, 0));
    }
}

both! {
    fn a_refused_delivery_that_the_operator_discards_is_not_tried_again(app) {
        beginning(app, 2);
        refuse_a_second_leaver(app);
        app.play(&[left("a", 0), left("a", 1)]);
        let id = app.database().read::<_, DbError>(|conn| Ok(rosterd::inbox::listing::list(conn, None, 1)?[0].id)).unwrap();
        let now = app.clock.now();
        let discarded = app.database().write_serialized::<_, DbError>(|conn| Ok(rosterd::inbox::dead_letters::discard(conn, id, "an exercise", now)?));
        assert!(discarded.unwrap());

        allow_leavers(app);
        app.clock.advance_seconds(3_600);
        app.drain();

        assert!(active(app).contains(&"a01".to_owned()));
        assert_eq!(app.inbox().into_iter().find(|(event, _)| event == "left_a1").unwrap().1, "discarded");
    }
}

both! {
    fn a_group_whose_deletion_the_hosts_key_refuses_is_deleted_when_the_key_is_gone(app) {
        beginning(app, 1);
        app.play(&[event("g", "dsync.group.created", 1, of("a", group("g1", 1)))]);
        execute(app, "CREATE TABLE host_group (tenant_id TEXT, id TEXT, FOREIGN KEY (tenant_id, id) REFERENCES groups (tenant_id, id)); \
             INSERT INTO host_group SELECT tenant_id, id FROM groups");

        app.play(&[event("gone", "dsync.group.deleted", 2, of("a", group("g1", 2)))]);

        assert_eq!(app.brief(GROUPS, &["id"]), ["g1"]);
        assert_eq!(dead(app).len(), 1);
        execute(app, "DROP TABLE host_group");
        app.clock.advance_seconds(60);
        app.drain();
        assert_eq!(app.brief(GROUPS, &["id"]), Vec::<String>::new());
        assert_eq!(dead(app), []);
    }
}

both! {
    fn a_failure_of_the_database_is_no_attempt_of_a_refused_delivery(app) {
        beginning(app, 2);
        refuse_a_second_leaver(app);
        app.play(&[left("a", 0), left("a", 1)]);
        allow_leavers(app);
        break_the_database(app);

        app.clock.advance_seconds(60);
        assert!(refused_deliveries::step(app.database(), &app.config.rules(), app.clock.now()).is_err());
        assert_eq!(dead(app)[0].1, 1);

        mend(app);
        app.drain();
        assert_eq!(dead(app), []);
    }
}

fn rebuild(app: &TestApp, dry_run: bool) -> Vec<Difference> {
    let wanted = Rebuild { rules: &app.config.rules(), tenant: None, dry_run, by: "test" };
    rosterd::operator::rebuild::rebuild(app.database(), wanted, app.clock.now()).unwrap()
}

/// The number of rows that differ from the log.
fn rebuilt(app: &TestApp) -> usize {
    rebuild(app, true).len()
}

both! {
    fn a_row_that_the_hosts_key_keeps_in_the_wrong_tenant_loses_access_and_blocks_nothing(app) {
        let nobodys = |id: &str, kind: &str, seconds| {
            event(&format!("{kind}_{id}_{seconds}"), kind, seconds, with(user(id, "active", seconds), json!({"organization_id": null})))
        };
        app.play(&[nobodys("u1", "dsync.user.created", 1), nobodys("u2", "dsync.user.created", 1)]);
        execute(app, "CREATE TABLE host_user (tenant_id TEXT, id TEXT, FOREIGN KEY (tenant_id, id) REFERENCES users (tenant_id, id)); \
             INSERT INTO host_user SELECT tenant_id, id FROM users WHERE id = 'u1'");
        assert_eq!(app.brief(USERS, &["id", "status"]), ["u1 active", "u2 active"]);

        app.play(&[event("d", "dsync.activated", 2, directory("dir_1", "org_1", 2))]);

        let rows = || {
            let mut rows = app.brief(USERS, &["id", "tenant_id", "status"]);
            rows.sort();
            rows
        };
        assert_eq!(rows(), ["u1 default inactive", "u1 org_1 active", "u2 org_1 active"]);
        app.play(&[nobodys("u1", "dsync.user.deleted", 9)]);
        assert_eq!(rows(), ["u1 default inactive", "u1 org_1 inactive", "u2 org_1 active"]);
        assert_eq!(attempts(app), []);
        assert!(app.get("/metrics").body.contains("rosterd_dead_letters 0"));

        // A rebuild knows the row and repairs all others.
        execute(app, "UPDATE users SET email = 'wrong@acme.example' WHERE id = 'u2'");
        let [retained, wrong] = <[_; 2]>::try_from(rebuild(app, false)).unwrap();
        assert_eq!(retained.change, RowChange::Retained);
        assert_eq!(retained.key, ["default", "u1"]);
        assert!(retained.refused.is_some());
        assert_eq!(wrong.key, ["org_1", "u2"]);
        assert_eq!(rebuilt(app), 1);

        execute(app, "DROP TABLE host_user");
        app.play(&[nobodys("u1", "dsync.user.deleted", 10)]);
        assert_eq!(rows(), ["u1 org_1 inactive", "u2 org_1 active"]);
        assert_eq!(rebuilt(app), 0);
    }
}

both! {
    fn a_rebuild_repairs_all_rows_but_those_that_the_hosts_constraint_refuses(app) {
        beginning(app, 3);
        execute(app, "UPDATE users SET job_title = 'wrong' WHERE id IN ('a00', 'a01', 'b02')");
        // Of these two, the second is refused.
        execute(app, "CREATE UNIQUE INDEX odd ON users (tenant_id) WHERE id IN ('a00', 'a01') AND job_title IS NULL");

        let differences = rebuild(app, false);

        let refused: Vec<_> = differences.iter().filter(|one| one.refused.is_some()).map(|one| one.key[1].as_str()).collect();
        assert_eq!(refused, ["a01"]);
        assert_eq!(differences.len(), 3);
        assert_eq!(rebuild(app, true).len(), 1);

        execute(app, "DROP INDEX odd");
        assert_eq!(rebuild(app, false).len(), 1);
        assert_eq!(rebuilt(app), 0);
    }
}

both! {
    fn a_role_that_the_hosts_key_keeps_in_the_list_blocks_no_mapping_and_nobody_has_it(app) {
        crate::roles::apply(app, "[roles.member]\n[roles.old]\n");
        beginning(app, 2);
        execute(app, "CREATE TABLE host_role (tenant_id TEXT, slug TEXT, FOREIGN KEY (tenant_id, slug) REFERENCES roles (tenant_id, slug)); \
             INSERT INTO host_role SELECT tenant_id, slug FROM roles WHERE slug = 'old' AND tenant_id = 'org_a'");

        crate::roles::apply(app, "[roles.member]\n[roles.new]\n");

        assert_eq!(app.brief(ROLES, &["tenant_id", "slug"]), ["org_a member", "org_a new", "org_a old", "org_b member", "org_b new"]);
        execute(app, "DROP TABLE host_role");
        crate::roles::apply(app, "[roles.member]\n[roles.newest]\n");
        assert_eq!(app.brief(ROLES, &["tenant_id", "slug"]), ["org_a member", "org_a newest", "org_b member", "org_b newest"]);
    }
}
