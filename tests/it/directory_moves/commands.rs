//! The commands, beside a running service.

use serde_json::json;

use super::{beginning, dead, refused, users};
use crate::harness::{
    Backend, TestApp,
    broker::{directory, event, with},
    process::{output, rosterd, stdout},
};

#[test]
fn a_move_is_shown_first_and_happens_only_when_it_is_confirmed() {
    for backend in Backend::offered() {
        let app = TestApp::start(backend, |_config| {});
        app.play(&beginning());
        app.play(&refused());
        let run = |more: &[&str]| {
            let move_it = ["directories", "move", "dir_1", "--to", "org_2", "--by", "ada"];
            output(rosterd().env("DATABASE_URL", app.store.url()).args(move_it).args(more))
        };
        let stderr = |output: &std::process::Output| String::from_utf8_lossy(&output.stderr).into_owned();

        assert_eq!(run(&[]).status.code(), Some(64), "a reason is required");
        let shown = run(&["--reason", "ticket 7"]);
        assert_eq!(shown.status.code(), Some(1));
        assert!(
            stderr(&shown).contains("nothing was changed: this concerns 2 people. Add --expect 2"),
            "{}",
            stderr(&shown)
        );
        let text = String::from_utf8_lossy(&shown.stdout).into_owned();
        assert!(
            text.contains("would move from org_1 to org_2")
                && text.contains("people with access who move: 2"),
            "{text}"
        );
        assert!(
            text.contains("u2@acme.example") && text.contains("refused deliveries that are applied: 2"),
            "{text}"
        );
        let other = run(&["--reason", "ticket 7", "--expect", "3"]);
        assert_eq!(other.status.code(), Some(1));
        assert!(stderr(&other).contains("--expect 2"), "{}", stderr(&other));
        assert_eq!(users(&app), ["org_1 u1 active", "org_1 u2 active"]);

        let done = stdout(&run(&["--reason", "ticket 7", "--expect", "2"]));
        assert!(done.starts_with("moved directory dir_1 from org_1 to org_2\n"), "{done}");
        app.drain();
        assert_eq!(users(&app), ["org_2 u1 active", "org_2 u2 inactive", "org_2 u3 active"]);
        assert_eq!(dead(&app), Vec::<String>::new());
        let again = run(&["--reason", "ticket 7", "--yes"]);
        assert_eq!((again.status.code(), stderr(&again).contains("already")), (Some(1), true));
        app.assert_rebuilds();
    }
}

#[test]
fn a_directory_is_named_by_its_id_or_its_only_name_and_similar_names_are_told() {
    for backend in Backend::offered() {
        let app = TestApp::start(backend, |_config| {});
        app.play(&beginning());
        app.play(&[
            event("d2", "dsync.activated", 0, with(directory("dir_2", "org_1", 0), json!({"name": "Staff"}))),
            event("d3", "dsync.activated", 0, with(directory("dir_3", "org_2", 0), json!({"name": "STAFF"}))),
        ]);
        let run = |directory: &str| {
            let move_it = ["directories", "move", directory, "--to", "org_2", "--by", "ada", "--reason", "x"];
            output(rosterd().env("DATABASE_URL", app.store.url()).args(move_it).arg("--yes"))
        };
        for (directory, part) in [
            (
                "staff",
                "several directories are named \"staff\"; write one of their ids: dir_2 of org_1, dir_3 of org_2",
            ),
            (
                "Directory dir1",
                "there is no directory Directory dir1 (did you mean dir_1 \"Directory dir_1\"",
            ),
            ("xyz", "there is no directory xyz; see `rosterd directories list`"),
        ] {
            let refused = run(directory);
            let said = String::from_utf8_lossy(&refused.stderr).into_owned();
            assert!(refused.status.code() == Some(1) && said.contains(part), "{said}");
        }

        let done = stdout(&run("directory DIR_1"));
        assert!(done.starts_with("moved directory dir_1 from org_1 to org_2\n"), "{done}");
    }
}
