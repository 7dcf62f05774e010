//! A process that dies in the transaction of a move, or right after it.

use std::os::unix::process::ExitStatusExt;

use super::{beginning, dead, refused, users};
use crate::harness::{
    Backend, TestApp,
    process::{output, rosterd, stdout},
};

#[test]
fn a_move_that_dies_half_way_has_happened_or_it_has_not_and_can_be_repeated() {
    for backend in Backend::offered() {
        for (point, happened) in [("moving", false), ("moved", true)] {
            let app = TestApp::start(backend, |_config| {});
            app.play(&beginning());
            app.play(&refused());
            let before = users(&app);
            let mut doomed = rosterd();
            doomed.env("DATABASE_URL", app.store.url());
            let move_it =
                ["directories", "move", "dir_1", "--to", "org_2", "--by", "ada", "--reason", "x", "--yes"];

            let died = output(doomed.env("ROSTERD_FAIL_AT", point).args(move_it));

            assert_eq!(died.status.signal(), Some(6), "{point}: {died:?}");
            app.drain();
            if !happened {
                assert_eq!((users(&app), dead(&app).len()), (before, 2));
                app.assert_rebuilds();
                stdout(&output(rosterd().env("DATABASE_URL", app.store.url()).args(move_it)));
                app.drain();
            }
            assert_eq!(users(&app), ["org_2 u1 active", "org_2 u2 inactive", "org_2 u3 active"]);
            assert_eq!((app.notices(), dead(&app).len()), (vec!["u1".to_owned(), "u2".to_owned()], 0));
            app.assert_rebuilds();
        }
    }
}
