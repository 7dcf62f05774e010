//! All people of a directory at once are a mass change, however few they are.

use super::{HoldSummary, beginning, created, deleted, gone, held, update};
use crate::harness::{
    both,
    broker::{directory, event},
};

fn open(undecided: usize, applied_before: i64, active_before: i64) -> HoldSummary {
    HoldSummary { state: "open".to_owned(), undecided, applied_before, active_before }
}

both! {
    fn two_people_who_are_everybody_are_held(app, |config| config.guard.otherwise.everybody = 2) {
        beginning(app, 2);
        app.play(&[deleted(0, 9), deleted(1, 9)]);
        assert_eq!((gone(app).len(), held(app)), (0, vec![open(2, 0, 2)]));
    }
}

both! {
    fn the_last_of_several_who_leave_one_by_one_is_held(app, |config| config.guard.otherwise.everybody = 2) {
        beginning(app, 3);
        app.play(&[deleted(0, 9)]);
        app.play(&[deleted(1, 10)]);
        app.play(&[deleted(2, 11)]);
        assert_eq!((gone(app), held(app)), (vec!["u00".to_owned(), "u01".to_owned()], vec![open(1, 2, 3)]));
    }
}

both! {
    fn a_directory_with_one_person_and_a_person_who_stays_are_no_mass(app, |config| config.guard.otherwise.everybody = 2) {
        beginning(app, 1);
        app.play(&[deleted(0, 9)]);
        assert_eq!((gone(app).len(), held(app).len()), (1, 0));
        app.play(&[created(1), created(2), created(3)]);
        app.clock.advance_seconds(3_600);
        app.play(&[deleted(1, 20), deleted(2, 20)]);
        assert_eq!((gone(app).len(), held(app).len()), (3, 0));
    }
}

both! {
    fn a_small_directory_that_is_deleted_is_held(app, |config| config.guard.otherwise.everybody = 2) {
        beginning(app, 3);
        app.play(&[event("gone", "dsync.deleted", 20, directory("dir_1", "org_1", 0))]);
        assert_eq!((gone(app).len(), held(app)), (0, vec![open(3, 0, 3)]));
    }
}

both! {
    fn a_person_who_returned_and_leaves_again_while_the_others_wait_is_held(app, |config| config.guard.otherwise.everybody = 2) {
        beginning(app, 3);
        app.play(&[update(0, "inactive", 9), update(1, "inactive", 9), update(2, "inactive", 9)]);
        app.play(&[update(0, "active", 10)]);
        assert_eq!(held(app)[0].undecided, 2);
        app.clock.advance_seconds(3_600);
        app.play(&[update(0, "inactive", 11)]);
        assert_eq!((gone(app).len(), held(app)[0].undecided), (0, 3));
    }
}
