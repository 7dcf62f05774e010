//! All people of a directory at once are a mass change, however few they are.

use super::{beginning, created, deleted, gone, held, said};
use crate::harness::{
    both,
    broker::{directory, event},
};

both! {
    fn two_people_who_are_everybody_are_held(app, |config| config.guard.otherwise.everybody = 2) {
        beginning(app, 2);
        app.play(&[deleted(0, 9), deleted(1, 9)]);
        assert_eq!((gone(app).len(), held(app)), (0, vec![("open".to_owned(), 2, 0, 2)]));
    }
}

both! {
    fn the_last_of_several_who_leave_one_by_one_is_held(app, |config| config.guard.otherwise.everybody = 2) {
        beginning(app, 3);
        app.play(&[deleted(0, 9)]);
        app.play(&[deleted(1, 10)]);
        app.play(&[deleted(2, 11)]);
        assert_eq!((gone(app), held(app)), (vec!["u00".to_owned(), "u01".to_owned()], vec![("open".to_owned(), 1, 2, 3)]));
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
        assert_eq!((gone(app).len(), held(app)), (0, vec![("open".to_owned(), 3, 0, 3)]));
    }
}

both! {
    fn a_person_who_returned_and_leaves_again_while_the_others_wait_is_held(app, |config| config.guard.otherwise.everybody = 2) {
        beginning(app, 3);
        app.play(&[said(0, "inactive", 9), said(1, "inactive", 9), said(2, "inactive", 9)]);
        app.play(&[said(0, "active", 10)]);
        assert_eq!(held(app)[0].1, 2);
        app.clock.advance_seconds(3_600);
        app.play(&[said(0, "inactive", 11)]);
        assert_eq!((gone(app).len(), held(app)[0].1), (0, 3));
    }
}
