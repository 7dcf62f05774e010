//! The first import: it causes no notices of past changes, and continues after an interruption.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use rosterd::{
    runtime::clock::Timestamp,
    sync::{
        backfill,
        client::Client,
        reconcile::{Reconcile, ReconcileError, Which},
        report::Report,
    },
    tables::host_tables::{GROUP_MEMBERS, USERS},
    worker::applier::ApplyStep,
};
use serde_json::{Value, json};

use super::api::TestApi;
use crate::harness::{
    TestApp, both,
    broker::{directory, event, organization, user, with},
};

/// Seconds until the day before the service's clock.
const YESTERDAY: i64 = 13_046_400 - 86_400;

pub fn world(directories: i64, people: i64) -> Vec<Value> {
    let mut events = Vec::new();
    for n in 1..=directories {
        let at = YESTERDAY + n * 100;
        let here = json!({"directory_id": format!("dir_{n}"), "organization_id": format!("org_{n}")});
        let own = json!({"created_at": crate::harness::broker::at(at)});
        let (org, dir) = (format!("org_{n}"), format!("dir_{n}"));
        events.push(event(&format!("o{n}"), "organization.created", at, organization(&org, at)));
        events.push(event(&format!("d{n}"), "dsync.activated", at, with(directory(&dir, &org, at), own)));
        events.extend((1..=people).map(|p| {
            let id = format!("u{n}_{p:03}");
            event(
                &format!("c{id}"),
                "dsync.user.created",
                at + 1,
                with(user(&id, "active", at + 1), here.clone()),
            )
        }));
    }
    events
}

fn imported(app: &TestApp, client: &Client, since: Option<Timestamp>) -> Result<Vec<Report>, ReconcileError> {
    imported_as(app, client, since.map_or(Which::All, Which::Rest))
}

pub fn imported_as(app: &TestApp, client: &Client, which: Which) -> Result<Vec<Report>, ReconcileError> {
    let rules = app.config.rules();
    let settle = || {
        while app.applier.step().map_err(|error| error.to_string())? != ApplyStep::Idle {}
        Ok(())
    };
    Reconcile {
        database: app.database(),
        client,
        rules: &rules,
        clock: &app.clock,
        tenant: None,
        directory: None,
        which,
        dry_run: false,
        settle: &settle,
        progress: &|_, _| {},
    }
    .run()
}

both! {
    fn an_interrupted_backfill_continues_and_causes_no_notices_of_past_changes(app) {
        let api = TestApi::start();
        let world = world(9, 130);
        api.emit(&world);
        api.broker(|broker| broker.tick(1_000));
        let begun = backfill::begin(app.database(), app.clock.now()).unwrap();
        // The import is interrupted.
        let left = Arc::new(AtomicU64::new(28));
        let (counted, stopped) = (left.clone(), Arc::new(AtomicBool::new(false)));
        let stop = stopped.clone();
        let client = Client::new(&api.settings(), move || {
            if counted.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_err() {
                stop.store(true, Ordering::SeqCst);
            }
            stop.load(Ordering::SeqCst)
        })
        .unwrap();
        assert!(imported(app, &client, Some(begun.at)).is_err());
        let before = app.rows(USERS).len();
        assert!(before < 9 * 130, "{before}");
        // A webhook arrives meanwhile.
        app.play(&world[2..3]);

        let again = backfill::begin(app.database(), app.clock.now().plus_seconds(60)).unwrap();
        assert_eq!((again.at, again.is_resumed), (begun.at, true));
        let reports = imported(app, &api.client(), Some(again.at)).unwrap();
        backfill::end(app.database()).unwrap();

        assert!(reports.len() < 9, "what was done is not done again: {}", reports.len());
        assert!(reports.iter().all(|report| report.complete));
        assert_eq!((app.rows(USERS).len(), app.rows(GROUP_MEMBERS).len()), (9 * 130, 0));
        assert_eq!(app.noticed("directory_connected"), Vec::<String>::new());
        assert_eq!(imported(app, &api.client(), None).unwrap().iter().map(|report| report.found).sum::<u64>(), 0);
    }
}

both! {
    fn a_directory_that_reconcile_finds_later_is_reported(app) {
        let api = TestApi::start();
        api.emit(&world(1, 1));
        imported(app, &api.client(), None).unwrap();
        assert_eq!(app.noticed("directory_connected").len(), 1);
    }
}
