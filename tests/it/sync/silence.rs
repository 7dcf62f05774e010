//! A directory that has sent nothing for days is compared before anybody is notified.

use std::{cell::Cell, collections::BTreeSet};

use rosterd::sync::{
    client::{ApiError, Client},
    reconcile::{ReconcileError, Which},
    report::Report,
    silence,
};

use super::{
    api::TestApi,
    backfilled::imported_as,
    reconciled::{both_know, statuses},
};
use crate::{
    harness::{TestApp, both, broker::user},
    notices::Office,
};

/// The numbers of directories.
#[derive(Debug, PartialEq, Eq)]
struct Looked {
    still_silent: usize,
    compared: usize,
}

fn looked(
    app: &TestApp,
    compare: impl Fn(BTreeSet<String>) -> Result<Vec<Report>, ReconcileError>,
) -> Looked {
    let asked = Cell::new(0);
    let counted = |ids: BTreeSet<String>| {
        asked.set(asked.get() + ids.len());
        compare(ids)
    };
    let silent = silence::look(app.database(), app.clock.now(), 30, counted).unwrap();
    Looked { still_silent: silent.len(), compared: asked.get() }
}

fn by(app: &TestApp, client: &Client, ids: BTreeSet<String>) -> Result<Vec<Report>, ReconcileError> {
    imported_as(app, client, Which::Of(ids))
}

fn notified(app: &TestApp) -> usize {
    app.noticed("directory_silent").len()
}

both! {
    fn a_silent_directory_whose_comparison_is_complete_is_not_reported(app) {
        let (api, client) = { let api = TestApi::start(); let client = api.client(); (api, client) };
        both_know(app, &api, 2);
        api.broker(|broker| broker.happen("dsync.user.updated", user("u2", "inactive", 100)));
        app.clock.advance_seconds(29 * 86_400);
        assert_eq!(looked(app, |ids| by(app, &client, ids)), Looked { still_silent: 0, compared: 0 }, "not silent yet");
        app.clock.advance_seconds(2 * 86_400);

        assert_eq!(looked(app, |ids| by(app, &client, ids)), Looked { still_silent: 0, compared: 1 });
        assert_eq!((notified(app), statuses(app)), (0, vec!["u1 active".to_owned(), "u2 inactive".to_owned()]));
        app.clock.advance_seconds(86_400);
        assert_eq!(looked(app, |ids| by(app, &client, ids)), Looked { still_silent: 0, compared: 0 }, "the comparison counts as a sign of life");
    }
}

both! {
    fn a_silent_directory_that_could_not_be_compared_is_reported_once_with_the_reason(app) {
        let (api, office) = (TestApi::start(), Office::with(app, |config| config.mail.silent_days = 0));
        let client = api.client();
        both_know(app, &api, 2);
        api.broker(|broker| broker.faults.empty = true);
        app.clock.advance_seconds(31 * 86_400);

        assert_eq!(looked(app, |ids| by(app, &client, ids)), Looked { still_silent: 1, compared: 1 });
        assert_eq!(looked(app, |ids| by(app, &client, ids)), Looked { still_silent: 0, compared: 0 });
        assert_eq!(notified(app), 1, "once");
        app.clock.advance_seconds(61);
        office.send(app);

        let mails = office.mails();
        let mail = mails.iter().find(|mail| mail.header("Subject").unwrap().starts_with("No updates")).unwrap();
        assert!(mail.raw.contains("counts 2 people"), "{}", mail.raw);
        assert_eq!(statuses(app), ["u1 active", "u2 active"]);
    }
}

both! {
    fn a_silent_directory_is_reported_if_the_api_does_not_answer_but_not_during_a_stop(app) {
        let api = TestApi::start();
        both_know(app, &api, 1);
        app.clock.advance_seconds(31 * 86_400);
        let stopped = silence::look(app.database(), app.clock.now(), 30, |_| Err(ApiError::Stopping.into()));
        assert!(stopped.unwrap_err().is_stop());
        assert_eq!(notified(app), 0);

        assert_eq!(looked(app, |_| Err(ApiError::Key.into())), Looked { still_silent: 1, compared: 1 });

        assert_eq!(notified(app), 1);
    }
}
