//! Rebuild and retention: a replay of the log gives the same tables, and retention must not change that.

use std::collections::HashMap;

use rosterd::{
    db::{DbError, Serialized},
    feed::retention::FeedRetention,
    inbox::{
        dead_letters,
        listing::{self, DeliveryState},
    },
    operator::rebuild::{Difference, Rebuild, RowChange, rebuild},
    retention::{self, Retention},
    runtime::clock::Clock,
    tables::host_tables::{GROUP_MEMBERS, TABLES, USER_ROLES, USERS},
};
use serde_json::{Value, json};

use crate::harness::{
    Backend, TestApp, both,
    broker::{directory, event, group, membership, organization, user, with},
};

const DAYS: Retention = Retention { delivery_days: 90, event_id_days: 90, changes: FeedRetention::FOR_EVER };

fn rebuilt(app: &TestApp, dry_run: bool) -> Vec<Difference> {
    let wanted = Rebuild { rules: &app.config.rules(), tenant: None, dry_run, by: "test" };
    rebuild(app.database(), wanted, app.clock.now()).unwrap()
}

fn tables(app: &TestApp) -> Vec<Vec<serde_json::Map<String, Value>>> {
    TABLES.iter().map(|table| app.rows(*table)).collect()
}

fn execute(app: &TestApp, sql: &str) {
    use diesel::connection::SimpleConnection;
    app.database().write::<_, DbError>(|conn| Ok(conn.batch_execute(sql)?)).unwrap();
}

/// A year with all kinds of events, some of them strange.
fn life() -> Vec<Value> {
    let foreign = json!({"organization_id": "org_2"});
    vec![
        event("o1", "organization.created", 0, organization("org_1", 0)),
        event("d1", "dsync.activated", 0, directory("dir_1", "org_1", 0)),
        event(
            "e1",
            "dsync.user.created",
            1,
            with(user("u1", "active", 1), json!({"role": {"slug": "admin"}})),
        ),
        event("e2", "dsync.user.created", 1, user("u2", "active", 1)),
        event("g1", "dsync.group.created", 2, group("g1", 2)),
        event("m1", "dsync.group.user_added", 3, membership(user("u1", "active", 1), group("g1", 2))),
        event("m2", "dsync.group.user_added", 4, membership(user("u2", "active", 1), group("g1", 2))),
        event("m3", "dsync.group.user_removed", 5, membership(user("u2", "active", 1), group("g1", 2))),
        event("e3", "dsync.user.updated", 6, with(user("u1", "active", 6), json!({"job_title": "Pilot"}))),
        event("e4", "dsync.user.updated", 7, user("u1", "active", 7)),
        event("e5", "dsync.user.deleted", 8, user("u2", "active", 1)),
        event("e6", "dsync.user.deleted", 9, user("u_unseen", "active", 1)),
        event("g2", "dsync.group.updated", 10, with(group("g1", 10), json!({"name": "Renamed"}))),
        event("g3", "dsync.group.created", 11, group("g_gone", 11)),
        event("g4", "dsync.group.deleted", 12, group("g_gone", 11)),
        event("x1", "dsync.user.updated", 13, with(user("u1", "inactive", 13), foreign)),
        event("i1", "user.created", 14, json!({"id": "user_1"})),
        event("m4", "dsync.group.user_added", 15, membership(user("u3", "active", 1), group("g1", 2))),
    ]
}

both! {
    fn a_rebuild_of_what_was_applied_finds_no_difference(app) {
        app.play(&life());
        app.send("not understood");
        // It still waits, so the tables do not contain it yet.
        app.deliver(&event("e99", "dsync.user.created", 20, user("u99", "active", 20)));

        assert!(rebuilt(app, true).is_empty(), "{:?}", rebuilt(app, true));
        let before = tables(app);
        assert!(rebuilt(app, false).is_empty());
        assert_eq!(tables(app), before);
    }
}

both! {
    fn lesson_6_a_rebuild_that_mends_somebodys_roles_makes_hosts_look_again(app) {
        app.play(&life());
        let epochs = |app: &TestApp| app.brief(USERS, &["id", "access_epoch"]);
        let before = epochs(app);
        assert_eq!(before[0], "u1 1");
        execute(app, "DELETE FROM user_roles WHERE user_id = 'u1' AND role_slug = 'member'");

        rebuilt(app, false);

        assert_eq!(epochs(app)[0], "u1 2");
        assert_eq!(epochs(app)[1..], before[1..]);
    }
}

both! {
    fn changed_rows_are_shown_by_a_dry_run_and_repaired_by_a_rebuild_without_notices(app) {
        app.play(&life());
        let (before, notices) = (tables(app), app.notices());
        execute(app, "UPDATE users SET status = 'inactive' WHERE id = 'u1'; DELETE FROM user_roles; DELETE FROM groups; \
             INSERT INTO roles (tenant_id, slug, name) VALUES ('org_1', 'owner', 'Owner'); DELETE FROM memberships; \
             UPDATE users SET access_epoch = 41 WHERE id = 'u1'");

        let shown = rebuilt(app, true);
        assert_eq!(shown.iter().map(|d| (d.table.name, d.key.join("/"), d.change)).collect::<Vec<_>>(), [
            ("users", "org_1/u1".to_owned(), RowChange::Changed),
            ("groups", "org_1/g1".to_owned(), RowChange::Missing),
            ("group_members", "org_1/g1/u1".to_owned(), RowChange::Missing),
            ("group_members", "org_1/g1/u3".to_owned(), RowChange::Missing),
            ("roles", "org_1/owner".to_owned(), RowChange::Extra),
            ("user_roles", "org_1/u1/member".to_owned(), RowChange::Missing),
            ("user_roles", "org_1/u3/member".to_owned(), RowChange::Missing),
        ]);
        assert_eq!(app.rows(USER_ROLES).len(), 0, "a dry run changes nothing");

        assert_eq!(rebuilt(app, false).len(), 7);
        let mut after = tables(app);
        // The epoch continues from the value that applications have seen.
        assert_eq!(after[2][0]["access_epoch"], 42);
        after[2][0]["access_epoch"] = before[2][0]["access_epoch"].clone();
        // Applications must look again at people who got roles back.
        assert_eq!((&after[2][2]["id"], &after[2][2]["access_epoch"]), (&json!("u3"), &json!(2)));
        after[2][2]["access_epoch"] = before[2][2]["access_epoch"].clone();
        assert_eq!(after, before);
        assert_eq!(app.notices(), notices);
        assert!(rebuilt(app, true).is_empty());
        // Later events are applied as usual.
        app.play(&[event("e50", "dsync.user.updated", 50, user("u1", "inactive", 50))]);
        assert_eq!((app.brief(USERS, &["id", "status"])[0].as_str(), app.rows(GROUP_MEMBERS).len()), ("u1 inactive", 1));
        assert!(rebuilt(app, true).is_empty());
    }
}

/// Compacts until the walk is finished. Returns the number of deleted deliveries.
pub fn compact(app: &TestApp) -> usize {
    let mut dropped = 0;
    loop {
        let step = retention::step(app.database(), DAYS, app.clock.now()).unwrap();
        dropped += step.dropped;
        if step.finished {
            return dropped;
        }
    }
}

both! {
    fn a_compacted_inbox_rebuilds_to_the_same_tables(app) {
        app.play(&life());
        for n in 0..40 {
            app.play(&[event(&format!("n{n}"), "dsync.user.updated", 100 + n, with(user("u1", "active", 100 + n), json!({"job_title": format!("Title {n}")})))]);
        }
        let before = tables(app);
        assert_eq!(compact(app), 0, "nothing is old yet");

        app.clock.advance_seconds(91 * 24 * 3_600);
        let step = retention::step(app.database(), DAYS, app.clock.now()).unwrap();
        let dropped = step.dropped;

        assert!(step.finished, "one page was all of it");
        // All updates except the last, and all other deliveries that are superseded or without effect.
        assert!(dropped >= 39 + 2, "{dropped}");
        assert_eq!(tables(app), before);
        assert!(rebuilt(app, true).is_empty(), "{:?}", rebuilt(app, true));
        assert_eq!(compact(app), 0, "what is needed stays");
        // The dead letter of another tenant's claim still waits for a decision.
        assert!(app.inbox().contains(&("x1".to_owned(), "dead".to_owned())));
    }
}

both! {
    fn a_deleted_delivery_is_still_a_duplicate_and_revives_nobody(app) {
        let created = event("e1", "dsync.user.created", 1, user("u1", "active", 1));
        app.play(&[created, event("e2", "dsync.user.updated", 2, user("u1", "active", 2))]);
        app.play(&[event("e3", "dsync.user.updated", 3, user("u1", "active", 3))]);
        app.play(&[event("e4", "dsync.user.deleted", 4, user("u1", "active", 3))]);
        app.clock.advance_seconds(91 * 24 * 3_600);
        // The first one claimed the directory, the third one reveals the user, the last one is the latest fact.
        assert_eq!(compact(app), 1);
        assert!(!app.inbox().iter().any(|(id, _)| id == "e2"));

        let again = app.send(event("e2", "dsync.user.updated", 2, user("u1", "active", 2)).to_string());
        app.drain();
        assert_eq!(again.json(), json!({"status": "duplicate"}));
        assert_eq!(app.brief(USERS, &["id", "status"]), ["u1 inactive"]);

        // After its id is deleted too, the event is stored again, and changes as little.
        app.clock.advance_seconds(91 * 24 * 3_600);
        compact(app);
        app.play(&[event("e2", "dsync.user.updated", 2, user("u1", "active", 2))]);
        assert_eq!(app.brief(USERS, &["id", "status"]), ["u1 inactive"]);
        assert!(matches!(app.clock, Clock::Fixed(_)));
    }
}

both! {
    fn retention_keeps_dead_letters_and_deliveries_that_wait_however_old_they_are(app) {
        let of = |id: &str, email: &str| {
            event(&format!("e_{id}"), "dsync.user.created", 1, with(user(id, "active", 1), json!({"email": email})))
        };
        execute(app, "CREATE UNIQUE INDEX host_email ON users (tenant_id, email)");
        app.play(&[of("u1", "shared@acme.example"), of("u2", "shared@acme.example"), of("u3", "shared@acme.example")]);
        let listed = app.database().read::<_, DbError>(|conn| Ok(listing::list(conn, Some(DeliveryState::Dead), 10)?)).unwrap();
        assert!(listed.iter().all(|entry| entry.received_at() == app.clock.now()));
        let letters: HashMap<String, i64> = listed.into_iter().map(|entry| (entry.event, entry.id)).collect();
        let discard = |conn: &mut Serialized<'_>| Ok(dead_letters::discard(conn, letters["e_u3"], "a duplicate", app.clock.now())?);
        assert!(app.database().write_serialized::<_, DbError>(discard).unwrap());
        // It arrives and is not applied yet.
        app.deliver(&of("u4", "other@acme.example"));

        app.clock.advance_seconds(91 * 24 * 3_600);
        compact(app);

        let states = ["e_u1 applied", "e_u2 dead", "e_u3 discarded", "e_u4 pending"];
        assert_eq!(app.inbox().iter().map(|(id, state)| format!("{id} {state}")).collect::<Vec<_>>(), states);
        execute(app, "DROP INDEX host_email");
        let retry = |conn: &mut Serialized<'_>| Ok(dead_letters::retry(conn, letters["e_u2"])?);
        assert!(app.database().write_serialized::<_, DbError>(retry).unwrap());
        app.drain();
        assert_eq!(app.brief(USERS, &["id"]), ["u1", "u2", "u4"]);
    }
}

/// The size of the log and of the remembered ids, without free space.
fn log_size(app: &TestApp) -> i64 {
    #[derive(diesel::QueryableByName)]
    struct Size {
        #[diesel(sql_type = diesel::sql_types::BigInt)]
        bytes: i64,
    }
    use diesel::{RunQueryDsl, connection::SimpleConnection, sql_query};
    use rosterd::db::Conn;
    app.database()
        .read::<_, DbError>(|conn| match conn {
            Conn::Sqlite(sqlite) => {
                sqlite.batch_execute("VACUUM")?;
                let sql =
                    "SELECT page_count * page_size AS bytes FROM pragma_page_count(), pragma_page_size()";
                Ok(sql_query(sql).get_result::<Size>(sqlite)?.bytes)
            }
            Conn::Postgres(pg) => {
                // Several deliveries in one batch would be one transaction.
                pg.batch_execute("VACUUM FULL inbox")?;
                pg.batch_execute("VACUUM FULL seen_ids")?;
                let sql =
                    "SELECT pg_total_relation_size('inbox') + pg_total_relation_size('seen_ids') AS bytes";
                Ok(sql_query(sql).get_result::<Size>(pg)?.bytes)
            }
        })
        .unwrap()
}

/// `tests/run -P long --test it --run-ignored only -E 'test(a_million)' --no-capture`; ROSTERD_TEST_EVENTS for fewer.
mod a_million_old_events_shrink_to_what_something_rests_on {
    use super::*;

    #[test]
    #[ignore = "takes minutes; its figures are for the documentation"]
    fn on_sqlite() {
        shrink(Backend::Sqlite);
    }

    #[test]
    #[ignore = "takes minutes; its figures are for the documentation"]
    fn on_postgres() {
        shrink(Backend::Postgres);
    }
}

fn shrink(backend: Backend) {
    use rosterd::{
        broker::Source,
        inbox::{Delivery, insert::append},
    };
    let events: i64 =
        std::env::var("ROSTERD_TEST_EVENTS").ok().and_then(|n| n.parse().ok()).unwrap_or(1_000_000);
    let users = events / 100;
    let app = TestApp::start(backend, |_config| {});
    for from in (0..events).step_by(1_000) {
        let deliveries: Vec<Delivery> = (from..(from + 1_000).min(events))
            .map(|n| {
                let who = format!("directory_user_{:020}", n % users);
                let titled = with(user(&who, "active", n), json!({"job_title": format!("Title {n}")}));
                let body = event(&format!("event_{n:026}"), "dsync.user.updated", n, titled).to_string();
                let label = Source::WorkOs.label(body.as_bytes());
                Delivery { source: Source::WorkOs, label, body: body.into(), received_at: app.clock.now() }
            })
            .collect();
        append(app.database(), &deliveries).unwrap();
        app.drain();
    }
    let (before, shown) = (log_size(&app), tables(&app));
    app.clock.advance_seconds(91 * 24 * 3_600);

    let dropped = compact(&app);

    let after = log_size(&app);
    assert_eq!(tables(&app), shown);
    app.assert_rebuilds();
    println!(
        "{backend:?}: {events} events of {users} people: {} MiB before, {} MiB after, {dropped} dropped",
        before >> 20,
        after >> 20
    );
    assert!(after < before / 5, "{before} {after}");
}
