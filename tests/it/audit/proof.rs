//! The hash chains hold, and `verify` reports every alteration.

use rosterd::{
    audit::{
        stored_entries,
        verify::{Verified, Wrong, verify},
    },
    db::DbError,
    operator::rebuild::{Rebuild, rebuild},
    simulate::{DEFAULT_START, Plan},
    tables::host_tables::TENANTS,
};

use super::{replayed, shown, trail};
use crate::harness::{
    TestApp, both,
    broker::{event, user},
};

fn verified(app: &TestApp, tenant_id: &str) -> Verified {
    app.database().read(|conn| verify(conn, tenant_id)).unwrap()
}

pub(crate) fn assert_verifies(app: &TestApp) {
    for tenant in app.database().read::<_, DbError>(|conn| Ok(stored_entries::tenants(conn)?)).unwrap() {
        let verified = verified(app, &tenant);
        assert_eq!(verified.faults, [], "{tenant}");
        assert_eq!(verified.entries, verified.head.seq);
    }
}

fn execute(app: &TestApp, sql: &str) {
    use diesel::connection::SimpleConnection;
    app.database().write::<_, DbError>(|conn| Ok(conn.batch_execute(sql)?)).unwrap();
}

fn faults(app: &TestApp) -> Vec<(i64, Wrong)> {
    verified(app, "org_1").faults.iter().map(|fault| (fault.seq, fault.wrong)).collect()
}

/// The first entry lists the role that all users have. The number of each event is the number of its entry.
fn ten(app: &TestApp) {
    for n in 2..=10 {
        let user = user(&format!("u{}", n - 1), "active", n);
        app.play(&[event(&format!("e{n}"), "dsync.user.created", n, user)]);
    }
    assert_eq!(faults(app), []);
}

fn exchange(app: &TestApp, one: i64, other: i64) {
    for (from, to) in [(one, 1_000), (other, one), (1_000, other)] {
        execute(app, &format!("UPDATE audit SET seq = {to} WHERE seq = {from}"));
    }
}

both! {
    fn lesson_42_a_changed_missing_or_exchanged_entry_is_found_and_named(app) {
        ten(app);

        execute(app, "UPDATE audit SET actor = 'operator eve' WHERE seq = 4");
        assert_eq!(faults(app), [(4, Wrong::Changed)]);
        execute(app, "UPDATE audit SET actor = 'event e4' WHERE seq = 4");
        assert_eq!(faults(app), []);

        exchange(app, 3, 8);
        assert_eq!(faults(app), [(3, Wrong::ExchangedWith(8)), (4, Wrong::Changed), (8, Wrong::ExchangedWith(3)), (9, Wrong::Changed)]);
        exchange(app, 3, 8);
        exchange(app, 5, 6);
        assert_eq!(faults(app), [(5, Wrong::ExchangedWith(6)), (6, Wrong::ExchangedWith(5)), (7, Wrong::Changed)]);
        exchange(app, 5, 6);

        execute(app, "UPDATE audit SET personal = '{\"email\":[null,\"eve@acme.example\"]}' WHERE seq = 2");
        assert_eq!(faults(app), [(2, Wrong::Personal)]);
        execute(app, "UPDATE audit SET personal = NULL, salt = NULL WHERE seq = 2");
        assert_eq!(faults(app), [(2, Wrong::ErasedWithoutRecord)]);

        execute(app, "DELETE FROM audit WHERE seq IN (6, 7)");
        assert_eq!(faults(app), [(2, Wrong::ErasedWithoutRecord), (6, Wrong::Missing { until: 8 })]);
    }
}

both! {
    fn an_end_that_was_cut_off_is_found(app) {
        ten(app);

        execute(app, "DELETE FROM audit WHERE seq > 8");
        assert_eq!(faults(app), [(10, Wrong::CutOff { last: 8 })]);
        execute(app, "UPDATE audit_heads SET seq = 8");
        assert_eq!(faults(app), [(8, Wrong::Head)]);
        execute(app, "DELETE FROM audit_heads");
        assert_eq!(faults(app), [(8, Wrong::NoHead)]);
    }
}

both! {
    fn lesson_42_many_writers_of_several_tenants_fork_no_chain_and_the_trail_replays_to_the_tables(app) {
        let plan = Plan { tenants: 3, users: 60, events: 1_200, seed: 7, start: DEFAULT_START };
        for event in plan.events() {
            app.send(event.body);
        }

        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let rules = app.config.rules();
                    let batch = rosterd::apply::Batch { deliveries: 17, ..Default::default() };
                    let prefetcher = rosterd::apply::prefetch_batch::Prefetcher::default();
                    while rosterd::apply::step(app.database(), &rules, batch, &prefetcher, app.clock.now()).unwrap().deliveries > 0 {}
                });
            }
        });
        app.drain();

        assert_verifies(app);
        for tenant in app.rows(TENANTS) {
            let tenant = tenant["id"].as_str().unwrap();
            assert_eq!(replayed(&trail(app, tenant)), shown(app, tenant), "{tenant}");
        }
    }
}

both! {
    fn the_repairs_of_a_rebuild_are_recorded(app) {
        ten(app);
        execute(app, "DELETE FROM user_roles WHERE user_id = 'u1'");
        execute(app, "UPDATE users SET status = 'inactive' WHERE id = 'u2'");
        let before = trail(app, "org_1").len();
        let run = |dry_run| {
            let wanted = Rebuild { rules: &app.config.rules(), tenant: None, dry_run, by: "ada" };
            rebuild(app.database(), wanted, app.clock.now()).unwrap()
        };

        run(true);
        assert_eq!(trail(app, "org_1").len(), before, "a dry run leaves no trace");
        run(false);

        let entries = trail(app, "org_1").split_off(before);
        let recorded: Vec<_> = entries.iter().map(|e| (e.kind.as_str(), e.subject.as_str(), e.actor.as_str())).collect();
        assert_eq!(recorded, [("tables.rebuilt", "u1", "operator ada"), ("tables.rebuilt", "u2", "operator ada")]);
        assert_eq!(replayed(&trail(app, "org_1")), shown(app, "org_1"));
        assert_verifies(app);
    }
}
