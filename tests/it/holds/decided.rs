//! Decisions about held people.

use rosterd::{
    app::{self, Workers},
    decide::guard::Undecided,
    operator::holds::{self, HoldDecision, Verdict},
    tables::host_tables::{USER_ROLES, USERS},
};
use serde_json::json;

use super::{HoldSummary, beginning, decide, deleted, gone, held, named, range, update};
use crate::harness::{
    TestApp, both,
    broker::{event, user, with},
};

/// Twenty of thirty people are held.
fn tripped(app: &TestApp) {
    beginning(app, 30);
    app.play(&(0..20).map(|n| update(n, "inactive", 9)).collect::<Vec<_>>());
    assert_eq!(gone(app).len(), 0);
    assert_eq!(
        held(app),
        [HoldSummary { state: "open".to_owned(), undecided: 20, applied_before: 0, active_before: 30 }]
    );
}

both! {
    fn lesson_21_this_batch_can_be_approved_as_one_and_applies_what_the_directory_says_by_then(app) {
        tripped(app);
        // Two are active again, and one id has another bearer since.
        app.play(&[update(0, "active", 12), update(1, "active", 12)]);
        app.play(&[event("n", "dsync.user.updated", 12, with(user("u02", "inactive", 12), json!({"job_title": "Late"})))]);

        assert_eq!(decide(app, 1, Verdict::Approve, &[]), 18);

        assert_eq!(gone(app), range(2..20));
        assert_eq!(held(app), [HoldSummary { state: "approved".to_owned(), undecided: 0, applied_before: 0, active_before: 30 }]);
        assert_eq!(app.notices(), range(2..20));
        assert_eq!(app.rows(USER_ROLES).len(), 12);
        // After the window, approved losses are not counted.
        app.clock.advance_seconds(3_600);
        app.play(&[update(2, "active", 20), deleted(20, 21)]);
        assert_eq!(gone(app), range(3..21));
        // The trail names the operator.
        assert!(crate::harness::dump::everything(app.database()).contains("held mass change, approved"));
    }
}

both! {
    fn lesson_26_a_hold_is_rejected_as_one_and_later_facts_count_again(app) {
        tripped(app);

        assert_eq!(decide(app, 1, Verdict::Reject, &[]), 20);
        assert_eq!(gone(app).len(), 0);
        assert_eq!(held(app)[0].state, "rejected");

        // The same fact again is nothing new. Another fact is.
        app.clock.advance_seconds(3_600);
        app.play(&[event("again", "dsync.user.updated", 10, user(&named(0), "inactive", 9)), update(1, "inactive", 30), deleted(2, 30)]);
        assert_eq!(gone(app), ["u01", "u02"]);
        app.play(&[update(3, "active", 31)]);
        app.play(&[update(3, "inactive", 32)]);
        assert_eq!(gone(app), ["u01", "u02", "u03"]);
    }
}

both! {
    fn lesson_26_single_people_are_decided_alone_and_what_was_rejected_can_be_approved(app) {
        tripped(app);

        assert_eq!(decide(app, 1, Verdict::Approve, &[named(0), named(1)]), 2);
        assert_eq!(decide(app, 1, Verdict::Reject, &[named(2)]), 1);
        assert_eq!(gone(app), range(0..2));
        assert_eq!(held(app)[0].undecided, 17);

        // A person who was decided is decided again only by a decision that says so.
        assert_eq!(decide(app, 1, Verdict::Approve, &[]), 17);
        assert_eq!((gone(app).len(), held(app)[0].state.as_str()), (19, "mixed"));
        let again = HoldDecision { name: "bob", overrides: true, ..HoldDecision::default() };
        assert_eq!(holds::decide(app.database(), 1, Verdict::Approve, again, app.clock.now()).unwrap(), 1);
        app.drain();
        assert_eq!((gone(app), held(app)[0].state.as_str()), (range(0..20), "approved"));
    }
}

both! {
    fn a_return_or_a_later_deletion_ends_the_hold_of_a_person_by_itself(app) {
        tripped(app);
        app.clock.advance_seconds(3_600);

        app.play(&[update(0, "active", 30), deleted(1, 30)]);

        assert_eq!(gone(app), ["u01"]);
        assert_eq!(held(app)[0].undecided, 18);
        app.play(&(2..20).map(|n| update(n, "active", 31)).collect::<Vec<_>>());
        assert_eq!(gone(app), ["u01"]);
        assert_eq!(held(app)[0].state, "ended");
    }
}

both! {
    fn those_who_are_suspended_and_then_deleted_in_one_sweep_stay_held(app) {
        tripped(app);

        app.play(&(0..20).map(|n| deleted(n, 12)).collect::<Vec<_>>());

        assert_eq!(gone(app).len(), 0);
        assert_eq!(held(app), [HoldSummary { state: "open".to_owned(), undecided: 20, applied_before: 0, active_before: 30 }]);
    }
}

both! {
    fn nobody_decides_and_the_policy_does(app, |config| {
        config.guard.otherwise.undecided = Undecided::ApproveAfterHours(4);
    }) {
        tripped(app);

        app.clock.advance_seconds(4 * 3_600 - 1);
        app.drain();
        assert_eq!(gone(app).len(), 0);
        app.clock.advance_seconds(1);
        app.drain();

        assert_eq!(gone(app), range(0..20));
        assert_eq!(held(app)[0].state, "approved");
    }
}

both! {
    fn switched_off_the_guard_releases_everybody_and_holds_nobody(app) {
        tripped(app);
        decide(app, 1, Verdict::Reject, &[named(0)]);

        assert!(app.app.take().unwrap().stop());
        app.config.guard.on = false;
        app.applier.rules = app.config.rules().into();
        app.app = Some(app::start(&app.config, app.clock.clone(), Workers::Manual).unwrap());
        app.drain();
        assert_eq!(gone(app), range(0..20));

        app.play(&(20..30).map(|n| update(n, "inactive", 15)).collect::<Vec<_>>());
        assert_eq!(gone(app), range(0..30));
    }
}

both! {
    fn a_held_person_can_be_approved_once_and_others_cannot(app) {
        tripped(app);
        let refused = |id: i64, users: &[String]| {
            let by = HoldDecision { name: "ada", users, ..HoldDecision::default() };
            holds::decide(app.database(), id, Verdict::Approve, by, app.clock.now()).unwrap_err().to_string()
        };

        assert_eq!(refused(7, &[]), "there is no hold 7; see `rosterd holds list`");
        assert_eq!(refused(1, &[named(25)]), "hold 1 does not keep u25; see `rosterd holds show 1`");
        decide(app, 1, Verdict::Approve, &[]);
        assert_eq!(refused(1, &[]), "hold 1 was decided, and the decision is applied: ada approved 20 of 20 people at 2026-06-01T00:00:00.000000Z (asked). It keeps nobody any more; see `rosterd holds show 1`");
        assert_eq!(app.rows(USERS).len(), 30);
    }
}
