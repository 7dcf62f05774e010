//! The directory changes while its lists are read.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use rosterd::{
    simulate::api::Broker,
    sync::{client::Client, report::Report},
    tables::host_tables::GROUP_MEMBERS,
};

use super::{
    api::TestApi,
    reconciled::{both_know, brief, reconcile, reconcile_by, statuses},
};
use crate::harness::{
    TestApp, both,
    broker::{event, group, membership, user},
};

/// The requests of a comparison with lists of one page: the clock, directories, organizations, groups, people, members.
const BEFORE_PEOPLE: u64 = 4;
const BEFORE_MEMBERS: u64 = 5;

/// Compares, and calls `change` after a number of requests.
fn reconcile_during(
    app: &TestApp,
    api: &TestApi,
    after: u64,
    change: impl Fn(&mut Broker) + Send + Sync + 'static,
) -> Vec<Report> {
    let (broker, done) = (api.api.broker.clone(), Arc::new(AtomicBool::new(false)));
    let before = broker.lock().requests;
    let happened = done.clone();
    // Called before each request.
    let asked = move || {
        let mut broker = broker.lock();
        if broker.requests == before + after && !happened.swap(true, Ordering::SeqCst) {
            change(&mut broker);
        }
        false
    };
    let reports = reconcile_by(app, &Client::new(&api.settings(), asked).unwrap(), false).unwrap();
    assert!(done.load(Ordering::SeqCst));
    reports
}

both! {
    fn a_user_created_during_the_list_is_not_removed(app) {
        let api = TestApi::start();
        both_know(app, &api, 2);
        let created = event("c9", "dsync.user.created", 1_100, user("u9", "active", 1_100));
        let added = event("m9", "dsync.group.user_added", 1_100, membership(user("u9", "active", 1_100), group("g1", 2)));
        // The webhooks are faster than the lists. Only the members contain u9.
        app.play(&[created.clone(), added.clone()]);

        let reports = reconcile_during(app, &api, BEFORE_MEMBERS, move |broker| {
            broker.emit_body(created.clone());
            broker.emit_body(added.clone());
        });

        assert_eq!(brief(&reports), [""; 0]);
        assert_eq!(statuses(app), ["u1 active", "u2 active", "u9 active"]);
        assert_eq!(app.brief(GROUP_MEMBERS, &["user_id"]), ["u1", "u2", "u9"]);
    }
}

both! {
    fn a_user_created_during_the_list_without_a_webhook_is_found_among_the_members(app) {
        let api = TestApi::start();
        both_know(app, &api, 2);

        reconcile_during(app, &api, BEFORE_MEMBERS, |broker| {
            broker.happen("dsync.user.created", user("u9", "active", 1_100));
            broker.happen("dsync.group.user_added", membership(user("u9", "active", 1_100), group("g1", 2)));
            broker.tick(1);
        });

        assert_eq!(statuses(app), ["u1 active", "u2 active", "u9 active"]);
        api.broker(|broker| broker.tick(200));
        assert_eq!(brief(&reconcile(app, &api)), [""; 0]);
    }
}

both! {
    fn a_group_that_is_emptied_during_the_list_is_empty_and_its_people_stay(app) {
        let api = TestApi::start();
        both_know(app, &api, 3);
        let removed: Vec<_> = (1..=3)
            .map(|n| {
                let pair = membership(user(&format!("u{n}"), "active", 10 + n), group("g1", 2));
                event(&format!("r{n}"), "dsync.group.user_removed", 1_100, pair)
            })
            .collect();
        let happening = removed.clone();

        let reports = reconcile_during(app, &api, BEFORE_MEMBERS, move |broker| {
            happening.iter().for_each(|event| broker.emit_body(event.clone()));
        });

        assert!(reports[0].complete, "{reports:?}");
        assert_eq!((app.rows(GROUP_MEMBERS).len(), statuses(app).len()), (0, 3));
        assert!(statuses(app).iter().all(|row| row.ends_with(" active")));
        // Its events arrive later, and one from after them.
        app.play(&removed);
        assert_eq!(app.rows(GROUP_MEMBERS).len(), 0);
        app.play(&[event("a", "dsync.group.user_added", 1_200, membership(user("u1", "active", 11), group("g1", 2)))]);
        assert_eq!(app.brief(GROUP_MEMBERS, &["user_id"]), ["u1"]);
    }
}

both! {
    /// A page that begins at a position and not after an object: after the deletion no page contains the first person
    /// of the second page.
    fn a_page_that_is_shifted_by_a_deletion_removes_nobody_who_is_there(app) {
        let api = TestApi::start();
        both_know(app, &api, 150);
        api.broker(|broker| broker.faults.pages_shift = true);
        // In the order of their ids, as in the pages.
        let mut ids: Vec<String> = (1..=150).map(|n| format!("u{n}")).collect();
        ids.sort();
        let (first, shifted) = (ids[0].clone(), ids[100].clone());
        let gone = first.clone();

        // After the first page of people.
        let reports = reconcile_during(app, &api, BEFORE_PEOPLE + 1, move |broker| {
            broker.happen("dsync.user.deleted", user(&gone, "active", 11));
        });

        let active = |id: &str| statuses(app).contains(&format!("{id} active"));
        assert!(active(&shifted), "{shifted}: {:?}", brief(&reports));
        api.broker(|broker| broker.tick(60));
        reconcile(app, &api);
        assert!(active(&shifted) && !active(&first));
    }
}

both! {
    fn somebody_who_is_deleted_during_the_list_is_gone_at_the_next_comparison(app) {
        let api = TestApi::start();
        both_know(app, &api, 3);
        reconcile_during(app, &api, BEFORE_MEMBERS, |broker| {
            broker.happen("dsync.user.deleted", user("u2", "active", 12));
        });
        assert_eq!(statuses(app), ["u1 active", "u2 active", "u3 active"], "the list of people still had u2");
        api.broker(|broker| broker.tick(60));

        reconcile(app, &api);

        assert_eq!(statuses(app), ["u1 active", "u2 inactive", "u3 active"]);
    }
}
