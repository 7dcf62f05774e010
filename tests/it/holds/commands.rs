//! The commands, beside a running service.

use serde_json::Value;

use super::{beginning, gone, update};
use crate::harness::{
    Backend, TestApp,
    process::{on_a_terminal, output, rosterd, stdout},
};

#[test]
fn a_hold_is_listed_shown_rejected_and_approved_from_the_command_line() {
    for backend in Backend::offered() {
        let app = TestApp::start(backend, |_config| {});
        let run = |arguments: &[&str]| output(rosterd().env("DATABASE_URL", app.store.url()).args(arguments));
        beginning(&app, 12);
        app.play(&(0..12).map(|n| update(n, "inactive", 9)).collect::<Vec<_>>());

        let list =
            stdout(&run(&["holds", "list", "--tenant", "org_1", "--state", "open", "--format", "json"]));
        let list: Value = serde_json::from_str(&list).unwrap();
        assert_eq!((&list[0]["directory_id"], &list[0]["active_before"]), (&"dir_1".into(), &12.into()));
        let shown = stdout(&run(&["holds", "show", "1"]));
        assert!(
            shown.contains("rosterd holds approve 1") && shown.contains("no access: not active"),
            "{shown}"
        );
        let explained = stdout(&run(&["explain", "--tenant", "org_1", "u11"]));
        assert!(explained.contains("held in hold 1 since "), "{explained}");

        stdout(&run(&["holds", "reject", "1", "--user", "u11", "--by", "ada", "--reason", "on leave"]));
        let approved = stdout(&run(&["holds", "approve", "1", "--user", "u10", "--by", "ada", "--yes"]));
        assert_eq!(approved, "hold 1 is applied to 1 people; 1 have lost access\n");
        assert_eq!(gone(&app), ["u10"]);
        stdout(&run(&["holds", "approve", "1", "--by", "ada", "--expect", "10"]));
        assert_eq!(gone(&app).len(), 11);
    }
}

#[test]
fn on_a_terminal_an_approval_asks_and_only_yes_applies_it() {
    for backend in Backend::offered() {
        let app = TestApp::start(backend, |_config| {});
        let ask = |input: &str| {
            on_a_terminal(&app.store.url(), 80, &["holds", "approve", "1", "--by", "ada"], input)
        };
        beginning(&app, 12);
        app.play(&(0..12).map(|n| update(n, "inactive", 9)).collect::<Vec<_>>());

        for answer in ["no\n", "y\n", ""] {
            let (code, shown) = ask(answer);
            assert!(
                shown.contains("of 12 of 12 people in hold 1 (org_1, directory dir_1) would be applied.")
                    && shown.contains("Write yes to go on:"),
                "{shown}"
            );
            assert!(shown.contains("nothing was changed") && code == Some(1), "{answer:?}: {shown}");
        }
        assert_eq!(gone(&app).len(), 0);

        let (code, shown) = ask("yes\n");
        assert_eq!(code, Some(0), "{shown}");
        assert!(shown.contains("hold 1 is applied to 12 people; 12 have lost access"), "{shown}");
        assert_eq!(gone(&app).len(), 12);
    }
}

/// In the transaction that applies the approved changes, and right after it.
#[test]
fn an_approval_that_dies_half_way_is_finished_by_the_next_and_repeats_nothing() {
    use std::os::unix::process::ExitStatusExt;
    for backend in Backend::offered() {
        for (point, gone_by_then) in [("releasing", 0), ("released", 12)] {
            let app = TestApp::start(backend, |_config| {});
            beginning(&app, 12);
            app.play(&(0..12).map(|n| update(n, "inactive", 9)).collect::<Vec<_>>());

            let mut doomed = rosterd();
            let died = output(
                doomed
                    .env("DATABASE_URL", app.store.url())
                    .env("ROSTERD_FAIL_AT", point)
                    .args(["holds", "approve", "1", "--yes"]),
            );

            assert_eq!((died.status.signal(), gone(&app).len()), (Some(6), gone_by_then), "{point}");
            app.drain();
            assert_eq!((gone(&app).len(), app.notices().len()), (12, 12), "{point}");
            app.assert_rebuilds();
        }
    }
}
